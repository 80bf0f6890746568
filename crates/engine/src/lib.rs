//! Passive face liveness: the bytes of one photo in, one verdict out.
//!
//! ```
//! use livecheck_engine::{Engine, EngineConfig, Thresholds};
//!
//! let engine = Engine::new(EngineConfig {
//!     thresholds: Thresholds {
//!         liveness: 0.95,
//!         ..Thresholds::default()
//!     },
//!     ..EngineConfig::default()
//! })?;
//! # let file = b"GIF89a";
//! match engine.check(file) {
//!     Ok(verdict) => println!("live: {}, score {:.2}", verdict.live, verdict.score),
//!     Err(rejection) => {
//!         assert_eq!(rejection.code(), "002");
//!         println!("{rejection}");
//!     }
//! }
//! # Ok::<(), livecheck_engine::EngineError>(())
//! ```
//!
//! [`Engine::check`] is the whole pipeline: [`Engine::locate`] reads the pixels and looks for faces,
//! [`Engine::judge`] judges the one that it found. `engine.rs` has both on one screen; each stage has a file of
//! its own: `locate → detect → mask → liveness → policy`, with `crop` as the only code that cuts and
//! resizes and `inference` as the only one that knows the inference runtimes.
//! No HTTP, no database, no async here.
//!
//! # Features
//!
//! - `onnxruntime` (off): [`Engine::with_runtime`] can load the shared library of ONNX Runtime,
//!   for accelerators above all: on a CPU it is no faster than the embedded runtime. Without it the crate `ort` is not
//!   in the tree, and asking for ONNX Runtime is an [`EngineError::Runtime`].
//! - `openapi` (off): what an answer repeats ([`Details`], [`Finding`], [`Limits`] and others) implements
//!   `utoipa::ToSchema`, for an OpenAPI document.

mod calibration;
mod crop;
mod detect;
mod engine;
mod error;
mod face;
mod findings;
#[cfg(test)]
mod golden;
mod inference;
mod liveness;
mod locate;
mod mask;
mod odds;
mod photo;
mod policy;
mod presets;
mod quality;
mod refine;
mod scale;
#[cfg(feature = "openapi")]
mod schema;
mod self_test;
mod stopwatch;
mod verdict;

pub use calibration::{
    CalibrationCounts, CalibrationError, CalibrationFile, MeasuredPoint, OperatingPoint, Rate,
    ScoreCalibration, ScoreSource, score_sources,
};
pub use engine::{Engine, EngineConfig};
pub use error::{EngineError, Rejection};
pub use face::{BBox, Face, Landmarks};
pub use findings::{Check, Finding, FindingLimits, Severity};
pub use inference::{
    ExecutionProvider, LIBRARY_FOLDERS, ModelInfo, Runtime, RuntimeChoice, RuntimeInfo,
    RuntimeLibrary, RuntimeSettings,
};
pub use livecheck_image::{ContentBox, LimitExceeded};
pub use locate::Located;
pub use photo::Photo;
pub use policy::{Limits, Thresholds};
pub use presets::{Dataset, OperatingPoints, Preset, PresetFigures, SourceFigures};
pub use verdict::{Details, FaceLiveness, ImageInfo, Quality, Timings, Verdict};
