//! The models embedded in this build.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::info::ModelInfo;
use crate::error::EngineError;

/// One file of `models/`, as it was embedded.
pub(crate) struct Model {
    /// Its name: the file name without extension.
    pub(crate) name: &'static str,
    /// The ONNX file.
    pub(crate) onnx: &'static [u8],
    /// Side of the largest input, where the file leaves `height` and `width` open.
    pub(crate) largest: Option<u32>,
    /// Whether the embedded runtime is much faster than ONNX Runtime on a processor: it saves three
    /// quarters of the multiplications of plain 3×3 convolutions, and knows slopes of activations.
    pub(super) embedded: bool,
}

/// Every embedded model. Statics, because a file in a constant is in the program once a use.
pub(crate) static MODELS: [&Model; 7] = [
    &FACE_DETECTOR,
    &FACE_REFINER,
    &FACE_MASK,
    &LIVENESS_VIEWS,
    &LIVENESS_GRAIN,
    &LIVENESS_SMALL_CONTEXT,
    &LIVENESS_SMALL_GRAIN,
];

/// Longer side of the detector's input, pixels.
pub(crate) const CANVAS_SIDE: u32 = 320;

/// Photo → faces.
pub(crate) static FACE_DETECTOR: Model = Model {
    name: "face-detector",
    onnx: include_bytes!("../../models/face-detector.onnx"),
    largest: Some(CANVAS_SIDE),
    embedded: true,
};

/// Window about a proposed face → score, box, landmarks.
pub(crate) static FACE_REFINER: Model = Model {
    name: "face-refiner",
    onnx: include_bytes!("../../models/face-refiner.onnx"),
    largest: None,
    embedded: false,
};

/// Aligned face → covering.
pub(crate) static FACE_MASK: Model = Model {
    name: "face-mask",
    onnx: include_bytes!("../../models/face-mask.onnx"),
    largest: None,
    embedded: false,
};

/// Face with its surroundings, averaged → live, print, screen at each of three scales.
pub(crate) static LIVENESS_VIEWS: Model = Model {
    name: "liveness-views",
    onnx: include_bytes!("../../models/liveness-views.onnx"),
    largest: None,
    embedded: false,
};

/// Face with its surroundings, single pixels → live, print, screen.
pub(crate) static LIVENESS_GRAIN: Model = Model {
    name: "liveness-grain",
    onnx: include_bytes!("../../models/liveness-grain.onnx"),
    largest: None,
    embedded: true,
};

/// Of a small photo: face with its surroundings, averaged → live, print, screen.
pub(crate) static LIVENESS_SMALL_CONTEXT: Model = Model {
    name: "liveness-small-context",
    onnx: include_bytes!("../../models/liveness-small-context.onnx"),
    largest: None,
    embedded: false,
};

/// Of a small photo: face with its surroundings, single pixels → live, print, screen.
pub(crate) static LIVENESS_SMALL_GRAIN: Model = Model {
    name: "liveness-small-grain",
    onnx: include_bytes!("../../models/liveness-small-grain.onnx"),
    largest: None,
    embedded: true,
};

/// Names and hashes of [`MODELS`].
pub(crate) fn infos() -> &'static [ModelInfo] {
    static INFOS: LazyLock<Vec<ModelInfo>> =
        LazyLock::new(|| MODELS.iter().map(|model| model.info()).collect());
    &INFOS
}

/// The hashes this build expects, in the format of `sha256sum`; `training/` writes it at every export.
const SHA256SUMS: &str = include_str!("../../models/SHA256SUMS");

impl Model {
    /// Name and expected hash.
    pub(crate) fn info(&self) -> ModelInfo {
        let sha256 = SHA256SUMS
            .lines()
            .filter_map(|line| line.split_once("  "))
            .find(|(_, file)| file.strip_suffix(".onnx") == Some(self.name))
            .map_or("", |(hash, _)| hash);
        ModelInfo {
            name: self.name,
            sha256,
        }
    }

    /// Compares the embedded bytes with the hash that this build expects.
    pub(crate) fn verify(&self) -> Result<(), EngineError> {
        let actual = hex::encode(Sha256::digest(self.onnx));
        let expected = self.info().sha256;
        if actual == expected {
            return Ok(());
        }
        Err(EngineError::ModelHash {
            name: self.name,
            actual,
            expected,
        })
    }
}
