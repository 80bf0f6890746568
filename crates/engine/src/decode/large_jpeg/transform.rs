//! Coefficients to pixels.
//!
//! An 8×8 block at 1/r of its size is the inverse transform of n = 8/r points of its n lowest
//! frequencies in each direction, scaled by √(n/8) a direction: the transform's own low-pass filter.

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::{Blocks, Coefficient, Plane, header::Header};

/// A rectangle in pixels of the picture at its reduced size, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::decode) struct Part {
    pub(in crate::decode) columns: Range<u32>,
    pub(in crate::decode) rows: Range<u32>,
}

/// A rendered part: interleaved RGB.
pub(in crate::decode) struct Picture {
    pub(in crate::decode) part: Part,
    pub(in crate::decode) rgb: Vec<u8>,
}

/// Row and column of each coefficient in a block, `row * 8 + column`: the zigzag of figure A.6.
const PLACES: [u8; 64] = places();

const fn places() -> [u8; 64] {
    let mut places = [0; 64];
    let (mut row, mut column, mut index) = (0_u8, 0_u8, 0);
    while index < 64 {
        places[index] = row * 8 + column;
        let up = (row + column) % 2 == 0;
        if up && column == 7 {
            row += 1;
        } else if up && row == 0 {
            column += 1;
        } else if up {
            row -= 1;
            column += 1;
        } else if row == 7 {
            column += 1;
        } else if column == 0 {
            row += 1;
        } else {
            row += 1;
            column -= 1;
        }
        index += 1;
    }
    places
}

/// Where the coefficients of a block go, of which the N × N lowest frequencies are needed: `row * N +
/// column`, and all others to [`NOWHERE`].
const fn slots<const N: usize>() -> [u8; 64] {
    let mut slots = [NOWHERE as u8; 64];
    let mut index = 0;
    while index < 64 {
        let (row, column) = (PLACES[index] as usize / 8, PLACES[index] as usize % 8);
        if row < N && column < N {
            slots[index] = (row * N + column) as u8;
        }
        index += 1;
    }
    slots
}

/// A place that nobody reads.
const NOWHERE: usize = 64;

/// See [`super::LargeJpeg::render`].
pub(super) fn render(header: &Header, blocks: &Blocks, reduction: u32, part: Part) -> Picture {
    // Pixels of a block along a side.
    let side = (8 / reduction.clamp(1, 8)) as usize;
    let luma = header.components[0];
    let (mcu_columns, mcu_rows) = header.mcus();
    let columns = covering(&part.columns, luma.horizontal * side, mcu_columns);
    let rows = covering(&part.rows, luma.vertical * side, mcu_rows);
    let within = |range: &Range<usize>, size: usize, end: u32| Range {
        start: (range.start * size) as u32,
        end: ((range.end * size) as u32).min(end),
    };
    let part = Part {
        columns: within(
            &columns,
            luma.horizontal * side,
            header.width.div_ceil(reduction),
        ),
        rows: within(
            &rows,
            luma.vertical * side,
            header.height.div_ceil(reduction),
        ),
    };
    let (width, height) = (part.columns.len(), part.rows.len());

    let mut strips: Vec<Strip<'_>> = blocks
        .planes
        .iter()
        .zip(&header.components)
        .map(|(plane, component)| {
            let columns = columns.start * component.horizontal..columns.end * component.horizontal;
            Strip {
                plane,
                coefficients: &blocks.coefficients,
                factors: factors(header, component.quantisation),
                side,
                vertical: component.vertical,
                stride: columns.len() * side,
                pixels: vec![0; columns.len() * side * component.vertical * side],
                columns,
            }
        })
        .collect();
    let arch = Arch::new();
    let mut rgb = vec![0; width * height * 3];
    let mut lines = rgb.chunks_exact_mut(width * 3);
    // Of even length, for pairs.
    let mut chroma = [vec![0; width + width % 2], vec![0; width + width % 2]];
    for mcu_row in rows {
        for strip in &mut strips {
            strip.fill(arch, mcu_row);
        }
        for (row, to) in (0..luma.vertical * side).zip(&mut lines) {
            match strips.as_slice() {
                [light, blue, red] => {
                    for (wider, strip) in chroma.iter_mut().zip([blue, red]) {
                        widen(wider, strip.row(row / luma.vertical), luma.horizontal);
                    }
                    arch.dispatch(Colour {
                        to,
                        luma: light.row(row),
                        blue: &chroma[0],
                        red: &chroma[1],
                    });
                }
                [light, ..] => {
                    for (pixel, level) in to.chunks_exact_mut(3).zip(light.row(row)) {
                        pixel.fill(*level);
                    }
                }
                [] => {}
            }
        }
    }
    Picture { part, rgb }
}

/// The MCUs, `size` pixels along this side and `count` in all, that cover `pixels`; at least one.
fn covering(pixels: &Range<u32>, size: usize, count: usize) -> Range<usize> {
    let start = (pixels.start as usize / size).min(count - 1);
    start..(pixels.end as usize).div_ceil(size).clamp(start + 1, count)
}

/// What the coefficients of a component are multiplied with, in zigzag order.
fn factors(header: &Header, quantisation: usize) -> [f32; 64] {
    let divisors = header.quantisation.get(quantisation).copied().flatten();
    divisors.unwrap_or([1; 64]).map(f32::from)
}

/// Some columns of the pixels of one component over one row of MCUs.
struct Strip<'a> {
    plane: &'a Plane,
    coefficients: &'a [Coefficient],
    factors: [f32; 64],
    /// Columns of blocks.
    columns: Range<usize>,
    /// Pixels of a block along a side.
    side: usize,
    /// Rows of blocks.
    vertical: usize,
    stride: usize,
    pixels: Vec<u8>,
}

/// Blocks transformed at once, each in a lane of its own: what compilers make vectors of.
const LANES: usize = 8;

type Lanes = [f32; LANES];

/// [`LANES`] blocks of N × N frequencies or samples.
type Square<const N: usize> = [[Lanes; N]; N];

impl Strip<'_> {
    fn fill(&mut self, arch: Arch, mcu_row: usize) {
        for block_row in 0..self.vertical {
            let row = mcu_row * self.vertical + block_row;
            match self.side {
                1 => self.dispatch(arch, row, block_row, inverse_1),
                2 => self.dispatch(arch, row, block_row, inverse_2),
                4 => self.dispatch(arch, row, block_row, inverse_4),
                _ => self.dispatch(arch, row, block_row, inverse_8),
            }
        }
    }

    /// [`Strip::fill_blocks`] with the instructions that the processor has.
    fn dispatch<const N: usize>(
        &mut self,
        arch: Arch,
        row: usize,
        block_row: usize,
        inverse: impl Fn(&[Lanes; N]) -> [Lanes; N],
    ) {
        arch.dispatch(FillBlocks {
            strip: self,
            row,
            block_row,
            inverse,
        });
    }

    /// Makes a row of blocks, the `row`th of the plane and the `block_row`th here, N × N pixels each.
    #[inline(always)]
    fn fill_blocks<const N: usize>(
        &mut self,
        row: usize,
        block_row: usize,
        inverse: impl Fn(&[Lanes; N]) -> [Lanes; N],
    ) {
        // In zigzag order, none of those needed comes later.
        let last = match N {
            1 => 0,
            2 => 4,
            4 => 24,
            _ => 63,
        };
        let first = row * self.plane.columns;
        let starts = &self.plane.starts[first + self.columns.start..first + self.columns.end];
        let pixels = &mut self.pixels[block_row * N * self.stride..][..N * self.stride];
        let slots = const { slots::<N>() };
        let mut cells = [[0.0; LANES]; NOWHERE + 1];
        for (at, starts) in (0..).step_by(LANES * N).zip(starts.chunks(LANES)) {
            cells[..N * N].fill([0.0; LANES]);
            for (lane, start) in starts.iter().enumerate() {
                for coefficient in &self.coefficients[*start as usize..] {
                    if coefficient.index > last {
                        break;
                    }
                    let index = usize::from(coefficient.index % 64);
                    cells[usize::from(slots[index])][lane] =
                        f32::from(coefficient.value) * self.factors[index];
                }
            }
            let mut square: Square<N> = [[[0.0; LANES]; N]; N];
            // Down the columns, then along the rows.
            for column in 0..N {
                let mut line = [[0.0; LANES]; N];
                for (value, row) in line.iter_mut().zip(cells.chunks_exact(N)) {
                    *value = row[column];
                }
                for (row, value) in square.iter_mut().zip(inverse(&line)) {
                    row[column] = value;
                }
            }
            for (row, line) in pixels.chunks_exact_mut(self.stride).zip(&square) {
                let levels = levels(&inverse(line));
                row[at..at + starts.len() * N]
                    .copy_from_slice(&levels.as_flattened()[..starts.len() * N]);
            }
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.pixels[row * self.stride..(row + 1) * self.stride]
    }
}

/// [`Strip::fill_blocks`] as an operation that can be dispatched.
struct FillBlocks<'a, 'b, const N: usize, F> {
    strip: &'a mut Strip<'b>,
    row: usize,
    block_row: usize,
    inverse: F,
}

impl<const N: usize, F: Fn(&[Lanes; N]) -> [Lanes; N]> NullaryFnOnce for FillBlocks<'_, '_, N, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.strip
            .fill_blocks(self.row, self.block_row, self.inverse);
    }
}

/// Samples about zero as grey levels, block by block; rounded by what a large number has no bits
/// for: a cast of a float looks for more than compilers make vectors of.
#[inline(always)]
fn levels<const N: usize>(samples: &[Lanes; N]) -> [[u8; N]; LANES] {
    const ONES: f32 = 8_388_608.0;
    let mut levels = [[0; N]; LANES];
    for (column, lanes) in samples.iter().enumerate() {
        for (line, sample) in levels.iter_mut().zip(lanes) {
            line[column] = ((sample + 128.0).clamp(0.0, 255.0) + ONES).to_bits() as u8;
        }
    }
    levels
}

/// √½ ÷ 2.
const MEAN: f32 = 0.353_553_39;

/// The inverse transform of N points: ½ Σ c(k) X(k) cos((2 j + 1) k π / 2 N), c(0) = √½, else 1.
/// Even frequencies are a transform of half the points, the same on both sides of the middle; odd
/// ones are the same with the other sign.
#[inline(always)]
fn inverse_1([mean]: &[Lanes; 1]) -> [Lanes; 1] {
    let mut sample = *mean;
    for value in &mut sample {
        *value *= MEAN;
    }
    [sample]
}

#[inline(always)]
fn inverse_2(&[mean, odd]: &[Lanes; 2]) -> [Lanes; 2] {
    mirrored(inverse_1(&[mean]), inverse_1(&[odd]))
}

#[inline(always)]
fn inverse_4(&[x0, x1, x2, x3]: &[Lanes; 4]) -> [Lanes; 4] {
    // ½ cos(k π / 8), k = 1, 3.
    const C1: f32 = 0.461_939_77;
    const C3: f32 = 0.191_341_72;
    let mut odd = [[0.0; LANES]; 2];
    for lane in 0..LANES {
        odd[0][lane] = x1[lane] * C1 + x3[lane] * C3;
        odd[1][lane] = x1[lane] * C3 - x3[lane] * C1;
    }
    mirrored(inverse_2(&[x0, x2]), odd)
}

#[inline(always)]
fn inverse_8(&[x0, x1, x2, x3, x4, x5, x6, x7]: &[Lanes; 8]) -> [Lanes; 8] {
    // ½ cos(k π / 16), k = 1, 3, 5, 7.
    const C1: f32 = 0.490_392_64;
    const C3: f32 = 0.415_734_8;
    const C5: f32 = 0.277_785_12;
    const C7: f32 = 0.097_545_16;
    let mut odd = [[0.0; LANES]; 4];
    for lane in 0..LANES {
        let (a, b, c, d) = (x1[lane], x3[lane], x5[lane], x7[lane]);
        odd[0][lane] = C1 * a + C3 * b + C5 * c + C7 * d;
        odd[1][lane] = C3 * a - C7 * b - C1 * c - C5 * d;
        odd[2][lane] = C5 * a - C1 * b + C7 * c + C3 * d;
        odd[3][lane] = C7 * a - C5 * b + C3 * c - C1 * d;
    }
    mirrored(inverse_4(&[x0, x2, x4, x6]), odd)
}

/// Sums in order, then differences in reverse.
#[inline(always)]
fn mirrored<const HALF: usize, const N: usize>(
    even: [Lanes; HALF],
    odd: [Lanes; HALF],
) -> [Lanes; N] {
    let mut samples = [[0.0; LANES]; N];
    for at in 0..HALF {
        for lane in 0..LANES {
            samples[at][lane] = even[at][lane] + odd[at][lane];
            samples[N - 1 - at][lane] = even[at][lane] - odd[at][lane];
        }
    }
    samples
}

/// Each value `times` (1 or 2) times.
#[inline(never)]
fn widen(to: &mut [u8], from: &[u8], times: usize) {
    if times == 1 {
        let shared = to.len().min(from.len());
        to[..shared].copy_from_slice(&from[..shared]);
    } else {
        for (pair, value) in to.chunks_exact_mut(2).zip(from) {
            pair.copy_from_slice(&[*value; 2]);
        }
    }
}

/// YCbCr as JFIF defines it (ITU-T T.871, section 7) to interleaved RGB. In 16 bits, and plane by plane
/// before they are interleaved: so compilers make vectors of it.
struct Colour<'a> {
    to: &'a mut [u8],
    luma: &'a [u8],
    blue: &'a [u8],
    red: &'a [u8],
}

impl NullaryFnOnce for Colour<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            to,
            luma,
            blue,
            red,
        } = self;
        const PIXELS: usize = 64;
        // 65,536 times the part of a factor that is not whole.
        const RED: i32 = 26_345; // 1.402 = 1 + …
        const GREEN_OF_BLUE: i32 = 22_554; // 0.344136
        const GREEN_OF_RED: i32 = 18_734; // 0.714136 = 1 - …
        const BLUE: i32 = 14_942; // 1.772 = 2 - …
        let times =
            |value: i16, factor: i32| ((((i32::from(2 * value) * factor) >> 16) as i16) + 1) >> 1;
        let level = |value: i16| value.clamp(0, 255) as u8;
        let inputs = luma
            .chunks(PIXELS)
            .zip(blue.chunks(PIXELS))
            .zip(red.chunks(PIXELS));
        for (to, ((luma, blue), red)) in to.chunks_mut(PIXELS * 3).zip(inputs) {
            let mut planes = [[0_u8; PIXELS]; 3];
            let [r, g, b] = &mut planes;
            let outputs = r.iter_mut().zip(g).zip(b);
            for (((y, cb), cr), ((r, g), b)) in luma.iter().zip(blue).zip(red).zip(outputs) {
                let y = i16::from(*y);
                let (cb, cr) = (i16::from(*cb) - 128, i16::from(*cr) - 128);
                *r = level(y + cr + times(cr, RED));
                *g = level(y - times(cb, GREEN_OF_BLUE) - cr + times(cr, GREEN_OF_RED));
                *b = level(y + 2 * cb - times(cb, BLUE));
            }
            let [r, g, b] = &planes;
            for (((pixel, r), g), b) in to.chunks_exact_mut(3).zip(r).zip(g).zip(b) {
                pixel.copy_from_slice(&[*r, *g, *b]);
            }
        }
    }
}
