//! Passive face liveness: the bytes of one photo in, one verdict out.
//!
//! [`Engine::check`] is the whole pipeline; each stage has a file of its own:
//! `decode → detect → mask → liveness → policy`, with `crop` as the only code that cuts and
//! resizes and `network` as the only one that knows the inference runtime.
//! No HTTP, no database, no async here.

mod calibration;
mod crop;
mod decode;
mod detect;
mod error;
#[cfg(test)]
mod golden;
mod liveness;
mod mask;
mod network;
mod policy;
mod presets;
mod quality;
mod self_test;

use std::time::{Duration, Instant};

use serde::Serialize;

use detect::FaceDetector;
use liveness::LivenessClassifier;
use mask::MaskClassifier;

pub use calibration::{
    CalibrationCounts, CalibrationError, CalibrationFile, MeasuredPoint, OperatingPoint, Rate,
    ScoreCalibration, ScoreSource, score_sources,
};
pub use detect::{BBox, Face, Landmarks};
pub use error::{EngineError, ErrorCode, Rejection};
pub use policy::{LimitExceeded, Limits, Thresholds};
pub use presets::{Dataset, OperatingPoints, Preset, PresetFigures, SourceFigures};

/// A decoded image: upright, 8 bits a channel, RGB.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// Width after EXIF orientation, pixels.
    pub width: u32,
    /// Height after EXIF orientation, pixels.
    pub height: u32,
    /// `height × width × 3` bytes, row-major, R then G then B.
    pub rgb: Vec<u8>,
    /// `"jpeg"`, `"png"` or `"webp"`.
    pub format: &'static str,
    /// How long decoding took, milliseconds.
    pub decode_ms: f32,
}

/// The settings of an [`Engine`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EngineConfig {
    /// What an image must satisfy before anything is judged.
    pub limits: Limits,
    /// The scores from which decisions flip.
    pub thresholds: Thresholds,
    /// The user's own map over the shipped score; the default leaves it as it is.
    pub calibration: ScoreCalibration,
}

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
    /// Which presentation attack it looks like.
    pub attack_scores: AttackScores,
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
pub struct Details {
    /// The one face.
    pub face: Face,
    /// Score of the mask net, 0 to 1.
    pub mask_score: f32,
    /// Which presentation attack it looks like.
    pub attack_scores: AttackScores,
    /// The upright image.
    pub image: ImageInfo,
    /// Measures of the photo's quality; informative, no decision uses them.
    pub quality: Quality,
    /// The thresholds in force.
    pub thresholds: Thresholds,
    /// The models that judged.
    pub models: &'static [ModelInfo],
    /// How long each stage took.
    pub timings: Timings,
}

/// Probabilities of the presentation attack species, 0 to 1, uncalibrated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AttackScores {
    /// A printed photo.
    pub print: f32,
    /// A screen.
    pub screen: f32,
}

/// The decoded image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImageInfo {
    /// Width after EXIF orientation, pixels.
    pub width: u32,
    /// Height after EXIF orientation, pixels.
    pub height: u32,
    /// `"jpeg"`, `"png"` or `"webp"`.
    pub format: &'static str,
}

/// Quality measures of the face region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

/// One embedded model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    /// Name of the model.
    pub name: &'static str,
    /// SHA-256 of its file, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// Wall time of each stage, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
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

/// Judges images. Thread-safe and immutable: share one behind an `Arc`.
pub struct Engine {
    config: EngineConfig,
    detector: FaceDetector,
    mask: MaskClassifier,
    liveness: LivenessClassifier,
}

impl Engine {
    /// Verifies the embedded models against their SHA-256 and loads them.
    ///
    /// # Errors
    /// A setting out of range, a damaged model, or one that the runtime does not load.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        config.thresholds.validate()?;
        config.calibration.validate()?;
        Ok(Self {
            config,
            detector: FaceDetector::load()?,
            mask: MaskClassifier::load()?,
            liveness: LivenessClassifier::load()?,
        })
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The models inside.
    #[must_use]
    pub fn models(&self) -> &'static [ModelInfo] {
        network::infos()
    }

    /// Runs every net on a drawn pattern and compares with the answers recorded when the models
    /// were made: tells whether this machine computes what was measured.
    ///
    /// # Errors
    /// [`EngineError::SelfTest`] says what differed.
    pub fn self_test(&self) -> Result<(), EngineError> {
        let faces = [
            (network::FACE_DETECTOR.name, self.detector.network()),
            (network::FACE_MASK.name, self.mask.network()),
        ];
        self_test::run(faces.into_iter().chain(self.liveness.networks()))
    }

    /// Reads one image file (JPEG, PNG or WebP) into upright pixels. Blocking and CPU-bound;
    /// never panics on hostile bytes.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`] (`003`) or [`Rejection::UnreadableImage`] (`002`).
    pub fn decode(&self, file: &[u8]) -> Result<Photo, Rejection> {
        decode::decode(file, &self.config.limits)
    }

    /// Judges a decoded photo. Blocking and CPU-bound.
    ///
    /// # Errors
    /// A [`Rejection`] when there is no verdict: `007`, `051`, `052` or `005`.
    pub fn judge(&self, photo: &Photo) -> Result<Verdict, Rejection> {
        let EngineConfig {
            limits, thresholds, ..
        } = &self.config;
        let mut watch = Stopwatch::start();

        limits.check_image(photo.width, photo.height)?;
        let face = thresholds.single_face(&self.detector.detect(photo)?)?;
        limits.check_face(&face)?;
        let detect_ms = watch.lap();

        let mask_score = self.mask.score(photo, &face.landmarks)?;
        thresholds.no_mask(mask_score)?;
        let mask_ms = watch.lap();

        let liveness = self.judge_face(photo, &face.bbox)?;
        let liveness_ms = watch.lap();

        let quality = quality::measure(photo, &face.bbox)?;
        Ok(Verdict {
            live: liveness.live,
            score: liveness.score,
            logit: liveness.logit,
            details: Details {
                face,
                mask_score,
                attack_scores: liveness.attack_scores,
                image: ImageInfo {
                    width: photo.width,
                    height: photo.height,
                    format: photo.format,
                },
                quality,
                thresholds: *thresholds,
                models: self.models(),
                timings: Timings {
                    decode_ms: photo.decode_ms,
                    detect_ms,
                    mask_ms,
                    liveness_ms,
                    total_ms: photo.decode_ms + watch.total(),
                },
            },
        })
    }

    /// Judges the face in a given box, whatever limits, face and mask thresholds say: for
    /// measuring how verdicts change with the box. Blocking and CPU-bound.
    ///
    /// `bbox` is in pixels of the photo and may reach beyond its border, as the detector's do.
    ///
    /// # Errors
    /// [`Rejection::Internal`] (`005`) when there is nothing to cut out, such as an empty box.
    pub fn judge_face(&self, photo: &Photo, bbox: &BBox) -> Result<FaceLiveness, Rejection> {
        let liveness = self.liveness.judge(photo, bbox)?;
        let score = self.config.calibration.score(liveness.logit);
        Ok(FaceLiveness {
            live: self.config.thresholds.is_live(score),
            score,
            logit: liveness.logit,
            attack_scores: liveness.attacks,
        })
    }

    /// [`Engine::decode`], then [`Engine::judge`].
    ///
    /// # Errors
    /// As both.
    pub fn check(&self, file: &[u8]) -> Result<Verdict, Rejection> {
        self.judge(&self.decode(file)?)
    }
}

/// Times the stages of one check.
struct Stopwatch {
    start: Instant,
    lap: Instant,
}

impl Stopwatch {
    fn start() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            lap: now,
        }
    }

    /// Milliseconds since the last lap.
    fn lap(&mut self) -> f32 {
        let now = Instant::now();
        milliseconds(now - std::mem::replace(&mut self.lap, now))
    }

    /// Milliseconds since the start.
    fn total(&self) -> f32 {
        milliseconds(self.start.elapsed())
    }
}

/// Milliseconds of a duration, as the details show them.
fn milliseconds(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}
