//! Limits and thresholds, and the decisions taken with them. Pure: numbers in, decision out.

use livecheck_image::{ContentBox, FileLimits};
use serde::{Deserialize, Serialize};

use crate::{
    error::{EngineError, Rejection},
    face::{BBox, Face},
};

/// Least share of a face box that must lie within the picture.
const LEAST_VISIBLE: f32 = 0.75;

/// What an image must satisfy before anything is judged.
///
/// ```
/// use livecheck_engine::{EngineConfig, Limits, Preset};
///
/// // Smaller photos than by default, and strict thresholds.
/// let config = EngineConfig {
///     limits: Limits {
///         min_image_side: 240,
///         ..Limits::default()
///     },
///     thresholds: Preset::Strict.thresholds(),
///     ..EngineConfig::default()
/// };
/// assert_eq!(config.limits.min_face_side, 96);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(description = "What an image must satisfy before anything is judged.")
)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Maximum size of the image file in bytes. Default 10 MiB: the API's 10 MB.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub max_file_bytes: usize,
    /// Maximum number of pixels, read from the header before anything is decoded. Default 64 million.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub max_pixels: u64,
    /// Minimum length of the shorter image side in pixels. Default 320.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub min_image_side: u32,
    /// Minimum width of the face box in pixels. Default 96.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub min_face_side: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: 10 * 1024 * 1024,
            max_pixels: 64_000_000,
            min_image_side: 320,
            min_face_side: 96,
        }
    }
}

/// The scores, 0 to 1, from which a decision flips. A score equal to its threshold reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// A candidate at or above counts as a face. Default 0.75; the model's own recommendation
    /// is 0.60, which also lets partly covered faces pass.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 1))]
    pub face: f32,
    /// A face at or above is live. Default 0.90; 0.95 is the recommended stricter value.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 1))]
    pub liveness: f32,
    /// A face at or above counts as covered. Default 0.50.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 1))]
    pub mask: f32,
    /// A face at or above that is not live is for people to review; only where it is set. Default: none.
    #[cfg_attr(
        feature = "openapi",
        schema(nullable = false, minimum = 0, maximum = 1)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<f32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            face: 0.75,
            liveness: 0.90,
            mask: 0.50,
            review: None,
        }
    }
}

impl Thresholds {
    /// Checks that every threshold lies in 0 to 1.
    ///
    /// # Errors
    /// [`EngineError::Setting`] names the first one that does not.
    pub fn validate(&self) -> Result<(), EngineError> {
        let review = self.review.map(|review| ("review_threshold", review));
        for (setting, value) in [
            ("face_threshold", self.face),
            ("liveness_threshold", self.liveness),
            ("mask_threshold", self.mask),
        ]
        .into_iter()
        .chain(review)
        {
            if !(0.0..=1.0).contains(&value) {
                return Err(EngineError::Setting {
                    setting,
                    value: value.to_string(),
                    allowed: "0 to 1",
                });
            }
        }
        Ok(())
    }
}

impl Limits {
    /// Those of them that hold for the file, whatever it shows.
    #[must_use]
    pub fn of_file(&self) -> FileLimits {
        FileLimits {
            max_bytes: self.max_file_bytes,
            max_pixels: self.max_pixels,
        }
    }

    /// `003` when the file is too long.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`].
    pub fn check_file(&self, bytes: usize) -> Result<(), Rejection> {
        Ok(self.of_file().check_bytes(bytes)?)
    }

    /// `007` when the upright image, or what is left of it without its border, is too small.
    pub(crate) fn check_image(
        &self,
        (width, height): (u32, u32),
        content: &ContentBox,
    ) -> Result<(), Rejection> {
        let min_side = self.min_image_side;
        if width.min(height) < min_side {
            return Err(Rejection::ImageTooSmall {
                width,
                height,
                min_side,
            });
        }
        if content.width().min(content.height()) < min_side {
            return Err(Rejection::ContentTooSmall {
                width: content.width(),
                height: content.height(),
                min_side,
            });
        }
        Ok(())
    }

    /// `051` when too much of the face lies outside the picture of this size.
    #[expect(clippy::cast_precision_loss, reason = "sides of images")]
    pub(crate) fn check_visible(
        &self,
        face: &Face,
        width: u32,
        height: u32,
    ) -> Result<(), Rejection> {
        let visible = visible_share(&face.bbox, width, height);
        let BBox { x0, y0, x1, y1 } = face.bbox;
        let (width, height) = (width as f32, height as f32);
        if visible >= LEAST_VISIBLE {
            return Ok(());
        }
        let (across, down) = (face.bbox.width(), face.bbox.height());
        let beyond = [
            ("left", -x0 / across),
            ("right", (x1 - width) / across),
            ("top", -y0 / down),
            ("bottom", (y1 - height) / down),
        ];
        let most = beyond.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        Err(Rejection::FaceCutOff {
            edge: most.map_or("left", |(edge, _)| edge),
            visible,
        })
    }

    /// `007` when the face box is too narrow.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "box sides are pixels, far inside the range of both types"
    )]
    pub(crate) fn check_face(&self, face: &Face) -> Result<(), Rejection> {
        let width = face.bbox.width();
        if width < self.min_face_side as f32 {
            return Err(Rejection::FaceTooSmall {
                width: width.max(0.0) as u32,
                min_side: self.min_face_side,
            });
        }
        Ok(())
    }
}

/// Share of a box that lies within a picture of this size, 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "sides of images")]
pub(crate) fn visible_share(bbox: &BBox, width: u32, height: u32) -> f32 {
    let seen = |from: f32, to: f32, end: u32| {
        ((to.min(end as f32) - from.max(0.0)).max(0.0) / (to - from)).clamp(0.0, 1.0)
    };
    seen(bbox.x0, bbox.x1, width) * seen(bbox.y0, bbox.y1, height)
}

impl Thresholds {
    /// The one face at or above the threshold, or `051`. `faces` come best first.
    pub(crate) fn check_face_count(&self, faces: &[Face]) -> Result<Face, Rejection> {
        let above: Vec<&Face> = faces.iter().filter(|f| f.score >= self.face).collect();
        match above.as_slice() {
            [face] => Ok(**face),
            _ => Err(Rejection::FaceCount {
                scores: above.iter().map(|f| f.score).collect(),
                threshold: self.face,
                best_below: faces
                    .iter()
                    .map(|f| f.score)
                    .filter(|score| *score < self.face)
                    .reduce(f32::max),
            }),
        }
    }

    /// `052` when the mask score reaches the threshold.
    pub(crate) fn check_mask(&self, score: f32) -> Result<(), Rejection> {
        if score >= self.mask {
            return Err(Rejection::FaceMask {
                score,
                threshold: self.mask,
            });
        }
        Ok(())
    }

    /// Whether a calibrated score, 0 to 1, is a live person's.
    #[must_use]
    pub fn is_live(&self, score: f32) -> bool {
        score >= self.liveness
    }

    /// Whether a calibrated score, 0 to 1, lies in the review band: from the review threshold up to
    /// the liveness threshold.
    #[must_use]
    pub fn needs_review(&self, score: f32) -> bool {
        !self.is_live(score) && self.review.is_some_and(|review| score >= review)
    }
}
