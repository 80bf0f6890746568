//! Depthwise convolutions in vectors where tract walks them number by number: strides other than
//! one, and maps narrower than its vectors reach.
//!
//! Each channel is copied into planes with its padding, one plane a phase of the stride. In these
//! every tap reads without a stride, over the ends of rows into the next: what is computed there is
//! left out when the output is written.

use tract_onnx::tract_core::{
    internal::*,
    ops::{
        cnn::{Conv, KernelFormat},
        nn::DataFormat,
    },
};

/// Sums that are computed at once: as many as registers hold on every processor.
const LANES: usize = 32;

/// Output columns up to which this is faster than tract at stride one, by measurement: beyond, tract's
/// vectors have room between the padded columns.
const NARROW: usize = 28;

/// Replaces the convolutions for which this is faster.
pub(super) fn rewrite(model: &mut TypedModel) -> TractResult<()> {
    Rewriter::<()>::default()
        .with_rule_for("depthwise", replaced)
        .rewrite(&(), model)
}

fn replaced(
    _context: &(),
    model: &TypedModel,
    node: &TypedNode,
    name: &str,
    conv: &Conv,
) -> TractResult<Option<TypedModelPatch>> {
    let spec = &conv.pool_spec;
    let input = model.outlet_fact(node.inputs[0])?;
    rule_if!(conv.group > 1 && conv.group == spec.input_channels);
    rule_if!(conv.group == spec.output_channels && conv.q_params.is_none());
    rule_if!(conv.kernel_fmt == KernelFormat::OIHW && spec.data_format == DataFormat::NCHW);
    rule_if!(input.datum_type == f32::datum_type());
    rule_if!(spec.dilations().iter().all(|dilation| *dilation == 1));
    rule_if_let!(Some(&[1, channels, rows, columns]) = input.shape.as_concrete());
    rule_if_let!([vertical, horizontal] = &*spec.computed_padding(&[rows, columns]));
    let axis = |axis: usize, length, padding: usize, outputs| Axis {
        length,
        padding,
        kernel: spec.kernel_shape[axis],
        stride: spec.strides()[axis],
        outputs,
    };
    let op = Depthwise {
        channels,
        rows: axis(0, rows, vertical.pad_before, vertical.convoluted),
        columns: axis(1, columns, horizontal.pad_before, horizontal.convoluted),
    };
    rule_if!(op.rows.outputs > 0 && op.columns.outputs > 0);
    rule_if!(op.columns.stride > 1 || op.columns.outputs <= NARROW);
    let mut patch = TypedModelPatch::default();
    let inputs = patch.taps(model, &node.inputs)?;
    let output = patch.wire_node(name, op, &inputs)?;
    patch.shunt_outside(model, node.id.into(), output[0])?;
    Ok(Some(patch))
}

/// One direction of the convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    /// Of the input.
    length: usize,
    /// Zeros before it.
    padding: usize,
    kernel: usize,
    stride: usize,
    outputs: usize,
}

impl Axis {
    /// Length of a phase: what the last output's taps reach.
    fn phase(&self) -> usize {
        self.outputs + (self.kernel - 1) / self.stride
    }
}

/// Inputs: data (1, channels, rows, columns), kernel (channels, 1, taps), bias (channels or one).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Depthwise {
    channels: usize,
    rows: Axis,
    columns: Axis,
}

impl Depthwise {
    fn output_shape(&self) -> [usize; 4] {
        [1, self.channels, self.rows.outputs, self.columns.outputs]
    }

    /// Pixels of a plane.
    fn plane(&self) -> usize {
        self.rows.phase() * self.columns.phase()
    }

    /// Where each tap's first pixel lies in the planes, kernel row by kernel row.
    fn offsets(&self) -> Vec<usize> {
        let (rows, columns) = (self.rows, self.columns);
        (0..rows.kernel)
            .flat_map(|y| (0..columns.kernel).map(move |x| (y, x)))
            .map(|(y, x)| {
                let phase = (y % rows.stride) * columns.stride + x % columns.stride;
                phase * self.plane() + y / rows.stride * columns.phase() + x / columns.stride
            })
            .collect()
    }

    /// Copies a channel into its planes; what is padding there is never written.
    fn spread(&self, channel: &[f32], planes: &mut [f32]) {
        let (rows, columns) = (self.rows, self.columns);
        for (y, row) in (rows.padding..).zip(channel.chunks_exact(columns.length)) {
            if y / rows.stride >= rows.phase() {
                return;
            }
            let start = (y % rows.stride) * columns.stride * self.plane()
                + y / rows.stride * columns.phase();
            let planes = &mut planes[start..];
            let done = if columns.stride == 2 {
                self.spread_pairs(row, planes)
            } else {
                0
            };
            for phase in 0..columns.stride {
                // The first pixel of the row that belongs to this phase.
                let first =
                    (phase + columns.stride - columns.padding % columns.stride) % columns.stride;
                let at = (first + columns.padding) / columns.stride + done;
                let plane = &mut planes[phase * self.plane()..][..columns.phase()];
                let from = row.get(first + done * columns.stride..);
                let Some((to, from)) = plane.get_mut(at..).zip(from) else {
                    continue;
                };
                if columns.stride == 1 {
                    let shared = to.len().min(from.len());
                    to[..shared].copy_from_slice(&from[..shared]);
                } else {
                    for (to, from) in to.iter_mut().zip(from.iter().step_by(columns.stride)) {
                        *to = *from;
                    }
                }
            }
        }
    }

    /// The pixels of a row to the two planes of stride two, pair by pair, which compilers make vectors
    /// of; returns how many pairs fitted both.
    fn spread_pairs(&self, row: &[f32], planes: &mut [f32]) -> usize {
        let (length, padding) = (self.columns.phase(), self.columns.padding);
        let (even, odd) = planes.split_at_mut(self.plane());
        let (first, second) = if padding % 2 == 0 {
            (&mut even[..length], &mut odd[..length])
        } else {
            (&mut odd[..length], &mut even[..length])
        };
        let first = first.get_mut(padding / 2..).unwrap_or_default();
        let second = second.get_mut(padding.div_ceil(2)..).unwrap_or_default();
        let pairs = first.len().min(second.len()).min(row.len() / 2);
        for ((one, other), pair) in first.iter_mut().zip(second).zip(row.chunks_exact(2)) {
            (*one, *other) = (pair[0], pair[1]);
        }
        pairs
    }

    fn convolve(&self, data: &[f32], kernel: &[f32], bias: &[f32], output: &mut [f32]) {
        let pitch = self.columns.phase();
        let reached = (self.rows.outputs - 1) * pitch + self.columns.outputs;
        let phases = self.rows.stride * self.columns.stride;
        // The last sums read beyond what is reached.
        let mut planes = vec![0.0; phases * self.plane() + LANES];
        let mut sums = vec![0.0; reached.next_multiple_of(LANES)];
        let offsets = self.offsets();
        for (number, ((channel, taps), output)) in data
            .chunks_exact(self.rows.length * self.columns.length)
            .zip(kernel.chunks_exact(offsets.len()))
            .zip(output.chunks_exact_mut(self.rows.outputs * self.columns.outputs))
            .enumerate()
        {
            self.spread(channel, &mut planes);
            let bias = bias[number % bias.len()];
            for (at, sums) in (0..).step_by(LANES).zip(sums.chunks_exact_mut(LANES)) {
                let mut sum = [bias; LANES];
                for (tap, offset) in taps.iter().zip(&offsets) {
                    let pixels = &planes[offset + at..][..LANES];
                    for (sum, pixel) in sum.iter_mut().zip(pixels) {
                        *sum += tap * pixel;
                    }
                }
                sums.copy_from_slice(&sum);
            }
            for (row, sums) in output
                .chunks_exact_mut(self.columns.outputs)
                .zip(sums.chunks(pitch))
            {
                row.copy_from_slice(&sums[..self.columns.outputs]);
            }
        }
    }
}

impl Op for Depthwise {
    fn name(&self) -> StaticName {
        "NarrowDepthwise".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Depthwise {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (data, kernel, bias) = args_3!(inputs);
        let mut output = Tensor::zero::<f32>(&self.output_shape())?;
        let (data, kernel, bias) = (
            data.try_as_plain_ram()?,
            kernel.try_as_plain_ram()?,
            bias.try_as_plain_ram()?,
        );
        self.convolve(
            data.as_slice()?,
            kernel.as_slice()?,
            bias.as_slice()?,
            output.try_as_plain_ram_mut()?.as_slice_mut()?,
        );
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Depthwise {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let [_, kernel, bias] = inputs else {
            bail!("a depthwise convolution has three inputs")
        };
        let taps = self.channels * self.rows.kernel * self.columns.kernel;
        ensure!(kernel.shape.volume() == taps.to_dim());
        ensure!(bias.shape.volume().is_one() || bias.shape.volume() == self.channels.to_dim());
        Ok(tvec!(f32::fact(self.output_shape())))
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use tract_onnx::tract_core::ops::cnn::{PaddingSpec, PoolSpec};

    use super::*;

    /// Numbers between -1 and 1 that repeat nowhere.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|at| (at as f32 * 0.7).sin()).collect()
    }

    fn model(size: [usize; 2], kernel: usize, stride: usize, padding: PaddingSpec) -> TypedModel {
        const CHANNELS: usize = 3;
        let mut model = TypedModel::default();
        let data = model
            .add_source("data", f32::fact([1, CHANNELS, size[0], size[1]]))
            .expect("a source");
        let taps = numbers(CHANNELS * kernel * kernel);
        let taps = Tensor::from_shape(&[CHANNELS, 1, kernel, kernel], &taps).expect("a kernel");
        let taps = model.add_const("taps", taps).expect("a constant");
        let bias = model
            .add_const("bias", tensor1(&[0.5_f32, -0.25, 2.0]))
            .expect("a constant");
        let conv = Conv {
            pool_spec: PoolSpec {
                data_format: DataFormat::NCHW,
                kernel_shape: tvec!(kernel, kernel),
                padding,
                dilations: None,
                strides: Some(tvec!(stride, stride)),
                input_channels: CHANNELS,
                output_channels: CHANNELS,
            },
            kernel_fmt: KernelFormat::OIHW,
            group: CHANNELS,
            q_params: None,
        };
        let output = model.wire_node("conv", conv, &[data, taps, bias]);
        model
            .select_output_outlets(&output.expect("a convolution"))
            .expect("an output");
        model
    }

    #[test]
    fn the_answer_is_that_of_the_runtime() {
        for size in [
            [3, 3],
            [5, 7],
            [7, 7],
            [10, 10],
            [14, 9],
            [24, 25],
            [40, 40],
        ] {
            for (kernel, padding) in [
                (1, PaddingSpec::Valid),
                (3, PaddingSpec::Explicit(tvec!(1, 1), tvec!(1, 1))),
                (3, PaddingSpec::SameUpper),
                (5, PaddingSpec::Explicit(tvec!(2, 2), tvec!(2, 2))),
                (5, PaddingSpec::Explicit(tvec!(1, 2), tvec!(2, 3))),
            ] {
                for stride in [1, 2, 3] {
                    let case = format!("{size:?}, kernel {kernel}, stride {stride}, {padding:?}");
                    let own = model(size, kernel, stride, padding.clone());
                    let mut rewritten = own.clone();
                    rewrite(&mut rewritten).expect("a rewritten model");
                    let replaced = rewritten.nodes.iter().any(TypedNode::op_is::<Depthwise>);
                    let wide = stride == 1 && size[1] > NARROW;
                    assert_eq!(replaced, !wide, "{case}");
                    let data = numbers(3 * size[0] * size[1]);
                    let [own, rewritten] = [own, rewritten].map(|model| {
                        let data = Tensor::from_shape(&[1, 3, size[0], size[1]], &data);
                        let plan = model.into_optimized().and_then(TypedModel::into_runnable);
                        let run = plan.and_then(|plan| plan.run(tvec!(data?.into_tvalue())));
                        run.expect("an answer").remove(0)
                    });
                    own.close_enough(&rewritten, Approximation::Close)
                        .unwrap_or_else(|error| panic!("{case}: {error}"));
                }
            }
        }
    }
}
