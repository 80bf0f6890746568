//! Stands in for ONNX Runtime in a build without the feature `onnxruntime`: it never loads.

use std::path::Path;

use super::{Model, Network};
use crate::{error::EngineError, runtime::ExecutionProvider};

/// A library that no build of this kind loads.
#[derive(Clone)]
pub(crate) enum OnnxRuntime {}

impl OnnxRuntime {
    pub(crate) fn load(
        path: &Path,
        _provider: Option<ExecutionProvider>,
    ) -> Result<Self, EngineError> {
        Err(EngineError::Runtime {
            library: path.to_owned(),
            reason: "this build lacks the feature `onnxruntime`".to_owned(),
        })
    }

    pub(crate) fn version(&self) -> &str {
        match *self {}
    }

    pub(crate) fn path(&self) -> &Path {
        match *self {}
    }

    pub(super) fn network(&self, _model: &Model) -> Result<Box<dyn Network>, String> {
        match *self {}
    }
}
