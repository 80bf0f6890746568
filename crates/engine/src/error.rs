//! Why an image gets no verdict ([`Rejection`]), and why an engine cannot start ([`EngineError`]).

use std::path::PathBuf;

use livecheck_image::{DecodeError, LimitExceeded};
use thiserror::Error;

/// Why an image was not judged. `Display` is the one plain sentence, with the figures, that the
/// API gives as `error_detail`.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// `002`.
    #[error("{0}")]
    UnreadableImage(String),
    /// `003`.
    #[error("{0}")]
    TooLarge(LimitExceeded),
    /// `007`, the whole image.
    #[error(
        "the image is {width}x{height} pixels; its shorter side must be at least {min_side} pixels: send the photo at full size"
    )]
    ImageTooSmall {
        /// Width of the upright image, pixels.
        width: u32,
        /// Height of the upright image, pixels.
        height: u32,
        /// The limit in force, pixels.
        min_side: u32,
    },
    /// `007`, what is left without its border.
    #[error(
        "the image is {width}x{height} pixels without its one-coloured border; its shorter side must be at least {min_side} pixels: send the photo at full size, without a border"
    )]
    ContentTooSmall {
        /// Width without the border, pixels.
        width: u32,
        /// Height without the border, pixels.
        height: u32,
        /// The limit in force, pixels.
        min_side: u32,
    },
    /// `007`, the face in it.
    #[error(
        "the face is {width} pixels wide; it must be at least {min_side} pixels: come closer or send the photo at full size"
    )]
    FaceTooSmall {
        /// Width of the face box, pixels, rounded down.
        width: u32,
        /// The limit in force, pixels.
        min_side: u32,
    },
    /// `051`.
    #[error("{}", face_count_sentence(scores, *threshold, *best_below))]
    FaceCount {
        /// Scores of the faces at or above the threshold, best first.
        scores: Vec<f32>,
        /// The face threshold in force, 0 to 1.
        threshold: f32,
        /// The best score below the threshold, when any candidate came near.
        best_below: Option<f32>,
    },
    /// `051`, the one face.
    #[error(
        "the face is cut off at the {edge} edge: {:.0} % of it is visible; the whole face must be in the image",
        visible * 100.0
    )]
    FaceCutOff {
        /// `"left"`, `"right"`, `"top"` or `"bottom"`: where most of it is missing.
        edge: &'static str,
        /// Share of the face box that lies within the picture, 0 to 1.
        visible: f32,
    },
    /// `052`.
    #[error("a face covering was found (score {score:.2}, threshold {threshold:.2})")]
    FaceMask {
        /// Score of the mask net, 0 to 1.
        score: f32,
        /// The mask threshold in force, 0 to 1.
        threshold: f32,
    },
    /// `005`.
    #[error("the image could not be judged: {0}")]
    Internal(String),
}

impl Rejection {
    /// The three digits that the API names this rejection by.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnreadableImage(_) => "002",
            Self::TooLarge(_) => "003",
            Self::ImageTooSmall { .. }
            | Self::ContentTooSmall { .. }
            | Self::FaceTooSmall { .. } => "007",
            Self::FaceCount { .. } | Self::FaceCutOff { .. } => "051",
            Self::FaceMask { .. } => "052",
            Self::Internal(_) => "005",
        }
    }
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLarge(limit) => Self::TooLarge(limit),
            other => Self::UnreadableImage(other.to_string()),
        }
    }
}

/// How many scores an `error_detail` lists before it says "and more".
const LISTED_SCORES: usize = 8;

fn face_count_sentence(scores: &[f32], threshold: f32, best_below: Option<f32>) -> String {
    if scores.is_empty() {
        return match best_below {
            Some(best) => format!(
                "no face found at the threshold {threshold:.2} (best candidate {best:.2}): the whole face must be visible, without obstruction or glare"
            ),
            None => format!("no face found at the threshold {threshold:.2}"),
        };
    }
    let listed: Vec<String> = scores
        .iter()
        .take(LISTED_SCORES)
        .map(|score| format!("{score:.2}"))
        .collect();
    let more = if scores.len() > LISTED_SCORES {
        ", and more"
    } else {
        ""
    };
    format!(
        "{} faces found (scores {}{more})",
        scores.len(),
        listed.join(", ")
    )
}

/// Why an engine could not be built or did not pass its self-test.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An embedded model is not the one this build was made with.
    #[error("model {name} is damaged: its SHA-256 is {actual}, this build expects {expected}")]
    ModelHash {
        /// Name of the model.
        name: &'static str,
        /// Hash that was computed, lower-case hexadecimal.
        actual: String,
        /// Hash that was expected, lower-case hexadecimal.
        expected: &'static str,
    },
    /// The runtime could not load or run a network.
    #[error("model {name} does not run: {reason}")]
    Network {
        /// Name of the model.
        name: &'static str,
        /// What the runtime said.
        reason: String,
    },
    /// ONNX Runtime was asked for and cannot be loaded.
    #[error(
        "ONNX Runtime cannot be loaded from {}: {reason}; name its shared library in LIVECHECK_ONNXRUNTIME, or set the runtime to embedded",
        library.display()
    )]
    Runtime {
        /// The library that was tried.
        library: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is out of its range.
    #[error("{setting} is {value}; allowed is {allowed}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// The value given.
        value: String,
        /// The allowed range in words.
        allowed: &'static str,
    },
    /// The self-test gave another answer than it must.
    #[error("self-test failed: {0}")]
    SelfTest(String),
}
