//! Coefficients to pixels.
//!
//! At the whole size transform, interpolation of colours and rounding are those of libjpeg-turbo
//! (`jidctint.c`, `jdsample.c`, `jdcolor.c`: ISLOW, "fancy upsampling"), to the bit.
//!
//! An 8×8 block at 1/r of its size is the inverse transform of n = 8/r points of its n lowest
//! frequencies in each direction, scaled by √(n/8) a direction: the transform's own low-pass filter.

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::{
    blocks::{Blocks, Coefficient, Plane},
    header::{ColourSpace, Component, Frame},
};

/// A rectangle in pixels of the picture at its reduced size, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) columns: Range<u32>,
    pub(crate) rows: Range<u32>,
}

/// A rendered part: interleaved RGB.
pub(crate) struct Picture {
    pub(crate) part: Part,
    pub(crate) rgb: Vec<u8>,
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

/// See [`super::Jpeg::render`].
pub(super) fn render(frame: &Frame, blocks: &Blocks, reduction: u32, part: Part) -> Picture {
    // Pixels of a block along a side.
    let side = (8 / reduction.clamp(1, 8)) as usize;
    let (horizontal, vertical) = frame.factors();
    let (mcu_columns, mcu_rows) = frame.mcus();
    let columns = covering(&part.columns, horizontal * side, mcu_columns);
    let rows = covering(&part.rows, vertical * side, mcu_rows);
    let within = |range: &Range<usize>, size: usize, end: u32| Range {
        start: (range.start * size) as u32,
        end: ((range.end * size) as u32).min(end),
    };
    let part = Part {
        columns: within(&columns, horizontal * side, frame.width.div_ceil(reduction)),
        rows: within(&rows, vertical * side, frame.height.div_ceil(reduction)),
    };
    let (width, height) = (part.columns.len(), part.rows.len());

    let arch = Arch::new();
    let mut strips: Vec<Strip<'_>> = blocks
        .planes
        .iter()
        .zip(&frame.components)
        .map(|(plane, component)| {
            let across = horizontal / component.horizontal;
            let down = vertical / component.vertical;
            let area = (columns.clone(), rows.clone());
            let mut strip = Strip::new(plane, component, &blocks.coefficients, area, side);
            strip.enlargement = Enlargement::of(across, down, reduction == 1);
            strip.samples = width.div_ceil(across).min(strip.stride);
            strip.last_row = height.div_ceil(down).max(1) - 1;
            strip
        })
        .collect();
    let mut rgb = vec![0; width * height * 3];
    let mut lines = rgb.chunks_exact_mut(width * 3);
    // Of even length, and more, for copies of several.
    let mut wide: Vec<Vec<u8>> = vec![vec![0; width + 4]; strips.len()];
    let mut sums = vec![0; width + 4];
    for strip in &mut strips {
        strip.begin(arch);
    }
    for mcu_row in rows {
        for strip in &mut strips {
            strip.advance(arch, mcu_row);
        }
        for (row, to) in (0..vertical * side).zip(&mut lines) {
            for (wide, strip) in wide.iter_mut().zip(&strips) {
                strip.enlarge(arch, row, wide, &mut sums);
            }
            arch.dispatch(Colours {
                space: frame.colours,
                to,
                planes: &wide,
            });
        }
    }
    Picture { part, rgb }
}

/// The MCUs, `size` pixels along this side and `count` in all, that cover `pixels`; at least one.
fn covering(pixels: &Range<u32>, size: usize, count: usize) -> Range<usize> {
    let start = (pixels.start as usize / size).min(count - 1);
    start..(pixels.end as usize).div_ceil(size).clamp(start + 1, count)
}

/// How a component's samples become as many as there are pixels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enlargement {
    /// So many times each, across and down.
    Repeat(usize, usize),
    /// By interpolation: twice as many across, down, or both.
    Across,
    Down,
    Both,
}

impl Enlargement {
    fn of(across: usize, down: usize, interpolated: bool) -> Self {
        match (across, down) {
            (2, 1) if interpolated => Self::Across,
            (1, 2) if interpolated => Self::Down,
            (2, 2) if interpolated => Self::Both,
            _ => Self::Repeat(across, down),
        }
    }
}

/// Some columns of the samples of one component over one row of MCUs and the next.
struct Strip<'a> {
    plane: &'a Plane,
    coefficients: &'a [Coefficient],
    factors: [i32; 64],
    /// Columns of blocks, and rows of MCUs.
    columns: Range<usize>,
    mcu_rows: Range<usize>,
    /// Samples of a block along a side.
    side: usize,
    /// Rows of blocks.
    vertical: usize,
    stride: usize,
    /// This row of MCUs, and the next.
    pixels: Vec<u8>,
    next: Vec<u8>,
    /// The row above it.
    above: Vec<u8>,
    /// Rows before it, and the last that counts.
    rows_before: usize,
    last_row: usize,
    /// Samples in a row that count.
    samples: usize,
    enlargement: Enlargement,
}

/// Blocks transformed at once, each in a lane of its own: what compilers make vectors of.
const LANES: usize = 8;

type Lanes = [f32; LANES];

type Integers = [i32; LANES];

impl<'a> Strip<'a> {
    fn new(
        plane: &'a Plane,
        component: &Component,
        coefficients: &'a [Coefficient],
        (columns, mcu_rows): (Range<usize>, Range<usize>),
        side: usize,
    ) -> Self {
        let columns = columns.start * component.horizontal..columns.end * component.horizontal;
        let stride = columns.len() * side;
        let pixels = vec![0; stride * component.vertical * side];
        Self {
            plane,
            coefficients,
            factors: component.divisors.unwrap_or([1; 64]).map(i32::from),
            columns,
            mcu_rows,
            side,
            vertical: component.vertical,
            stride,
            next: pixels.clone(),
            pixels,
            above: vec![0; stride],
            rows_before: 0,
            last_row: 0,
            samples: stride,
            enlargement: Enlargement::Repeat(1, 1),
        }
    }

    /// Rows of samples in a row of MCUs.
    fn rows(&self) -> usize {
        self.vertical * self.side
    }

    /// Makes the first row of MCUs the next.
    fn begin(&mut self, arch: Arch) {
        self.fill(arch, self.mcu_rows.start);
    }

    /// Makes `mcu_row`, so far the next, this one.
    fn advance(&mut self, arch: Arch, mcu_row: usize) {
        self.rows_before = (mcu_row - self.mcu_rows.start) * self.rows();
        let last = self.pixels.len() - self.stride;
        self.above.copy_from_slice(&self.pixels[last..]);
        std::mem::swap(&mut self.pixels, &mut self.next);
        if mcu_row + 1 < self.mcu_rows.end {
            self.fill(arch, mcu_row + 1);
        }
    }

    /// Fills `next`.
    fn fill(&mut self, arch: Arch, mcu_row: usize) {
        for block_row in 0..self.vertical {
            let row = mcu_row * self.vertical + block_row;
            match self.side {
                1 => self.dispatch(arch, row, block_row, Eighth),
                2 => self.dispatch(arch, row, block_row, Quarter),
                4 => self.dispatch(arch, row, block_row, Half),
                _ => self.dispatch(arch, row, block_row, Whole),
            }
        }
    }

    /// [`Strip::fill_blocks`] with the instructions that the processor has.
    fn dispatch<const N: usize>(
        &mut self,
        arch: Arch,
        row: usize,
        block_row: usize,
        inverse: impl Inverse<N>,
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
        inverse: impl Inverse<N>,
    ) {
        // In zigzag order, none of those needed comes later.
        let last = match N {
            1 => 0,
            2 => 4,
            4 => 24,
            _ => 63,
        };
        let first = row * self.plane.columns;
        let blocks = first + self.columns.start..first + self.columns.end;
        let pixels = &mut self.next[block_row * N * self.stride..][..N * self.stride];
        let slots = const { slots::<N>() };
        let mut cells = [[0; LANES]; NOWHERE + 1];
        let mut at = 0;
        for start in blocks.clone().step_by(LANES) {
            let group = start..(start + LANES).min(blocks.end);
            cells[..N * N].fill([0; LANES]);
            // The last coefficient of any of the blocks.
            let mut highest = 0;
            if self.plane.dense.is_empty() {
                let starts = &self.plane.starts[group.clone()];
                for (lane, start) in starts.iter().enumerate() {
                    for coefficient in &self.coefficients[*start as usize..] {
                        if coefficient.index > last {
                            break;
                        }
                        let index = usize::from(coefficient.index % 64);
                        highest = highest.max(coefficient.index);
                        cells[usize::from(slots[index])][lane] =
                            i32::from(coefficient.value) * self.factors[index];
                    }
                }
            } else {
                let dense = &self.plane.dense[group.start * 64..group.end * 64];
                highest = last;
                for (lane, block) in dense.chunks_exact(64).enumerate() {
                    for (index, value) in block[..=usize::from(last)].iter().enumerate() {
                        cells[usize::from(slots[index])][lane] =
                            i32::from(*value) * self.factors[index];
                    }
                }
            }
            let levels = inverse.levels(&cells, highest);
            for (row, levels) in pixels.chunks_exact_mut(self.stride).zip(&levels) {
                row[at..at + group.len() * N]
                    .copy_from_slice(&levels.as_flattened()[..group.len() * N]);
            }
            at += LANES * N;
        }
    }

    /// A row of samples, counted from the first of this row of MCUs; beyond the first and the last that
    /// there are, these go on.
    fn row(&self, row: isize) -> &[u8] {
        let row = (self.rows_before as isize + row).clamp(0, self.last_row as isize)
            - self.rows_before as isize;
        let (from, row) = match usize::try_from(row) {
            Err(_) => (&self.above, 0),
            Ok(row) if row < self.rows() => (&self.pixels, row),
            Ok(row) => (&self.next, row - self.rows()),
        };
        &from[row * self.stride..][..self.samples]
    }

    /// The `row`th row of pixels of this row of MCUs.
    #[inline(always)]
    fn enlarge(&self, arch: Arch, row: usize, to: &mut [u8], sums: &mut [u16]) {
        // The nearest row counts three times.
        let pair = |row: usize| {
            let near = (row / 2) as isize;
            let far = if row.is_multiple_of(2) {
                near - 1
            } else {
                near + 1
            };
            (self.row(near), self.row(far))
        };
        match self.enlargement {
            Enlargement::Repeat(across, down) => {
                repeat(to, self.row((row / down) as isize), across);
            }
            Enlargement::Across if self.samples <= 2 => repeat(to, self.row(row as isize), 2),
            Enlargement::Both if self.samples <= 2 => repeat(to, self.row((row / 2) as isize), 2),
            Enlargement::Across => arch.dispatch(Across {
                to,
                from: self.row(row as isize),
            }),
            Enlargement::Down => arch.dispatch(Down {
                to,
                pair: pair(row),
                bias: 1 + (row % 2) as u16,
            }),
            Enlargement::Both => arch.dispatch(Both {
                to,
                pair: pair(row),
                sums: &mut sums[..self.samples],
            }),
        }
    }
}

/// Each value so many times.
#[inline(never)]
fn repeat(to: &mut [u8], from: &[u8], times: usize) {
    match times {
        1 => {
            let shared = to.len().min(from.len());
            to[..shared].copy_from_slice(&from[..shared]);
        }
        2 => {
            for (pair, value) in to.chunks_exact_mut(2).zip(from) {
                pair.copy_from_slice(&[*value; 2]);
            }
        }
        _ => {
            for (group, value) in to.chunks_mut(times).zip(from) {
                group.fill(*value);
            }
        }
    }
}

/// Twice as many samples across: three parts of the nearest one and one of the next, the first and the
/// last as they are. At least three.
struct Across<'a> {
    to: &'a mut [u8],
    from: &'a [u8],
}

impl NullaryFnOnce for Across<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { to, from } = self;
        let ends = (from[0], from[from.len() - 1]);
        to[0] = ends.0;
        let between = from.iter().zip(&from[1..]);
        for (pair, (left, right)) in to[1..].chunks_exact_mut(2).zip(between) {
            let (left, right) = (u16::from(*left), u16::from(*right));
            pair[0] = ((3 * left + right + 2) >> 2) as u8;
            pair[1] = ((left + 3 * right + 1) >> 2) as u8;
        }
        if let Some(last) = to.get_mut(2 * from.len() - 1) {
            *last = ends.1;
        }
    }
}

/// Twice as many down.
struct Down<'a> {
    to: &'a mut [u8],
    pair: (&'a [u8], &'a [u8]),
    bias: u16,
}

impl NullaryFnOnce for Down<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (near, far) = self.pair;
        for ((to, near), far) in self.to.iter_mut().zip(near).zip(far) {
            *to = ((3 * u16::from(*near) + u16::from(*far) + self.bias) >> 2) as u8;
        }
    }
}

/// Twice as many across and down. At least three.
struct Both<'a> {
    to: &'a mut [u8],
    pair: (&'a [u8], &'a [u8]),
    sums: &'a mut [u16],
}

impl NullaryFnOnce for Both<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { to, pair, sums } = self;
        let (near, far) = pair;
        for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
            *sum = 3 * u16::from(*near) + u16::from(*far);
        }
        let (first, last) = (sums[0], sums[sums.len() - 1]);
        to[0] = ((4 * first + 8) >> 4) as u8;
        let between = sums.iter().zip(&sums[1..]);
        for (pair, (left, right)) in to[1..].chunks_exact_mut(2).zip(between) {
            pair[0] = ((3 * left + right + 7) >> 4) as u8;
            pair[1] = ((left + 3 * right + 8) >> 4) as u8;
        }
        if let Some(to) = to.get_mut(2 * sums.len() - 1) {
            *to = ((4 * last + 7) >> 4) as u8;
        }
    }
}

/// [`Strip::fill_blocks`] as an operation that can be dispatched.
struct FillBlocks<'a, 'b, const N: usize, F> {
    strip: &'a mut Strip<'b>,
    row: usize,
    block_row: usize,
    inverse: F,
}

impl<const N: usize, F: Inverse<N>> NullaryFnOnce for FillBlocks<'_, '_, N, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.strip
            .fill_blocks(self.row, self.block_row, self.inverse);
    }
}

/// The transform of [`LANES`] blocks to N × N pixels each. A trait and no closure: closures are not
/// inlined into what is compiled for the processor.
trait Inverse<const N: usize> {
    /// Of blocks whose last coefficient that is not zero is `highest` or before.
    fn levels(&self, cells: &[Integers; NOWHERE + 1], highest: u8) -> [[[u8; N]; LANES]; N];
}

struct Whole;
struct Half;
struct Quarter;
struct Eighth;

impl Inverse<8> for Whole {
    #[inline(always)]
    fn levels(&self, cells: &[Integers; NOWHERE + 1], highest: u8) -> [[[u8; 8]; LANES]; 8] {
        // In zigzag order, these lie in the first rows and columns.
        const IN_TWO: u8 = 2;
        const IN_FOUR: u8 = 9;
        match highest {
            0..=IN_TWO => exact::<2>(cells),
            3..=IN_FOUR => exact::<4>(cells),
            _ => exact::<8>(cells),
        }
    }
}

impl Inverse<4> for Half {
    #[inline(always)]
    fn levels(&self, cells: &[Integers; NOWHERE + 1], _: u8) -> [[[u8; 4]; LANES]; 4] {
        reduced(cells, inverse_4)
    }
}

impl Inverse<2> for Quarter {
    #[inline(always)]
    fn levels(&self, cells: &[Integers; NOWHERE + 1], _: u8) -> [[[u8; 2]; LANES]; 2] {
        reduced(cells, inverse_2)
    }
}

impl Inverse<1> for Eighth {
    #[inline(always)]
    fn levels(&self, cells: &[Integers; NOWHERE + 1], _: u8) -> [[[u8; 1]; LANES]; 1] {
        reduced(cells, inverse_1)
    }
}

/// [`LANES`] blocks at N × N of their size.
#[inline(always)]
fn reduced<const N: usize>(
    cells: &[Integers; NOWHERE + 1],
    inverse: impl Fn(&[Lanes; N]) -> [Lanes; N],
) -> [[[u8; N]; LANES]; N] {
    let mut square = [[[0.0; LANES]; N]; N];
    // Down the columns, then along the rows.
    for column in 0..N {
        let mut line = [[0.0; LANES]; N];
        for (value, row) in line.iter_mut().zip(cells.chunks_exact(N)) {
            *value = row[column].map(|value| value as f32);
        }
        for (row, value) in square.iter_mut().zip(inverse(&line)) {
            row[column] = value;
        }
    }
    let mut blocks = [[[0; N]; LANES]; N];
    for (row, line) in blocks.iter_mut().zip(&square) {
        *row = levels(&inverse(line));
    }
    blocks
}

/// [`LANES`] blocks at their whole size, of which all but the first `SIDE` rows and columns are zero.
#[inline(always)]
fn exact<const SIDE: usize>(cells: &[Integers; NOWHERE + 1]) -> [[[u8; 8]; LANES]; 8] {
    let mut square = [[[0; LANES]; SIDE]; 8];
    for column in 0..SIDE {
        let mut line = [[0; LANES]; SIDE];
        for (value, row) in line.iter_mut().zip(cells.chunks_exact(8)) {
            *value = row[column];
        }
        for (row, value) in square.iter_mut().zip(inverse_8::<SIDE, DOWN>(&line)) {
            row[column] = value;
        }
    }
    // No `map`: closures are not inlined into what is compiled for the processor.
    let mut blocks = [[[0; 8]; LANES]; 8];
    for (row, line) in blocks.iter_mut().zip(&square) {
        for (column, lanes) in inverse_8::<SIDE, ALONG>(line).iter().enumerate() {
            for (block, sample) in row.iter_mut().zip(lanes) {
                block[column] = (sample + 128).clamp(0, 255) as u8;
            }
        }
    }
    blocks
}

/// Bits that the transform drops, rounding: down the columns it keeps two more than along the rows.
const DOWN: u32 = 11;
const ALONG: u32 = 18;

/// The inverse transform of 8 points in integers with 13 bits behind the point; C. Loeffler, A. Ligtenberg
/// and G. Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", 1989. The first `SIDE`
/// frequencies are given, the others are zero.
#[inline(always)]
fn inverse_8<const SIDE: usize, const DROPPED: u32>(x: &[Integers; SIDE]) -> [Integers; 8] {
    let mut samples = [[0; LANES]; 8];
    for lane in 0..LANES {
        let mut all = [0; 8];
        for (to, from) in all.iter_mut().zip(x) {
            *to = from[lane];
        }
        let [x0, x1, x2, x3, x4, x5, x6, x7] = all;
        let times = i32::wrapping_mul;
        let plus = i32::wrapping_add;
        let minus = i32::wrapping_sub;

        let shared = times(plus(x2, x6), 4433);
        let even = [
            plus(shared, times(x6, -15_137)),
            plus(shared, times(x2, 6270)),
        ];
        let sum = plus(x0, x4).wrapping_shl(13);
        let difference = minus(x0, x4).wrapping_shl(13);
        let halves = [
            plus(sum, even[1]),
            plus(difference, even[0]),
            minus(difference, even[0]),
            minus(sum, even[1]),
        ];

        let (z1, z2, z3, z4) = (plus(x7, x1), plus(x5, x3), plus(x7, x3), plus(x5, x1));
        let z5 = times(plus(z3, z4), 9633);
        let z1 = times(z1, -7373);
        let z2 = times(z2, -20_995);
        let z3 = plus(times(z3, -16_069), z5);
        let z4 = plus(times(z4, -3196), z5);
        let odd = [
            plus(times(x1, 12_299), plus(z1, z4)),
            plus(times(x3, 25_172), plus(z2, z3)),
            plus(times(x5, 16_819), plus(z2, z4)),
            plus(times(x7, 2446), plus(z1, z3)),
        ];
        for at in 0..4 {
            let round = 1 << (DROPPED - 1);
            samples[at][lane] = plus(plus(halves[at], odd[at]), round) >> DROPPED;
            samples[7 - at][lane] = plus(minus(halves[at], odd[at]), round) >> DROPPED;
        }
    }
    samples
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

/// A row of components to interleaved RGB.
struct Colours<'a> {
    space: ColourSpace,
    to: &'a mut [u8],
    planes: &'a [Vec<u8>],
}

impl NullaryFnOnce for Colours<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { space, to, planes } = self;
        match (space, planes) {
            (ColourSpace::YCbCr, [light, blue, red]) => ycbcr(to, light, blue, red),
            (ColourSpace::Rgb, [r, g, b]) => {
                for (((pixel, r), g), b) in to.chunks_exact_mut(3).zip(r).zip(g).zip(b) {
                    pixel.copy_from_slice(&[*r, *g, *b]);
                }
            }
            (ColourSpace::Cmyk, [c, m, y, k]) => {
                let inks = c.iter().zip(m).zip(y).zip(k);
                for (pixel, (((c, m), y), k)) in to.chunks_exact_mut(3).zip(inks) {
                    pixel.copy_from_slice(&[inked(*c, *k), inked(*m, *k), inked(*y, *k)]);
                }
            }
            (ColourSpace::Ycck, [light, blue, red, key]) => {
                ycbcr(to, light, blue, red);
                for (pixel, key) in to.chunks_exact_mut(3).zip(key) {
                    for value in pixel {
                        *value = inked(255 - *value, *key);
                    }
                }
            }
            (_, planes) => {
                for (pixel, level) in to.chunks_exact_mut(3).zip(planes.iter().flatten()) {
                    pixel.fill(*level);
                }
            }
        }
    }
}

/// What is left of a colour under a key, both inverted: their product.
fn inked(colour: u8, key: u8) -> u8 {
    ((u32::from(colour) * u32::from(key) * 2 + 255) / 510) as u8
}

/// YCbCr as JFIF defines it (ITU-T T.871, section 7) to interleaved RGB. In 16 bits where that is enough,
/// and plane by plane before they are interleaved: so compilers make vectors of it.
#[inline(always)]
fn ycbcr(to: &mut [u8], luma: &[u8], blue: &[u8], red: &[u8]) {
    const PIXELS: usize = 64;
    // 65,536 times the part of a factor that is not whole.
    const RED: i32 = 26_345; // 1.402 = 1 + …
    const GREEN_OF_BLUE: i32 = -22_554; // -0.344136
    const GREEN_OF_RED: i32 = 18_734; // -0.714136 = -1 + …
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
            // Rounded once, as both are added.
            let green =
                (i32::from(cb) * GREEN_OF_BLUE + i32::from(cr) * GREEN_OF_RED + 32_768) >> 16;
            *r = level(y + cr + times(cr, RED));
            *g = level(y - cr + green as i16);
            *b = level(y + 2 * cb - times(cb, BLUE));
        }
        let [r, g, b] = &planes;
        if let Ok(to) = <&mut [u8; 3 * PIXELS]>::try_from(&mut *to) {
            // Of fixed length: that takes shuffles instead of stores of a byte.
            for at in 0..PIXELS {
                to[3 * at] = r[at];
                to[3 * at + 1] = g[at];
                to[3 * at + 2] = b[at];
            }
        } else {
            for (((pixel, r), g), b) in to.chunks_exact_mut(3).zip(r).zip(g).zip(b) {
                pixel.copy_from_slice(&[*r, *g, *b]);
            }
        }
    }
}
