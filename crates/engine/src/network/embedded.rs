//! The embedded runtime: [tract](https://docs.rs/tract-onnx), pure Rust, on the calling thread.

mod depthwise;
mod prelu;

use std::sync::{PoisonError, RwLock};

use tract_onnx::{
    prelude::*,
    tract_hir::{infer::Factoid, internal::DimLike},
};

use super::{InputSize, Model, Network};

/// A net, optimised for this machine and each size of its input.
pub(super) struct TractNetwork {
    onnx: &'static [u8],
    size: u32,
    plans: RwLock<Vec<(InputSize, Arc<TypedRunnableModel>)>>,
}

impl TractNetwork {
    /// Reads the file and optimises the net for its largest input.
    pub(super) fn load(model: &Model) -> TractResult<Self> {
        let read = read(model.onnx)?;
        let fact = read.input_fact(0)?;
        let side = fact
            .shape
            .concretize()
            .and_then(|shape| shape.last()?.to_usize().ok())
            .map(u32::try_from)
            .transpose()?
            .or(model.largest)
            .ok_or_else(|| TractError::msg("its input has no fixed size"))?;
        let size = InputSize::square(side);
        let plan = optimised(read, size)?;
        Ok(Self {
            onnx: model.onnx,
            size: side,
            plans: RwLock::new(vec![(size, plan)]),
        })
    }

    /// The net for inputs of this size, optimised when it is the first.
    fn plan(&self, size: InputSize) -> TractResult<Arc<TypedRunnableModel>> {
        let find = |plans: &[(InputSize, Arc<TypedRunnableModel>)]| {
            let found = plans.iter().find(|(known, _)| *known == size);
            found.map(|(_, plan)| Arc::clone(plan))
        };
        if let Some(plan) = find(&self.plans.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(plan);
        }
        // Whoever comes at the same time waits here, and finds it done.
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = find(&plans) {
            return Ok(plan);
        }
        let plan = optimised(read(self.onnx)?, size)?;
        plans.push((size, Arc::clone(&plan)));
        Ok(plan)
    }
}

fn read(onnx: &[u8]) -> TractResult<InferenceModel> {
    let mut reader = tract_onnx::onnx();
    prelu::register(&mut reader);
    reader.model_for_read(&mut std::io::Cursor::new(onnx))
}

fn optimised(model: InferenceModel, size: InputSize) -> TractResult<Arc<TypedRunnableModel>> {
    let mut model = model
        .with_input_fact(0, f32::fact(size.shape()).into())?
        .into_typed()?
        .into_decluttered()?;
    depthwise::rewrite(&mut model)?;
    model.into_optimized()?.into_runnable()
}

impl Network for TractNetwork {
    fn size(&self) -> u32 {
        self.size
    }

    fn run(&self, planes: Vec<f32>, size: InputSize) -> Result<Vec<Vec<f32>>, String> {
        let run = || -> TractResult<Vec<Vec<f32>>> {
            let input: Tensor = tract_ndarray::Array4::from_shape_vec(size.shape(), planes)?.into();
            self.plan(size)?
                .run(tvec!(input.into_tvalue()))?
                .iter()
                .map(|output| {
                    Ok(output
                        .to_plain_array_view::<f32>()?
                        .iter()
                        .copied()
                        .collect())
                })
                .collect()
        };
        run().map_err(|error| format!("{error:#}"))
    }
}
