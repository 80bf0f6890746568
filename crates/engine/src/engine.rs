//! The pipeline: a file is located ([`Engine::locate`]), what was located is judged ([`Engine::judge`]).

use std::sync::Arc;

use livecheck_image::decode;

use crate::{
    calibration::ScoreCalibration,
    detect::FaceDetector,
    error::{EngineError, Rejection},
    face::Face,
    findings::{self, Finding, FindingLimits},
    inference::{self, ModelInfo, Runtime, RuntimeSettings},
    liveness::LivenessClassifier,
    locate::{Located, Locator},
    mask::MaskClassifier,
    photo::Photo,
    policy::{Limits, Thresholds},
    quality, self_test,
    stopwatch::Stopwatch,
    verdict::{Details, FaceLiveness, ImageInfo, Timings, Verdict},
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
    /// As there, and a runtime that is unavailable.
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

    /// Judges one image file: [`Engine::locate`], then [`Engine::judge`].
    ///
    /// # Errors
    /// As both.
    pub fn check(&self, file: &[u8]) -> Result<Verdict, Rejection> {
        self.judge(&self.locate(file)?)
    }

    /// Reads one image file (JPEG, PNG or WebP) into upright pixels, as many as judging needs, and
    /// looks for its borders and faces. Of a large JPEG that is a reduced picture in which its face
    /// is still 320 pixels wide. Blocking and CPU-bound; never panics on hostile bytes.
    ///
    /// ```
    /// use livecheck_engine::{Engine, EngineConfig};
    /// # use livecheck_testing::{drawn, portrait::portrait};
    ///
    /// let engine = Engine::new(EngineConfig::default())?;
    /// # let file = drawn::jpeg_of(&portrait(720, 900), false);
    /// let located = engine.locate(&file)?;
    /// for face in &located.faces {
    ///     println!("a face {:.0} pixels wide", face.bbox.width());
    /// }
    /// let verdict = engine.judge(&located)?;
    /// assert_eq!(verdict.details.face, located.faces[0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Rejection::TooLarge`] (`003`) or [`Rejection::UnreadableImage`] (`002`).
    pub fn locate(&self, file: &[u8]) -> Result<Located, Rejection> {
        self.locator().file(file)
    }

    /// As [`Engine::locate`], at the full size whatever the file.
    ///
    /// # Errors
    /// As there.
    pub fn locate_whole(&self, file: &[u8]) -> Result<Located, Rejection> {
        self.locator().whole_file(file)
    }

    /// As [`Engine::locate`], of pixels.
    ///
    /// # Errors
    /// [`Rejection::Internal`] (`005`) when a net fails.
    pub fn locate_photo(&self, photo: Photo) -> Result<Located, Rejection> {
        self.locator().photo(photo)
    }

    /// Judges a located photo. Blocking and CPU-bound.
    ///
    /// # Errors
    /// A [`Rejection`] when there is no verdict: `007`, `051`, `052` or `005`.
    pub fn judge(&self, located: &Located) -> Result<Verdict, Rejection> {
        let EngineConfig {
            limits, thresholds, ..
        } = &self.config;
        let photo = &located.photo;
        let mut watch = Stopwatch::start();

        limits.check_image(photo.full_size(), &photo.content)?;
        let face = thresholds.check_face_count(&located.faces)?;
        // What is judged is the content, and nothing else.
        let (shown, inside) = (photo.cut(), face.inside(&photo.content_here()));
        limits.check_visible(&inside, shown.width, shown.height)?;
        let whole_face = face.scaled(photo.reduction as f32);
        limits.check_face(&whole_face)?;
        let detect_ms = located.timings.detect_ms + watch.lap();

        let mask_score = self.mask.score(&shown, &inside.landmarks)?;
        if let Err(rejection) = thresholds.check_mask(mask_score) {
            return match self.locator().turned_upright(located, &face)? {
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
                image: photo.info(),
                quality,
                thresholds: *thresholds,
                models: self.models(),
                runtime: self.runtime.info(),
                timings: Timings {
                    decode_ms: located.timings.decode_ms,
                    detect_ms,
                    mask_ms,
                    liveness_ms,
                    total_ms: located.timings.total_ms + watch.total(),
                },
                findings: None,
            },
        })
    }

    /// Judges a given face, whatever limits, face and mask thresholds say: for
    /// measuring how verdicts change with the box. Blocking and CPU-bound.
    ///
    /// `face` is in pixels of the photo as it was decoded (see [`Photo::reduction`]) and may reach beyond its border, as the detector's do.
    ///
    /// # Errors
    /// [`Rejection::Internal`] (`005`) when there is nothing to cut out, such as an empty box.
    pub fn judge_face(&self, photo: &Photo, face: &Face) -> Result<FaceLiveness, Rejection> {
        self.judge_cut(&photo.cut(), &face.inside(&photo.content_here()))
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

    /// Everything that a person could improve in a photo, whatever became of it: `judged` is what
    /// [`Engine::judge`] gave for it. Empty where nothing stands out. Blocking and CPU-bound.
    ///
    /// # Errors
    /// [`Rejection::Internal`] (`005`) when the face cannot be cut out.
    pub fn findings(
        &self,
        located: &Located,
        judged: Result<&Verdict, &Rejection>,
    ) -> Result<Vec<Finding>, Rejection> {
        /// A candidate below is no face that findings could be about.
        const LEAST_SCORE: f32 = 0.4;

        let mut photo = &located.photo;
        let turned;
        let looked_again;
        let faces = match judged {
            Ok(verdict) if verdict.details.image.rotated != photo.rotated => {
                // What was judged was turned further.
                let further = (360 + verdict.details.image.rotated - photo.rotated) % 360;
                turned = photo.turned(further / 90);
                photo = &turned;
                looked_again = self.locator().faces(photo)?;
                &looked_again
            }
            // Too small a photo was not looked at.
            Err(_) if located.faces.is_empty() => {
                looked_again = self.locator().faces(photo)?;
                &looked_again
            }
            _ => &located.faces,
        };
        let content = photo.content_here();
        let faces: Vec<Face> = faces
            .iter()
            .filter(|face| face.score >= LEAST_SCORE)
            .map(|face| face.inside(&content))
            .collect();
        let shown = photo.cut();
        let roll = faces.first().map(|face| self.detector.roll(&shown, face));
        let faces = findings::Faces {
            all: &faces,
            roll: roll.transpose()?.unwrap_or(0.0),
        };
        findings::find(&self.config.findings, photo, &shown, &faces)
    }

    /// What kind of image a file is, once all of it was decoded. Looks for no face.
    ///
    /// # Errors
    /// As [`Engine::locate`].
    pub fn inspect(&self, file: &[u8]) -> Result<ImageInfo, Rejection> {
        Ok(Photo::from(decode(file, &self.config.limits.of_file())?).info())
    }

    /// Runs every net on a drawn pattern and compares with the answers recorded when the models
    /// were made: tells whether this machine computes what was measured.
    ///
    /// # Errors
    /// [`EngineError::SelfTest`] says what differed.
    pub fn self_test(&self) -> Result<(), EngineError> {
        let mask = (inference::FACE_MASK.name, self.mask.network());
        let detector = self.detector.networks().into_iter();
        self_test::run(detector.chain([mask]).chain(self.liveness.networks()))
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The runtime in force.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The models inside.
    #[must_use]
    pub fn models(&self) -> &'static [ModelInfo] {
        inference::infos()
    }

    fn locator(&self) -> Locator<'_> {
        Locator {
            detector: &self.detector,
            limits: &self.config.limits,
            thresholds: &self.config.thresholds,
        }
    }
}
