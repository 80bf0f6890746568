//! The embedded runtime: [tract](https://docs.rs/tract-onnx), pure Rust, on the calling thread.

mod depthwise;
mod prelu;

use tract_onnx::{
    prelude::*,
    tract_hir::{infer::Factoid, internal::DimLike},
};

use super::Network;

/// A net, optimised for this machine once when it was loaded.
pub(super) struct TractNetwork {
    plan: Arc<TypedRunnableModel>,
    size: u32,
}

impl TractNetwork {
    pub(super) fn load(onnx: &[u8]) -> TractResult<Self> {
        let mut reader = tract_onnx::onnx();
        prelu::register(&mut reader);
        let model = reader.model_for_read(&mut std::io::Cursor::new(onnx))?;
        let fact = model.input_fact(0)?;
        let side = fact
            .shape
            .concretize()
            .and_then(|shape| shape.last()?.to_usize().ok())
            .ok_or_else(|| TractError::msg("its input has no fixed size"))?;
        let mut model = model
            .with_input_fact(0, f32::fact([1, 3, side, side]).into())?
            .into_typed()?
            .into_decluttered()?;
        depthwise::rewrite(&mut model)?;
        Ok(Self {
            plan: model.into_optimized()?.into_runnable()?,
            size: u32::try_from(side)?,
        })
    }
}

impl Network for TractNetwork {
    fn size(&self) -> u32 {
        self.size
    }

    fn run(&self, planes: Vec<f32>) -> Result<Vec<Vec<f32>>, String> {
        let side = self.size as usize;
        let run = || -> TractResult<Vec<Vec<f32>>> {
            let input = Tensor::from_shape(&[1, 3, side, side], &planes)?;
            self.plan
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
