//! Stands in for ONNX Runtime in a build without the feature `onnxruntime`: it never loads.

use std::path::Path;

use super::{info::RuntimeLibrary, models::Model, network::Network, settings::ExecutionProvider};
use crate::error::EngineError;

/// A library that no build of this kind loads.
#[derive(Clone)]
pub(crate) enum OnnxRuntime {}

impl OnnxRuntime {
    pub(crate) fn load(
        path: &Path,
        _pinned: Option<&str>,
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

    pub(super) fn runs_on_processor(&self) -> bool {
        match *self {}
    }

    pub(crate) fn library(&self) -> &RuntimeLibrary {
        match *self {}
    }

    pub(super) fn network(&self, _model: &Model) -> Result<Box<dyn Network>, String> {
        match *self {}
    }
}
