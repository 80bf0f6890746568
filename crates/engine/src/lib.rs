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
//! [`Engine::check`] is the whole pipeline; each stage has a file of its own:
//! `livecheck_image::decode → detect → mask → liveness → policy`, with `crop` as the only code that cuts and
//! resizes and `network` as the only one that knows the inference runtimes.
//! No HTTP, no database, no async here.
//!
//! # Features
//!
//! - `onnxruntime` (off): [`Engine::with_runtime`] can load the shared library of ONNX Runtime,
//!   which takes about half the time of the embedded runtime. Without it the crate `ort` is not
//!   in the tree, and asking for ONNX Runtime is an [`EngineError::Runtime`].

mod calibration;
mod crop;
mod detect;
mod error;
mod findings;
#[cfg(test)]
mod golden;
#[cfg(feature = "onnxruntime")]
mod library;
mod liveness;
mod mask;
mod network;
mod photo;
mod policy;
mod presets;
mod quality;
mod refine;
mod runtime;
mod scale;
mod self_test;

use std::sync::Arc;
use std::time::{Duration, Instant};

use livecheck_image::{ScaledJpeg, decode};
use serde::Serialize;

use detect::FaceDetector;
use liveness::LivenessClassifier;
use mask::MaskClassifier;

pub use calibration::{
    CalibrationCounts, CalibrationError, CalibrationFile, MeasuredPoint, OperatingPoint, Rate,
    ScoreCalibration, ScoreSource, score_sources,
};
pub use detect::{BBox, Face, Landmarks};
pub use error::{EngineError, Rejection};
pub use findings::{Check, Finding, FindingLimits, Severity};
pub use livecheck_image::{ContentBox, LimitExceeded};
pub use photo::Photo;
pub use policy::{Limits, Thresholds};
pub use presets::{Dataset, OperatingPoints, Preset, PresetFigures, SourceFigures};
pub use runtime::{
    ExecutionProvider, LIBRARY_FOLDERS, Runtime, RuntimeChoice, RuntimeInfo, RuntimeLibrary,
    RuntimeSettings,
};

/// The settings of an [`Engine`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EngineConfig {
    /// What an image must satisfy before anything is judged.
    pub limits: Limits,
    /// The scores from which decisions flip.
    pub thresholds: Thresholds,
    /// The user's own map over the shipped score; the default leaves it as it is.
    pub calibration: ScoreCalibration,
    /// From which values on [`Engine::findings`] finds something; no decision uses them.
    pub findings: FindingLimits,
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
pub struct Details {
    /// The one face.
    pub face: Face,
    /// Score of the mask net, 0 to 1.
    pub mask_score: f32,
    /// How surely the face is a presentation attack, before calibration and thresholds: the mean
    /// over the views, 0 to 1. Not calibrated; the score is.
    pub attack_score: f32,
    /// The upright image.
    pub image: ImageInfo,
    /// Measures of the photo's quality; informative, no decision uses them.
    pub quality: Quality,
    /// The thresholds in force.
    pub thresholds: Thresholds,
    /// The models that judged.
    pub models: &'static [ModelInfo],
    /// The runtime that they ran on.
    pub runtime: RuntimeInfo,
    /// How long each stage took.
    pub timings: Timings,
    /// What a person could improve; `None` until somebody asks [`Engine::findings`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<Finding>>,
}

/// The decoded image, upright: as EXIF says, and turned further where its face was not upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ImageInfo {
    /// Width when upright, pixels.
    pub width: u32,
    /// Height when upright, pixels.
    pub height: u32,
    /// What is left without one-coloured borders: what was judged.
    pub content: ContentBox,
    /// By how many degrees (0, 90, 180 or 270) it was turned clockwise beyond what EXIF says.
    pub rotated: u16,
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

/// Least score of the face of a turned photo: three turns are three more chances to take something else for a
/// face.
const TURNED_FACE: f32 = 0.9;

/// Judges images. Thread-safe and immutable: share one behind an `Arc`.
#[derive(Clone)]
pub struct Engine {
    config: EngineConfig,
    runtime: Runtime,
    detector: Arc<FaceDetector>,
    mask: Arc<MaskClassifier>,
    liveness: Arc<LivenessClassifier>,
}

impl Engine {
    /// Verifies the embedded models against their SHA-256 and loads them on the embedded runtime.
    ///
    /// # Errors
    /// A setting out of range, a damaged model, or one that the runtime does not load.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        Self::on(Runtime::embedded(), config)
    }

    /// As [`Engine::new`], on the runtime that the settings ask for.
    ///
    /// # Errors
    /// As there, and a runtime that is not to be had.
    pub fn with_runtime(
        config: EngineConfig,
        settings: &RuntimeSettings,
    ) -> Result<Self, EngineError> {
        Self::on(Runtime::load(settings)?, config)
    }

    fn on(runtime: Runtime, config: EngineConfig) -> Result<Self, EngineError> {
        config.thresholds.validate()?;
        config.calibration.validate()?;
        config.findings.validate()?;
        Ok(Self {
            config,
            detector: Arc::new(FaceDetector::load(&runtime)?),
            mask: Arc::new(MaskClassifier::load(&runtime)?),
            liveness: Arc::new(LivenessClassifier::load(&runtime)?),
            runtime,
        })
    }

    /// An engine with other thresholds and the same nets, which it shares.
    ///
    /// # Errors
    /// A threshold outside 0 to 1.
    pub fn with_thresholds(&self, thresholds: Thresholds) -> Result<Self, EngineError> {
        thresholds.validate()?;
        let mut engine = self.clone();
        engine.config.thresholds = thresholds;
        Ok(engine)
    }

    /// The runtime in force.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
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
        let mask = (network::FACE_MASK.name, self.mask.network());
        let detector = self.detector.networks().into_iter();
        self_test::run(detector.chain([mask]).chain(self.liveness.networks()))
    }

    /// Reads one image file (JPEG, PNG or WebP) into upright pixels, as many as judging needs, and
    /// looks for its borders and faces. Of a large JPEG that is a reduced picture in which its face
    /// is still 320 pixels wide. Blocking and CPU-bound; never panics on hostile bytes.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`] (`003`) or [`Rejection::UnreadableImage`] (`002`).
    pub fn decode(&self, file: &[u8]) -> Result<Photo, Rejection> {
        let mut watch = Stopwatch::start();
        let limits = self.config.limits.of_file();
        let Some(large) = ScaledJpeg::read(file, &limits, scale::LARGE_PIXELS)? else {
            return self.decode_whole(file);
        };
        let search = scale::search_reduction(&large);
        let Some(mut photo) = large.render(search, 0).map(Photo::from) else {
            return self.decode_whole(file);
        };
        photo.decode_ms = watch.lap();
        let mut photo = self.locate(photo)?;
        watch.lap();
        // Without a single face there is no verdict, and no need for more pixels.
        if let Some(faces) = photo.faces.take_if(|faces| self.single_face(faces).is_ok()) {
            let face = self.single_face(&faces)?;
            let width = face.bbox.width() * search as f32;
            let needed = scale::face_reduction(width, search);
            let scale = search as f32 / needed as f32;
            if needed != search {
                let bbox = face.scaled(scale).bbox;
                let Some(closer) = scale::around_face(&large, needed, &photo, &bbox) else {
                    return self.decode_whole(file);
                };
                photo = Photo {
                    content: photo.content,
                    decode_ms: photo.decode_ms + watch.lap(),
                    detect_ms: photo.detect_ms,
                    ..closer
                };
            }
            photo.faces = Some(faces.iter().map(|face| face.scaled(scale)).collect());
        }
        Ok(photo)
    }

    /// What kind of image a file is, once all of it was decoded. Looks for no face.
    ///
    /// # Errors
    /// As [`Engine::decode`].
    pub fn inspect(&self, file: &[u8]) -> Result<ImageInfo, Rejection> {
        let photo = Photo::from(decode(file, &self.config.limits.of_file())?);
        Ok(ImageInfo {
            width: photo.full_width,
            height: photo.full_height,
            content: photo.content,
            rotated: photo.rotated,
            format: photo.format,
        })
    }

    /// As [`Engine::decode`], at the full size whatever the file.
    ///
    /// # Errors
    /// As there.
    pub fn decode_whole(&self, file: &[u8]) -> Result<Photo, Rejection> {
        let watch = Stopwatch::start();
        let mut photo = Photo::from(decode(file, &self.config.limits.of_file())?);
        photo.decode_ms = watch.total();
        self.locate(photo)
    }

    /// Looks for the borders and the faces of a photo, and turns it when its face is not upright.
    fn locate(&self, mut photo: Photo) -> Result<Photo, Rejection> {
        let mut watch = Stopwatch::start();
        photo.content = livecheck_image::content(photo.width, photo.height, &photo.rgb).enlarged(
            photo.reduction,
            (photo.width, photo.height),
            photo.full_size(),
        );
        if self.check_size(&photo).is_err() {
            // It is refused for that.
            photo.faces = Some(Vec::new());
            return Ok(photo);
        }
        let faces = self.faces(&photo)?;
        let counts = |face: &Face| face.score >= self.config.thresholds.face;
        if !faces.iter().any(counts)
            && let Some((other, _)) = self.clearest_turned(&photo)?
        {
            return Ok(Photo {
                detect_ms: watch.lap(),
                ..other
            });
        }
        photo.faces = Some(faces);
        photo.detect_ms = watch.lap();
        Ok(photo)
    }

    /// The faces of the photo without its border, in pixels of the photo.
    fn faces(&self, photo: &Photo) -> Result<Vec<Face>, Rejection> {
        let content = photo.content_here();
        let faces = self.detector.detect(&photo.cut())?;
        Ok(faces
            .iter()
            .map(|face| face.moved(content.x0 as f32, content.y0 as f32))
            .collect())
    }

    fn single_face(&self, faces: &[Face]) -> Result<Face, Rejection> {
        self.config.thresholds.single_face(faces)
    }

    /// `007` when the photo, or what is left of it without its border, is too small.
    fn check_size(&self, photo: &Photo) -> Result<(), Rejection> {
        self.config
            .limits
            .check_image((photo.full_width, photo.full_height), &photo.content)
    }

    /// Judges a decoded photo. Blocking and CPU-bound.
    ///
    /// # Errors
    /// A [`Rejection`] when there is no verdict: `007`, `051`, `052` or `005`.
    pub fn judge(&self, photo: &Photo) -> Result<Verdict, Rejection> {
        let EngineConfig {
            limits, thresholds, ..
        } = &self.config;
        let located;
        let (photo, faces) = match &photo.faces {
            Some(faces) => (photo, faces.as_slice()),
            None => {
                located = self.locate(photo.clone())?;
                (&located, located.faces.as_deref().unwrap_or_default())
            }
        };
        let mut watch = Stopwatch::start();

        self.check_size(photo)?;
        let face = thresholds.single_face(faces)?;
        // What is judged is the content, and nothing else.
        let content = photo.content_here();
        let shown = photo.cut();
        let inside = face.moved(-(content.x0 as f32), -(content.y0 as f32));
        limits.check_visible(&inside, shown.width, shown.height)?;
        let whole_face = face.scaled(photo.reduction as f32);
        limits.check_face(&whole_face)?;
        let detect_ms = photo.detect_ms + watch.lap();

        let mask_score = self.mask.score(&shown, &inside.landmarks)?;
        if let Err(rejection) = thresholds.no_mask(mask_score) {
            return match self.not_upright(photo, &face)? {
                Some(upright) => self.judge(&upright),
                None => Err(rejection),
            };
        }
        let mask_ms = watch.lap();

        let liveness = self.judge_cut(&shown, &inside)?;
        let liveness_ms = watch.lap();

        let quality = quality::measure(&shown, &inside.bbox)?;
        Ok(Verdict {
            live: liveness.live,
            score: liveness.score,
            logit: liveness.logit,
            details: Details {
                face: whole_face,
                mask_score,
                attack_score: liveness.attack_score,
                image: ImageInfo {
                    width: photo.full_width,
                    height: photo.full_height,
                    content: photo.content,
                    rotated: photo.rotated,
                    format: photo.format,
                },
                quality,
                thresholds: *thresholds,
                models: self.models(),
                runtime: self.runtime.info(),
                timings: Timings {
                    decode_ms: photo.decode_ms,
                    detect_ms,
                    mask_ms,
                    liveness_ms,
                    total_ms: photo.decode_ms + photo.detect_ms + watch.total(),
                },
                findings: None,
            },
        })
    }

    /// Everything that a person could improve in a photo, whatever became of it: `judged` is what
    /// [`Engine::judge`] gave for it. Empty where nothing stands out. Blocking and CPU-bound.
    ///
    /// # Errors
    /// [`Rejection::Internal`] (`005`) when the face cannot be cut out.
    pub fn findings(
        &self,
        photo: &Photo,
        judged: Result<&Verdict, &Rejection>,
    ) -> Result<Vec<Finding>, Rejection> {
        /// A candidate below is no face that findings could be about.
        const LEAST_SCORE: f32 = 0.4;

        let mut turned = None;
        if let Ok(verdict) = judged {
            // What was judged may have been turned further.
            let further = (360 + verdict.details.image.rotated - photo.rotated) % 360;
            if further != 0 {
                turned = Some(photo.turned(further / 90));
            }
        }
        let photo = turned.as_ref().unwrap_or(photo);
        let located = match (&photo.faces, judged) {
            // Too small a photo was not looked at.
            (Some(faces), Ok(_)) => faces.clone(),
            (Some(faces), Err(_)) if !faces.is_empty() => faces.clone(),
            _ => self.faces(photo)?,
        };
        let content = photo.content_here();
        let faces: Vec<Face> = located
            .iter()
            .filter(|face| face.score >= LEAST_SCORE)
            .map(|face| face.moved(-(content.x0 as f32), -(content.y0 as f32)))
            .collect();
        findings::find(&self.config.findings, photo, &photo.cut(), &faces)
    }

    /// The photo turned by 90°, 180° or 270° so that it has one face, and that face's score: as it is seen
    /// most clearly, for the detector sees many a face the other way round too. `None` where it has none,
    /// or several in one of them.
    fn clearest_turned(&self, photo: &Photo) -> Result<Option<(Photo, f32)>, Rejection> {
        let mut clearest: Option<(Photo, f32)> = None;
        for quarters in 1..4 {
            let mut turned = photo.turned(quarters);
            let faces = self.faces(&turned)?;
            match self.single_face(&faces) {
                Ok(face)
                    if face.score >= TURNED_FACE
                        && clearest
                            .as_ref()
                            .is_none_or(|(_, score)| face.score > *score) =>
                {
                    turned.faces = Some(faces);
                    clearest = Some((turned, face.score));
                }
                Ok(_) => {}
                Err(Rejection::FaceCount { scores, .. }) if scores.is_empty() => {}
                Err(_) => return Ok(None),
            }
        }
        Ok(clearest)
    }

    /// The photo turned, when its face, taken for a masked one, is not upright: turned, it is seen more
    /// clearly. To the mask net a forehead is a mask.
    fn not_upright(&self, photo: &Photo, face: &Face) -> Result<Option<Photo>, Rejection> {
        if photo.rotated != 0 {
            return Ok(None);
        }
        let mut watch = Stopwatch::start();
        let Some((mut turned, score)) = self.clearest_turned(photo)? else {
            return Ok(None);
        };
        turned.detect_ms += watch.lap();
        Ok((score > face.score).then_some(turned))
    }

    /// Judges a given face, whatever limits, face and mask thresholds say: for
    /// measuring how verdicts change with the box. Blocking and CPU-bound.
    ///
    /// `face` is in pixels of the photo as it was decoded (see [`Photo::reduction`]) and may reach beyond its border, as the detector's do.
    ///
    /// # Errors
    /// [`Rejection::Internal`] (`005`) when there is nothing to cut out, such as an empty box.
    pub fn judge_face(&self, photo: &Photo, face: &Face) -> Result<FaceLiveness, Rejection> {
        let content = photo.content_here();
        let inside = face.moved(-(content.x0 as f32), -(content.y0 as f32));
        self.judge_cut(&photo.cut(), &inside)
    }

    /// As [`Self::judge_face`], of a photo without its border.
    fn judge_cut(&self, photo: &Photo, face: &Face) -> Result<FaceLiveness, Rejection> {
        let liveness = self.liveness.judge(photo, face)?;
        let score = self.config.calibration.score(liveness.logit);
        Ok(FaceLiveness {
            live: self.config.thresholds.is_live(score),
            score,
            logit: liveness.logit,
            attack_score: liveness.attack_score,
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
