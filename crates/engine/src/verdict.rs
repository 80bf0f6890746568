//! The answer for a photo that could be judged.

use livecheck_image::ContentBox;
use serde::Serialize;

#[cfg(feature = "openapi")]
use crate::schema::ImageFormat;
use crate::{
    face::Face,
    findings::Finding,
    inference::{ModelInfo, RuntimeInfo},
    policy::Thresholds,
};

/// How alive one face looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceLiveness {
    /// `score >= thresholds.liveness`.
    pub live: bool,
    /// Calibrated confidence that the face is a live person, 0 to 1.
    pub score: f32,
    /// The logit of the shipped score, before the user's calibration: what `livecheck calibrate`
    /// fits. Finite where the score rounds to 0 or 1.
    pub logit: f64,
    /// How surely the face is a presentation attack, before calibration and thresholds: the mean
    /// over the views, 0 to 1. Not calibrated; the score is.
    pub attack_score: f32,
}

/// The answer for an image that could be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// `score >= thresholds.liveness`.
    pub live: bool,
    /// Calibrated confidence that the face is a live person, 0 to 1.
    pub score: f32,
    /// The logit of the shipped score, see [`FaceLiveness::logit`].
    pub logit: f64,
    /// Everything that led to it.
    pub details: Details,
}

/// What the stages measured on the way to a [`Verdict`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Details {
    /// The one face.
    pub face: Face,
    /// Confidence that a face covering is worn, 0 to 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub mask_score: f32,
    /// How surely the face is a presentation attack, before calibration and thresholds: the mean
    /// over the views, 0 to 1. Not calibrated; `score` is.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub attack_score: f32,
    /// The image as it was judged.
    pub image: ImageInfo,
    /// Measures of the photo's quality; informative, no decision uses them.
    pub quality: Quality,
    /// The thresholds in force: the key's own, else the server's.
    pub thresholds: Thresholds,
    /// The models that judged.
    pub models: &'static [ModelInfo],
    /// The runtime that they ran on.
    pub runtime: RuntimeInfo,
    /// How long each stage took.
    pub timings: Timings,
    /// Everything that a person could improve; only when details were asked for. None of it refuses
    /// a photo.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<Finding>>,
}

/// The decoded image, upright: as EXIF says, and turned further where its face was not upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Image))]
pub struct ImageInfo {
    /// Width when upright, pixels.
    pub width: u32,
    /// Height when upright, pixels.
    pub height: u32,
    /// What is left without one-coloured bars and frames, pixels of the upright image; `x1` and `y1` are the
    /// first beyond it.
    pub content: ContentBox,
    /// By how many degrees (0, 90, 180 or 270) it was turned clockwise beyond what EXIF says, because
    /// its face was not upright.
    pub rotated: u16,
    /// `jpeg`, `png` or `webp`.
    #[cfg_attr(feature = "openapi", schema(value_type = ImageFormat, inline))]
    pub format: &'static str,
}

/// Quality measures of the face region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quality {
    /// Width of the face box over the width of the image, 0 to 1 (above 1 when it reaches beyond).
    pub face_share: f32,
    /// Mean luma of the face, 0 (black) to 1 (white).
    pub brightness: f32,
    /// Standard deviation of the luma of the face, 0 to 0.5.
    pub contrast: f32,
    /// Variance of the Laplacian of the face's luma at a fixed scale; higher is sharper.
    pub sharpness: f32,
}

/// Wall time of each stage, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timings {
    /// File bytes to upright pixels.
    pub decode_ms: f32,
    /// Face detection.
    pub detect_ms: f32,
    /// Mask net.
    pub mask_ms: f32,
    /// Liveness nets.
    pub liveness_ms: f32,
    /// The whole check.
    pub total_ms: f32,
}
