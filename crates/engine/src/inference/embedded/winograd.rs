//! Convolutions of 3×3 taps without stride, with a quarter of the multiplications: F(4×4, 3×3) of Lavin and
//! Gray 2016 (<https://arxiv.org/abs/1509.09308>).
//!
//! A tile of 4×4 output pixels is worked out of 6×6 inputs. Both are written in another basis, in which every
//! number of the tile is the product of one number of the input and one of the weights: 36 products where
//! the taps take 144. The sums over the channels stay, as 36 multiplications of matrices.

use std::array::from_fn;

use pulp::{Simd, WithSimd};

use super::{
    kernels::{Activation, Dense, Finish, Places},
    window::Window,
};

/// Inputs of a tile along a side, and what it becomes in the other basis.
const INPUTS: usize = 6;

/// Outputs of a tile along a side.
const OUTPUTS: usize = 4;

/// Numbers of a tile in the other basis.
pub(super) const BASIS: usize = INPUTS * INPUTS;

/// Tiles that are worked on together, so that the matrices of one batch stay in the cache.
const BATCH: usize = 24;

/// Convolutions of more channels are left to the taps: their weights, four times as many in the other basis,
/// would have to come from the memory for few tiles.
const MOST_CHANNELS: usize = 96;

/// Fewer channels would not fill a vector.
const LEAST_CHANNELS: usize = 16;

/// Whether a convolution is worked out in this way.
pub(super) fn suits(window: &Window, inside: usize, outside: usize) -> bool {
    let channels = LEAST_CHANNELS..=MOST_CHANNELS;
    *window == Window::AROUND && channels.contains(&inside) && channels.contains(&outside)
}

/// The weights (outside, inside, 3×3) in the other basis: 36 matrices (outside, inside), one after the other.
pub(super) fn weights(taps: &[f32]) -> Vec<f32> {
    let pairs: Vec<[f32; BASIS]> = taps.as_chunks::<9>().0.iter().map(in_basis).collect();
    (0..BASIS)
        .flat_map(|at| pairs.iter().map(move |pair| pair[at]))
        .collect()
}

/// Nine taps in the other basis, column by column and then row by row.
fn in_basis(taps: &[f32; 9]) -> [f32; BASIS] {
    let six = |[a, b, c]: [f64; 3]| {
        [
            a / 4.0,
            -(a + b + c) / 6.0,
            (b - a - c) / 6.0,
            (a + 2.0 * b + 4.0 * c) / 24.0,
            (a - 2.0 * b + 4.0 * c) / 24.0,
            c,
        ]
    };
    let columns: [[f64; INPUTS]; 3] = from_fn(|x| six(from_fn(|y| f64::from(taps[3 * y + x]))));
    let rows: [[f64; INPUTS]; INPUTS] = from_fn(|y| six(from_fn(|x| columns[x][y])));
    from_fn(|at| rows[at / INPUTS][at % INPUTS] as f32)
}

/// Where the tiles of a map lie.
#[derive(Debug)]
pub(super) struct Tiles {
    /// Of each tile the places of its inputs; where the map and the zeros around it have ended, the first of
    /// these zeros.
    inputs: Vec<[usize; BASIS]>,
    /// Of each tile its output pixels by their numbers, where the map has them.
    outputs: Vec<[Option<usize>; OUTPUTS * OUTPUTS]>,
    /// Numbers of an input and of an output pixel.
    pitches: [usize; 2],
    /// For a whole batch and for the last one: the multiplication of one of the 36 matrices.
    products: [Places; 2],
}

impl Tiles {
    /// Of an output of `rows` by `columns` pixels; `at` says where the input pixel lies that is so many rows and
    /// columns from the first zero around the map.
    pub(super) fn new(
        [rows, columns]: [usize; 2],
        channels: usize,
        pitches: [usize; 2],
        at: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let corners: Vec<[usize; 2]> = (0..rows)
            .step_by(OUTPUTS)
            .flat_map(|row| {
                (0..columns)
                    .step_by(OUTPUTS)
                    .map(move |column| [row, column])
            })
            .collect();
        let place = |[row, column]: [usize; 2], number: usize| {
            let (row, column) = (row + number / INPUTS, column + number % INPUTS);
            // One row and column of zeros on each side.
            if row < rows + 2 && column < columns + 2 {
                at(row, column)
            } else {
                0
            }
        };
        let pixel = |[row, column]: [usize; 2], number: usize| {
            let (row, column) = (row + number / OUTPUTS, column + number % OUTPUTS);
            (row < rows && column < columns).then_some(row * columns + column)
        };
        let products = |tiles: usize| Places {
            inputs: (0..tiles).map(|tile| tile * BASIS * pitches[0]).collect(),
            runs: vec![0],
            length: channels,
            outputs: (0..tiles).map(|tile| tile * BASIS * pitches[1]).collect(),
            added: Vec::new(),
        };
        Self {
            inputs: corners
                .iter()
                .map(|corner| from_fn(|number| place(*corner, number)))
                .collect(),
            outputs: corners
                .iter()
                .map(|corner| from_fn(|number| pixel(*corner, number)))
                .collect(),
            pitches,
            products: [products(BATCH), products(corners.len() % BATCH)],
        }
    }

    /// Numbers that inputs and outputs of a batch take in the other basis.
    pub(super) fn scratch(&self) -> [usize; 2] {
        self.pitches.map(|pitch| BASIS * BATCH * pitch)
    }
}

/// A convolution of 3×3 taps.
pub(super) struct Winograd<'a> {
    /// 36 matrices in the other basis, each packed as [`Dense`] wants it.
    pub(super) weights: &'a [f32],
    pub(super) finish: Finish<'a>,
    pub(super) tiles: &'a Tiles,
    pub(super) input: &'a [f32],
    pub(super) output: &'a mut [f32],
    /// Room for a batch in the other basis: inputs and outputs.
    pub(super) scratch: [&'a mut [f32]; 2],
}

impl Winograd<'_> {
    /// The inputs of some tiles in the other basis.
    #[inline(always)]
    fn spread<S: Simd>(&mut self, simd: S, first: usize, count: usize) {
        let pitch = self.tiles.pitches[0];
        let tiles = self.scratch[0].chunks_exact_mut(BASIS * pitch);
        for (places, tile) in self.tiles.inputs[first..first + count].iter().zip(tiles) {
            for channel in (0..pitch).step_by(S::F32_LANES) {
                for x in 0..INPUTS {
                    let load = |y| load::<S>(self.input, places[y * INPUTS + x] + channel);
                    let column = [load(0), load(1), load(2), load(3), load(4), load(5)];
                    let column = spread(simd, column);
                    for (y, number) in column.into_iter().enumerate() {
                        store::<S>(tile, (y * INPUTS + x) * pitch + channel, number);
                    }
                }
                for y in 0..INPUTS {
                    let at = y * INPUTS * pitch + channel;
                    let row = spread(simd, six::<S>(tile, at, pitch));
                    for (x, number) in row.into_iter().enumerate() {
                        store::<S>(tile, at + x * pitch, number);
                    }
                }
            }
        }
    }

    /// Multiplies the 36 matrices.
    #[inline(always)]
    fn multiply<S: Simd>(&mut self, simd: S, count: usize) {
        let [inputs, outputs] = self.tiles.pitches;
        let places = &self.tiles.products[usize::from(count < BATCH)];
        let [from, to] = &mut self.scratch;
        let weights = self.weights.chunks_exact(self.weights.len() / BASIS);
        for (number, weights) in weights.enumerate() {
            let product = Dense {
                weights,
                finish: Finish {
                    bias: &NOTHING[..outputs],
                    activation: &Activation::None,
                    added: None,
                    places,
                },
                input: &from[number * inputs..],
                output: &mut to[number * outputs..],
            };
            product.with_simd(simd);
        }
    }

    /// The outputs of some tiles from the other basis, and what follows.
    #[inline(always)]
    fn gather<S: Simd>(&mut self, simd: S, first: usize, count: usize) {
        let pitch = self.tiles.pitches[1];
        let finish = self.finish;
        let tiles = self.scratch[1].chunks_exact_mut(BASIS * pitch);
        for (pixels, tile) in self.tiles.outputs[first..first + count].iter().zip(tiles) {
            for channel in (0..pitch).step_by(S::F32_LANES) {
                for x in 0..INPUTS {
                    let at = x * pitch + channel;
                    let column = gather(simd, six::<S>(tile, at, INPUTS * pitch));
                    for (y, number) in column.into_iter().enumerate() {
                        store::<S>(tile, at + y * INPUTS * pitch, number);
                    }
                }
                let bias = load::<S>(finish.bias, channel);
                for y in 0..OUTPUTS {
                    let at = y * INPUTS * pitch + channel;
                    let row = gather(simd, six::<S>(tile, at, pitch));
                    for x in 0..OUTPUTS {
                        if let Some(pixel) = pixels[y * OUTPUTS + x] {
                            let to = finish.places.outputs[pixel] + channel;
                            store::<S>(self.output, to, simd.add_f32s(row[x], bias));
                            finish.apply::<S, 1>(simd, pixel, channel, self.output);
                        }
                    }
                }
            }
        }
    }
}

impl WithSimd for Winograd<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let tiles = self.tiles.inputs.len();
        for first in (0..tiles).step_by(BATCH) {
            let count = BATCH.min(tiles - first);
            self.spread(simd, first, count);
            self.multiply(simd, count);
            self.gather(simd, first, count);
        }
    }
}

/// What products start from.
static NOTHING: [f32; MOST_CHANNELS] = [0.0; MOST_CHANNELS];

#[inline(always)]
fn load<S: Simd>(numbers: &[f32], at: usize) -> S::f32s {
    S::as_simd_f32s(&numbers[at..at + S::F32_LANES]).0[0]
}

#[inline(always)]
fn store<S: Simd>(numbers: &mut [f32], at: usize, vector: S::f32s) {
    S::as_mut_simd_f32s(&mut numbers[at..at + S::F32_LANES]).0[0] = vector;
}

/// Six vectors, each so many numbers after the one before.
#[inline(always)]
fn six<S: Simd>(numbers: &[f32], at: usize, step: usize) -> [S::f32s; INPUTS] {
    [
        load::<S>(numbers, at),
        load::<S>(numbers, at + step),
        load::<S>(numbers, at + 2 * step),
        load::<S>(numbers, at + 3 * step),
        load::<S>(numbers, at + 4 * step),
        load::<S>(numbers, at + 5 * step),
    ]
}

/// Six inputs of a row or column in the other basis.
#[inline(always)]
fn spread<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; INPUTS]) -> [S::f32s; INPUTS] {
    let (two, four, less_four, less_five) = (
        simd.splat_f32s(2.0),
        simd.splat_f32s(4.0),
        simd.splat_f32s(-4.0),
        simd.splat_f32s(-5.0),
    );
    let (even, odd) = (
        simd.mul_add_e_f32s(less_four, c, e),
        simd.mul_add_e_f32s(less_four, b, d),
    );
    let (near, far) = (simd.sub_f32s(e, c), simd.mul_f32s(two, simd.sub_f32s(d, b)));
    [
        simd.mul_add_e_f32s(four, a, simd.mul_add_e_f32s(less_five, c, e)),
        simd.add_f32s(even, odd),
        simd.sub_f32s(even, odd),
        simd.add_f32s(near, far),
        simd.sub_f32s(near, far),
        simd.mul_add_e_f32s(four, b, simd.mul_add_e_f32s(less_five, d, f)),
    ]
}

/// Four outputs of a row or column from the other basis.
#[inline(always)]
fn gather<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; INPUTS]) -> [S::f32s; OUTPUTS] {
    let (two, four, eight) = (
        simd.splat_f32s(2.0),
        simd.splat_f32s(4.0),
        simd.splat_f32s(8.0),
    );
    let (near, near_apart) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    let (far, far_apart) = (simd.add_f32s(d, e), simd.sub_f32s(d, e));
    [
        simd.add_f32s(simd.add_f32s(a, near), far),
        simd.mul_add_e_f32s(two, far_apart, near_apart),
        simd.mul_add_e_f32s(four, far, near),
        simd.add_f32s(simd.mul_add_e_f32s(eight, far_apart, near_apart), f),
    ]
}
