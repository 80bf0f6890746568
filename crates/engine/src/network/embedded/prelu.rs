//! `PRelu` in one pass over the data: tract makes it of a product, a comparison and a choice, each
//! with a tensor of its own.

use tract_onnx::{Onnx, tract_hir::internal::*};

/// Lets the reader of ONNX files make this of every `PRelu`.
pub(super) fn register(onnx: &mut Onnx) {
    onnx.op_register
        .insert("PRelu", |_, _| Ok((expand(FromFile), vec![])));
}

/// The node as it is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FromFile;

impl Expansion for FromFile {
    fn name(&self) -> StaticName {
        "PRelu".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        if inputs.len() != 2 || outputs.len() != 1 {
            bail!("PRelu has two inputs and one output")
        }
        solver.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)
    }

    fn wire(
        &self,
        name: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(name, Prelu, inputs)
    }
}

/// Inputs: data (1, channels, …), slopes of the negative part (channels or one).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Prelu;

impl Op for Prelu {
    fn name(&self) -> StaticName {
        "ChannelPrelu".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Prelu {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (data, slopes) = args_2!(inputs);
        // In place, when nobody else needs the data.
        let mut data = data.into_tensor();
        let channels = data.shape()[1];
        let slopes = slopes.try_as_plain_ram()?;
        let slopes = slopes.as_slice::<f32>()?;
        let mut values = data.try_as_plain_ram_mut()?;
        let values = values.as_slice_mut::<f32>()?;
        let length = (values.len() / channels.max(1)).max(1);
        for (number, channel) in values.chunks_exact_mut(length).enumerate() {
            let slope = slopes[number % slopes.len()];
            for value in channel {
                *value = value.max(0.0) + slope * value.min(0.0);
            }
        }
        Ok(tvec!(data.into_tvalue()))
    }
}

impl TypedOp for Prelu {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let [data, slopes] = inputs else {
            bail!("PRelu has two inputs")
        };
        ensure!(data.datum_type == f32::datum_type() && data.rank() >= 2);
        ensure!(data.shape[0].is_one(), "PRelu is made for batches of one");
        ensure!(slopes.shape.volume().is_one() || slopes.shape.volume() == data.shape[1]);
        Ok(tvec!(data.without_value()))
    }

    as_op!();
}
