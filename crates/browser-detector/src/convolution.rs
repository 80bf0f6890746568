//! Convolutions over maps that carry a border of zeros, channels last.

use crate::layers::Layer;

/// Output channels that are computed together: two vectors of four floats.
const LANES: usize = 8;
/// Neighbouring output pixels that share each weight that is loaded.
const PIXELS: usize = 4;

/// A feature map, channels last, with a border of one zero pixel on every side.
pub(crate) struct Map {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) channels: usize,
    values: Vec<f32>,
}

impl Map {
    pub(crate) fn zeros(width: usize, height: usize, channels: usize) -> Self {
        Self {
            width,
            height,
            channels,
            values: vec![0.0; (width + 2) * (height + 2) * channels],
        }
    }

    /// Where a pixel starts; -1 and `width`, `height` are the border.
    fn at(&self, x: usize, y: usize) -> usize {
        ((y + 1) * (self.width + 2) + x + 1) * self.channels
    }

    pub(crate) fn pixel(&self, x: usize, y: usize) -> &[f32] {
        let at = self.at(x, y);
        &self.values[at..at + self.channels]
    }

    pub(crate) fn pixel_mut(&mut self, x: usize, y: usize) -> &mut [f32] {
        let at = self.at(x, y);
        &mut self.values[at..at + self.channels]
    }

    /// Adds a map of half the size, each of its pixels four times.
    pub(crate) fn add_enlarged(&mut self, small: &Self) {
        for y in 0..self.height {
            for x in 0..self.width {
                let from = small.pixel(x / 2, y / 2);
                for (to, from) in self.pixel_mut(x, y).iter_mut().zip(from) {
                    *to += from;
                }
            }
        }
    }
}

/// What follows the sum.
#[derive(Clone, Copy)]
pub(crate) enum Then<'a> {
    /// Nothing.
    Linear,
    /// Negative values become zero.
    Relu,
    /// Another map of the same shape is added, then negative values become zero.
    AddRelu(&'a Map),
}

/// The weights of one layer, ordered as the inner loop reads them.
pub(crate) struct Convolution {
    inputs: usize,
    outputs: usize,
    kernel: usize,
    /// By block of [`LANES`] outputs: kernel row, kernel column, input, output.
    weights: Vec<[f32; LANES]>,
    biases: Vec<[f32; LANES]>,
}

impl Convolution {
    /// Takes the layer's part of the packed weights, and leaves the rest.
    pub(crate) fn unpack(layer: &Layer, packed: &mut &[u8]) -> Self {
        let Layer {
            outputs,
            inputs,
            kernel,
            ..
        } = *layer;
        let scales = floats(packed, outputs);
        let bias = floats(packed, outputs);
        let taps = kernel * kernel;
        let (bytes, rest) = packed.split_at(outputs * inputs * taps);
        *packed = rest;
        let blocks = outputs.div_ceil(LANES);
        let mut weights = vec![[0.0; LANES]; blocks * taps * inputs];
        let mut biases = vec![[0.0; LANES]; blocks];
        for output in 0..outputs {
            let (block, lane) = (output / LANES, output % LANES);
            biases[block][lane] = bias[output];
            for input in 0..inputs {
                for tap in 0..taps {
                    let byte = bytes[(output * inputs + input) * taps + tap];
                    weights[(block * taps + tap) * inputs + input][lane] =
                        f32::from(byte.cast_signed()) * scales[output];
                }
            }
        }
        Self {
            inputs,
            outputs,
            kernel,
            weights,
            biases,
        }
    }

    /// Runs over a map; with `stride` 2 the result has half its sides.
    pub(crate) fn run(&self, input: &Map, stride: usize, then: Then<'_>) -> Map {
        let (width, height) = (input.width.div_ceil(stride), input.height.div_ceil(stride));
        let mut output = Map::zeros(width, height, self.outputs);
        let per_block = self.kernel * self.kernel * self.inputs;
        let blocks = self.weights.chunks_exact(per_block).zip(&self.biases);
        for (block, (weights, bias)) in blocks.enumerate() {
            for y in 0..height {
                let mut x = 0;
                while x < width {
                    // The last ones are computed twice where they do not fill a group.
                    if width >= PIXELS {
                        x = x.min(width - PIXELS);
                        let sums = self.sums::<PIXELS>(
                            input,
                            x * stride,
                            y * stride,
                            stride,
                            weights,
                            *bias,
                        );
                        store(&mut output, x, y, block, &sums, then);
                        x += PIXELS;
                    } else {
                        let sums =
                            self.sums::<1>(input, x * stride, y * stride, stride, weights, *bias);
                        store(&mut output, x, y, block, &sums, then);
                        x += 1;
                    }
                }
            }
        }
        output
    }

    /// One block of outputs at `N` neighbouring pixels.
    #[inline(always)]
    fn sums<const N: usize>(
        &self,
        input: &Map,
        x: usize,
        y: usize,
        stride: usize,
        weights: &[[f32; LANES]],
        bias: [f32; LANES],
    ) -> [[f32; LANES]; N] {
        let mut sums = [bias; N];
        let span = self.kernel * self.inputs;
        let reach = self.kernel / 2;
        let row = (input.width + 2) * input.channels;
        let start = input.at(x, y) - reach * (row + input.channels);
        for (tap, weights) in weights.chunks_exact(span).enumerate() {
            let from = start + tap * row;
            let pixels: [&[f32]; N] = std::array::from_fn(|pixel| {
                let at = from + pixel * stride * input.channels;
                &input.values[at..at + span]
            });
            for (at, weight) in weights.iter().enumerate() {
                for (sum, values) in sums.iter_mut().zip(&pixels) {
                    let value = values[at];
                    for (sum, weight) in sum.iter_mut().zip(weight) {
                        *sum += value * weight;
                    }
                }
            }
        }
        sums
    }
}

fn store<const N: usize>(
    output: &mut Map,
    x: usize,
    y: usize,
    block: usize,
    sums: &[[f32; LANES]; N],
    then: Then<'_>,
) {
    let first = block * LANES;
    for (pixel, sum) in sums.iter().enumerate() {
        let to = &mut output.pixel_mut(x + pixel, y)[first..];
        match then {
            Then::Linear => {
                for (to, sum) in to.iter_mut().zip(sum) {
                    *to = *sum;
                }
            }
            Then::Relu => {
                for (to, sum) in to.iter_mut().zip(sum) {
                    *to = sum.max(0.0);
                }
            }
            Then::AddRelu(map) => {
                let other = &map.pixel(x + pixel, y)[first..];
                for ((to, sum), other) in to.iter_mut().zip(sum).zip(other) {
                    *to = (sum + other).max(0.0);
                }
            }
        }
    }
}

fn floats(packed: &mut &[u8], count: usize) -> Vec<f32> {
    let (bytes, rest) = packed.split_at(4 * count);
    *packed = rest;
    bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect()
}
