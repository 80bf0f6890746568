//! The inference runtimes behind one trait, and the models embedded in this build.

mod embedded;
mod info;
#[cfg(feature = "onnxruntime")]
mod library;
mod models;
mod network;
#[cfg(not(feature = "onnxruntime"))]
#[path = "inference/no_onnx_runtime.rs"]
mod onnx_runtime;
#[cfg(feature = "onnxruntime")]
mod onnx_runtime;
mod runtime;
mod settings;

pub use info::{ModelInfo, RuntimeInfo, RuntimeLibrary};
pub(crate) use models::{
    CANVAS_SIDE, FACE_DETECTOR, FACE_MASK, FACE_REFINER, LIVENESS_GRAIN, LIVENESS_SMALL_CONTEXT,
    LIVENESS_SMALL_GRAIN, LIVENESS_VIEWS, infos,
};
#[cfg(test)]
pub(crate) use models::{MODELS, Model};
pub(crate) use network::{InputSize, Network};
pub use runtime::Runtime;
pub use settings::{ExecutionProvider, LIBRARY_FOLDERS, RuntimeChoice, RuntimeSettings};
