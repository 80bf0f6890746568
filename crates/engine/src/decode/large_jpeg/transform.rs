//! Coefficients to pixels at a reduced size.
//!
//! An 8×8 block at 1/r of its size is the inverse transform of n = 8/r points of its n lowest
//! frequencies in each direction, scaled by √(n/8) a direction: the transform's own low-pass filter.

use std::array::from_fn;

use super::{Block, KEPT, Plane, header::Header};

/// See [`super::LargeJpeg::render`].
pub(super) fn render(header: &Header, planes: &[Plane], reduction: u32) -> (u32, u32, Vec<u8>) {
    // Pixels of a luma block along a side.
    let side = (8 / reduction.clamp(2, 8)) as usize;
    let width = header.width.div_ceil(reduction);
    let height = header.height.div_ceil(reduction);
    let (_, mcu_rows) = header.mcus();
    let luma = header.components[0];
    let mut strips: Vec<Strip> = planes
        .iter()
        .enumerate()
        .map(|(number, plane)| {
            let vertical = header.components[number].vertical;
            Strip {
                side,
                vertical,
                stride: plane.columns * side,
                pixels: vec![0; plane.columns * side * vertical * side],
            }
        })
        .collect();
    let rows_per_mcu = luma.vertical * side;
    let mut rgb = vec![0; width as usize * height as usize * 3];
    let mut rows = rgb.chunks_exact_mut(width as usize * 3);
    let mut chroma = [vec![0; width as usize + 1], vec![0; width as usize + 1]];
    for mcu_row in 0..mcu_rows {
        for (strip, plane) in strips.iter_mut().zip(planes) {
            strip.fill(plane, mcu_row);
        }
        for (row, to) in (0..rows_per_mcu).zip(&mut rows) {
            match strips.as_slice() {
                [light, blue, red] => {
                    for (wider, strip) in chroma.iter_mut().zip([blue, red]) {
                        widen(wider, strip.row(row / luma.vertical), luma.horizontal);
                    }
                    colour(to, light.row(row), &chroma[0], &chroma[1]);
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
    (width, height, rgb)
}

/// The pixels of one component over one row of MCUs.
struct Strip {
    /// Pixels of a block along a side.
    side: usize,
    /// Rows of blocks.
    vertical: usize,
    stride: usize,
    pixels: Vec<u8>,
}

impl Strip {
    fn fill(&mut self, plane: &Plane, mcu_row: usize) {
        let side = self.side;
        let first = mcu_row * self.vertical * plane.columns;
        let blocks = &plane.blocks[first..first + self.vertical * plane.columns];
        for (block_row, pixels) in blocks
            .chunks_exact(plane.columns)
            .zip(self.pixels.chunks_exact_mut(self.stride * side))
        {
            match side {
                1 => {
                    for (block, pixel) in block_row.iter().zip(pixels) {
                        *pixel = level(f32::from(block[0]) / 8.0);
                    }
                }
                2 => {
                    let (upper, lower) = pixels.split_at_mut(self.stride);
                    for ((block, up), low) in block_row
                        .iter()
                        .zip(upper.chunks_exact_mut(2))
                        .zip(lower.chunks_exact_mut(2))
                    {
                        let [a, b, c, d] = [block[0], block[1], block[4], block[5]].map(i32::from);
                        up[0] = rounded_eighth(a + b + c + d);
                        up[1] = rounded_eighth(a - b + c - d);
                        low[0] = rounded_eighth(a + b - c - d);
                        low[1] = rounded_eighth(a - b - c + d);
                    }
                }
                _ => {
                    for (at, blocks) in block_row.chunks(LANES).enumerate() {
                        four_by_four(blocks, &mut pixels[at * LANES * 4..], self.stride);
                    }
                }
            }
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.pixels[row * self.stride..(row + 1) * self.stride]
    }
}

/// Blocks transformed at once, each in a lane of its own: what compilers make vectors of.
const LANES: usize = 8;

/// Up to [`LANES`] blocks to 4×4 pixels each, side by side, in rows of `stride`.
fn four_by_four(blocks: &[Block], pixels: &mut [u8], stride: usize) {
    let mut samples = [[0.0_f32; LANES]; KEPT];
    for (lane, block) in blocks.iter().enumerate().take(LANES) {
        for (sample, coefficient) in samples.iter_mut().zip(block) {
            sample[lane] = f32::from(*coefficient);
        }
    }
    for column in 0..4 {
        four_points(&mut samples, [0, 4, 8, 12].map(|row| row + column));
    }
    for row in [0, 4, 8, 12] {
        four_points(&mut samples, [0, 1, 2, 3].map(|column| row + column));
    }
    let levels = samples.map(|lanes| lanes.map(level));
    for (row, levels) in pixels.chunks_mut(stride).zip(levels.chunks_exact(4)) {
        for (lane, pixels) in row.chunks_exact_mut(4).enumerate().take(blocks.len()) {
            for (pixel, column) in pixels.iter_mut().zip(levels) {
                *pixel = column[lane];
            }
        }
    }
}

/// The inverse transform of four points, in place.
#[inline]
fn four_points(samples: &mut [[f32; LANES]; KEPT], at: [usize; 4]) {
    // √(1/2) · cos(k π / 8) · √(1/2), k = 2, 1, 3.
    const HALF: f32 = 0.353_553_4;
    const LONG: f32 = 0.461_939_76;
    const SHORT: f32 = 0.191_341_71;
    type Lanes = [f32; LANES];
    let [c0, c1, c2, c3] = at.map(|place| samples[place]);
    let even: [Lanes; 2] = [
        from_fn(|lane| (c0[lane] + c2[lane]) * HALF),
        from_fn(|lane| (c0[lane] - c2[lane]) * HALF),
    ];
    let odd: [Lanes; 2] = [
        from_fn(|lane| c1[lane] * LONG + c3[lane] * SHORT),
        from_fn(|lane| c1[lane] * SHORT - c3[lane] * LONG),
    ];
    samples[at[0]] = from_fn(|lane| even[0][lane] + odd[0][lane]);
    samples[at[1]] = from_fn(|lane| even[1][lane] + odd[1][lane]);
    samples[at[2]] = from_fn(|lane| even[1][lane] - odd[1][lane]);
    samples[at[3]] = from_fn(|lane| even[0][lane] - odd[0][lane]);
}

/// A sample about zero as a grey level.
#[inline]
fn level(sample: f32) -> u8 {
    (sample + 128.5).clamp(0.0, 255.0) as i32 as u8
}

#[inline]
fn rounded_eighth(sum: i32) -> u8 {
    (((sum + 4) >> 3) + 128).clamp(0, 255) as u8
}

/// Each value `times` (1 or 2) times.
fn widen(to: &mut [u8], from: &[u8], times: usize) {
    if times == 1 {
        let shared = to.len().min(from.len());
        to[..shared].copy_from_slice(&from[..shared]);
    } else {
        for (pair, value) in to.chunks_mut(2).zip(from) {
            pair.fill(*value);
        }
    }
}

/// YCbCr as JFIF defines it (ITU-T T.871, section 7) to RGB, in 16-bit fractions.
fn colour(to: &mut [u8], luma: &[u8], blue: &[u8], red: &[u8]) {
    for (((pixel, y), cb), cr) in to.chunks_exact_mut(3).zip(luma).zip(blue).zip(red) {
        let y = (i32::from(*y) << 16) + (1 << 15);
        let (cb, cr) = (i32::from(*cb) - 128, i32::from(*cr) - 128);
        let level = |value: i32| (value >> 16).clamp(0, 255) as u8;
        pixel[0] = level(y + 91_881 * cr);
        pixel[1] = level(y - 22_554 * cb - 46_802 * cr);
        pixel[2] = level(y + 116_130 * cb);
    }
}
