//! The inner loops of convolutions, in vectors of whatever width the processor has.
//!
//! Maps lie row by row, pixel by pixel, channel by channel ("NHWC"), with the channels rounded up to
//! [`GROUP`]: one vector holds neighbouring channels of one pixel, so that strides, borders and maps of odd
//! widths cost nothing. A dense convolution multiplies a few pixels by a few vectors of weights at a time,
//! with all sums in registers (Goto and van de Geijn 2008, <https://doi.org/10.1145/1356052.1356053>); what a
//! pixel's taps read is found through a list of offsets, so no patch is ever copied (Dukhan 2019,
//! <https://arxiv.org/abs/1907.02129>).

use pulp::{Simd, WithSimd};

/// Channels are rounded up to a multiple of this: the widest vector of all processors, in numbers.
pub(super) const GROUP: usize = 16;

/// Output channels whose weights lie together.
pub(super) const BLOCK: usize = 3 * GROUP;

/// A loop of at most eight rounds, written out, so that sums that it reads can stay in registers.
macro_rules! unrolled {
    ($index:ident < $count:expr, $body:expr) => {
        unrolled!(@ $index, $count, $body, 0 1 2 3 4 5 6 7)
    };
    (@ $index:ident, $count:expr, $body:expr, $($number:literal)*) => {
        $(if $number < $count {
            let $index = $number;
            $body;
        })*
    };
}

/// What becomes of a sum.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Activation {
    None,
    /// Held between the two.
    Clamp(f32, f32),
    /// Negative numbers times their channel's slope.
    Slopes(Vec<f32>),
}

/// Where a convolution reads and writes, in numbers from the start of the maps.
#[derive(Debug)]
pub(super) struct Places {
    /// First tap of each output pixel.
    pub(super) inputs: Vec<usize>,
    /// From the first tap to each run of taps that lie together.
    pub(super) runs: Vec<usize>,
    /// Numbers of a run.
    pub(super) length: usize,
    /// Each output pixel.
    pub(super) outputs: Vec<usize>,
    /// The same pixel of the map that is added, if any.
    pub(super) added: Vec<usize>,
}

impl Places {
    /// The `M` output pixels from `first` on. The last ones come twice where they fill no tile of their own.
    #[inline(always)]
    fn tile<const M: usize>(&self, first: usize) -> [usize; M] {
        let last = self.inputs.len() - 1;
        let first = first.min(self.inputs.len().saturating_sub(M));
        let mut pixels = [0; M];
        for (m, pixel) in pixels.iter_mut().enumerate() {
            *pixel = (first + m).min(last);
        }
        pixels
    }
}

/// What is done with the sums of one pixel, from one channel on, and where they go.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// One a padded output channel.
    pub(super) bias: &'a [f32],
    pub(super) activation: &'a Activation,
    /// A map of the output's size that is added before the activation.
    pub(super) added: Option<&'a [f32]>,
    pub(super) places: &'a Places,
}

impl Finish<'_> {
    /// Adds what else there is to the sums of `N` vectors that lie in the output, and applies the activation.
    #[inline(always)]
    pub(super) fn apply<S: Simd, const N: usize>(
        &self,
        simd: S,
        pixel: usize,
        channel: usize,
        output: &mut [f32],
    ) {
        let width = N * S::F32_LANES;
        let to = self.places.outputs[pixel] + channel;
        let sums = S::as_mut_simd_f32s(&mut output[to..to + width]).0;
        if let Some(map) = self.added {
            let at = self.places.added[pixel] + channel;
            let added = S::as_simd_f32s(&map[at..at + width]).0;
            for (sum, added) in sums.iter_mut().zip(added) {
                *sum = simd.add_f32s(*sum, *added);
            }
        }
        match self.activation {
            Activation::None => {}
            Activation::Clamp(low, high) => {
                let (low, high) = (simd.splat_f32s(*low), simd.splat_f32s(*high));
                for sum in sums {
                    *sum = simd.min_f32s(simd.max_f32s(*sum, low), high);
                }
            }
            Activation::Slopes(slopes) => {
                let slopes = S::as_simd_f32s(&slopes[channel..channel + width]).0;
                let zero = simd.splat_f32s(0.0);
                for (sum, slope) in sums.iter_mut().zip(slopes) {
                    let (positive, negative) =
                        (simd.max_f32s(*sum, zero), simd.min_f32s(*sum, zero));
                    *sum = simd.mul_add_e_f32s(*slope, negative, positive);
                }
            }
        }
    }

    /// Writes the sums of a tile and applies what follows them.
    #[inline(always)]
    fn write<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        pixels: [usize; M],
        sums: [[S::f32s; N]; M],
        channel: usize,
        output: &mut [f32],
    ) {
        unrolled!(m < M, {
            let to = self.places.outputs[pixels[m]] + channel;
            let to = S::as_mut_simd_f32s(&mut output[to..to + N * S::F32_LANES]).0;
            unrolled!(n < N, to[n] = sums[m][n]);
        });
        for pixel in pixels {
            self.apply::<S, N>(simd, pixel, channel, output);
        }
    }

    /// Where the sums of `N` vectors begin.
    #[inline(always)]
    fn start<S: Simd, const N: usize>(&self, simd: S, channel: usize) -> [S::f32s; N] {
        let bias = S::as_simd_f32s(&self.bias[channel..channel + N * S::F32_LANES]).0;
        let mut sums = [simd.splat_f32s(0.0); N];
        sums[..N].copy_from_slice(&bias[..N]);
        sums
    }
}

/// A convolution over all channels.
pub(super) struct Dense<'a> {
    /// Blocks of at most [`BLOCK`] output channels; in each, row by row of inputs, the weights of its channels.
    pub(super) weights: &'a [f32],
    pub(super) finish: Finish<'a>,
    pub(super) input: &'a [f32],
    pub(super) output: &'a mut [f32],
}

impl Dense<'_> {
    /// All pixels, `M` at a time, for `N` vectors of output channels from `channel` on. `weights` are those of
    /// the channels' block, of `pitch` a row, in which they begin at `at`.
    #[inline(always)]
    fn pixels<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        weights: &[f32],
        pitch: usize,
        at: usize,
        channel: usize,
    ) {
        let finish = self.finish;
        let places = finish.places;
        for first in (0..places.inputs.len()).step_by(M) {
            let pixels = places.tile::<M>(first);
            let mut sums = [finish.start::<S, N>(simd, channel); M];
            let mut rows = weights.chunks_exact(pitch);
            for run in &places.runs {
                let mut taps = [&self.input[..0]; M];
                for m in 0..M {
                    taps[m] = &self.input[places.inputs[pixels[m]] + run..][..places.length];
                }
                for (k, row) in rows.by_ref().take(places.length).enumerate() {
                    let row = S::as_simd_f32s(&row[at..at + N * S::F32_LANES]).0;
                    let mut weight = [simd.splat_f32s(0.0); N];
                    weight[..N].copy_from_slice(&row[..N]);
                    for m in 0..M {
                        let pixel = simd.splat_f32s(taps[m][k]);
                        for n in 0..N {
                            sums[m][n] = simd.mul_add_e_f32s(pixel, weight[n], sums[m][n]);
                        }
                    }
                }
            }
            finish.write::<S, M, N>(simd, pixels, sums, channel, self.output);
        }
    }

    #[inline(always)]
    fn vectors<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        weights: &[f32],
        pitch: usize,
        at: usize,
        channel: usize,
    ) {
        match (self.finish.places.inputs.len(), S::REGISTER_COUNT) {
            (1, _) => self.pixels::<S, 1, N>(simd, weights, pitch, at, channel),
            (_, 32..) => self.pixels::<S, 8, N>(simd, weights, pitch, at, channel),
            _ => self.pixels::<S, 4, N>(simd, weights, pitch, at, channel),
        }
    }
}

impl WithSimd for Dense<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Finish { bias, places, .. } = self.finish;
        let rows = places.runs.len() * places.length;
        let mut weights = self.weights;
        let mut channel = 0;
        while channel < bias.len() {
            let pitch = BLOCK.min(bias.len() - channel);
            let (block, rest) = weights.split_at(rows * pitch);
            let mut at = 0;
            while at < pitch {
                match (pitch - at) / S::F32_LANES {
                    3.. => {
                        self.vectors::<S, 3>(simd, block, pitch, at, channel + at);
                        at += 3 * S::F32_LANES;
                    }
                    2 => {
                        self.vectors::<S, 2>(simd, block, pitch, at, channel + at);
                        at += 2 * S::F32_LANES;
                    }
                    _ => {
                        self.vectors::<S, 1>(simd, block, pitch, at, channel + at);
                        at += S::F32_LANES;
                    }
                }
            }
            weights = rest;
            channel += pitch;
        }
    }
}

/// A convolution of each channel by itself.
pub(super) struct Depthwise<'a> {
    /// Tap by tap, one a padded channel.
    pub(super) weights: &'a [f32],
    pub(super) finish: Finish<'a>,
    pub(super) input: &'a [f32],
    pub(super) output: &'a mut [f32],
}

impl Depthwise<'_> {
    #[inline(always)]
    fn pixels<S: Simd, const M: usize, const N: usize>(&mut self, simd: S, channel: usize) {
        let finish = self.finish;
        let places = finish.places;
        let width = N * S::F32_LANES;
        for first in (0..places.inputs.len()).step_by(M) {
            let pixels = places.tile::<M>(first);
            let mut bases = [0; M];
            for m in 0..M {
                bases[m] = places.inputs[pixels[m]] + channel;
            }
            let mut sums = [finish.start::<S, N>(simd, channel); M];
            for (run, weights) in places
                .runs
                .iter()
                .zip(self.weights.chunks_exact(finish.bias.len()))
            {
                let weight = S::as_simd_f32s(&weights[channel..channel + width]).0;
                for m in 0..M {
                    let at = bases[m] + run;
                    let tap = S::as_simd_f32s(&self.input[at..at + width]).0;
                    for n in 0..N {
                        sums[m][n] = simd.mul_add_e_f32s(tap[n], weight[n], sums[m][n]);
                    }
                }
            }
            finish.write::<S, M, N>(simd, pixels, sums, channel, self.output);
        }
    }
}

impl WithSimd for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let channels = self.finish.bias.len();
        let mut channel = 0;
        while channel < channels {
            if (channels - channel) / S::F32_LANES >= 2 {
                if self.finish.places.inputs.len() == 1 {
                    self.pixels::<S, 1, 2>(simd, channel);
                } else {
                    self.pixels::<S, 4, 2>(simd, channel);
                }
                channel += 2 * S::F32_LANES;
            } else {
                self.pixels::<S, 4, 1>(simd, channel);
                channel += S::F32_LANES;
            }
        }
    }
}
