//! What a person could improve in a photo, all of it at once: each measure with its limit and a hint.
//!
//! Findings explain and decide nothing: no photo is refused or judged otherwise because of one. They
//! are measured on the face region only when somebody asks for them. Light and blur are measured on a
//! patch of a fixed size, so that they do not depend on the camera's resolution; compression and
//! enlargement show in the pixels themselves, and do not show in a photo that was read at a reduced size.

mod limits;
mod measure;
mod pose;

use std::fmt;

use serde::Serialize;

use crate::{
    Photo,
    detect::Face,
    error::{EngineError, Rejection},
};
use measure::{Light, Pixels, Surroundings};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Share of the face box outside the picture.
    FaceCutOff,
    /// Larger of the face's shares of the picture's width and height.
    FaceTooClose,
    /// Width of the face box, pixels.
    FaceSmall,
    /// Degrees by which the head is turned to a side.
    PoseYaw,
    /// Degrees by which the head is raised or lowered.
    PosePitch,
    /// Degrees by which the head is tilted to a shoulder.
    PoseRoll,
    /// Finest detail of the face over coarser detail: least where it is blurred.
    Blur,
    /// Mean luma of the face, 0 to 1.
    Dark,
    /// Share of the face in which the light is too strong for the camera.
    Bright,
    /// Mean luma about the face less that of the face.
    Backlight,
    /// Share of the face that is white.
    Glare,
    /// Range of the luma of the face and what is about it, without the outer hundredths.
    LowContrast,
    /// Steps at the edges of compressed blocks over those between other pixels.
    StrongCompression,
    /// Detail of single pixels: least where they were enlarged. Not told in the dark.
    Upscaled,
    /// Mean difference of a pixel's strongest and weakest channel, 0 to 1.
    Greyscale,
    /// Share of the photo that is a border of one colour.
    Border,
    /// Degrees by which the photo had to be turned.
    Rotated,
    /// Score of another face.
    SecondFace,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The photo is judged all the same; another one would be better.
    Info,
    /// Such photos are refused more often.
    Warning,
}

/// One thing that a person could improve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// What was measured.
    pub value: f32,
    /// The limit that it is beyond.
    pub limit: f32,
    /// How much it matters.
    pub severity: Severity,
    /// What to do, for the person in front of the camera.
    pub hint: &'static str,
}

/// Declares [`FindingLimits`], a field for each check.
macro_rules! limits {
    ($($field:ident: $Check:ident $beyond:ident;)+) => {
        /// The values from which on there is a finding; see [`Check`] for what each measures.
        ///
        /// `training/livecheck_training/findings` measures the defaults on portraits of the training sets.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct FindingLimits {
            $(#[doc = concat!("Limit of [`Check::", stringify!($Check), "`].")] pub $field: f32,)+
        }

        impl FindingLimits {
            /// Checks that every limit is a number.
            ///
            /// # Errors
            /// [`EngineError::Setting`] names the first one that is not.
            pub(crate) fn validate(&self) -> Result<(), EngineError> {
                $(if !self.$field.is_finite() {
                    return Err(EngineError::Setting {
                        setting: concat!("finding_", stringify!($field)),
                        value: self.$field.to_string(),
                        allowed: "a finite number",
                    });
                })+
                Ok(())
            }

            /// The limit, and whether values below it are findings (else those above it are).
            fn of(&self, check: Check) -> (f32, Beyond) {
                match check {
                    $(Check::$Check => (self.$field, Beyond::$beyond),)+
                }
            }
        }

        impl Check {
            /// Every check, in the order of the findings.
            pub const ALL: &[Self] = &[$(Self::$Check),+];

            /// As the API names it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Check => stringify!($field),)+
                }
            }
        }
    };
}

/// On which side of its limit a value is a finding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Above,
    Below,
}

limits! {
    face_cut_off: FaceCutOff Above;
    face_too_close: FaceTooClose Above;
    face_small: FaceSmall Below;
    pose_yaw: PoseYaw Above;
    pose_pitch: PosePitch Above;
    pose_roll: PoseRoll Above;
    blur: Blur Below;
    dark: Dark Below;
    bright: Bright Above;
    backlight: Backlight Above;
    glare: Glare Above;
    low_contrast: LowContrast Below;
    strong_compression: StrongCompression Above;
    upscaled: Upscaled Below;
    greyscale: Greyscale Below;
    border: Border Above;
    rotated: Rotated Above;
    second_face: SecondFace Above;
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Default for FindingLimits {
    fn default() -> Self {
        limits::MEASURED
    }
}

impl Check {
    /// Whether such photos are refused more often.
    fn severity(self) -> Severity {
        match self {
            Self::Border | Self::Rotated | Self::SecondFace => Severity::Info,
            _ => Severity::Warning,
        }
    }

    /// What to do, in words for the person in front of the camera.
    fn hint(self) -> &'static str {
        match self {
            Self::FaceCutOff => "Move so that your whole face is in the picture.",
            Self::FaceTooClose => "Hold the camera a little further away.",
            Self::FaceSmall => "Come closer to the camera, and send the photo at full size.",
            Self::PoseYaw => "Turn your face towards the camera.",
            Self::PosePitch => "Hold the camera at eye level and look straight at it.",
            Self::PoseRoll => "Hold your head and the camera upright.",
            Self::Blur => "Hold still, wipe the lens, and let the camera focus on your face.",
            Self::Dark => "Go where there is more light, or turn on a lamp in front of you.",
            Self::Bright => "Go out of the strong light, or turn off the flash.",
            Self::Backlight => {
                "Turn so that the window or lamp is in front of you, not behind you."
            }
            Self::Glare => "Move so that no lamp or window shines off your face or glasses.",
            Self::LowContrast => "Wipe the lens, and look for more even, brighter light.",
            Self::StrongCompression => {
                "Send the photo as the camera saved it, not through a messenger or as a screenshot."
            }
            Self::Upscaled => "Send the original photo, not an enlarged copy or a digital zoom.",
            Self::Greyscale => "Turn off the black-and-white filter and take the photo in colour.",
            Self::Border => "Send the photo without a frame or bars around it.",
            Self::Rotated => "Hold the camera upright when you take the photo.",
            Self::SecondFace => "Make sure that nobody else, and no picture of a face, is in view.",
        }
    }
}

/// Share of a face box that another one must overlap to be the same face.
const SAME_FACE: f32 = 0.3;

/// Degrees to either side, 0 to 180, in the photo before it was turned clockwise by `rotated`.
fn tilt(roll: f32, rotated: u16) -> f32 {
    let before = (roll - f32::from(rotated)).rem_euclid(360.0);
    before.min(360.0 - before)
}

/// Mean luma of a face, and range of the luma about it, from which single pixels show detail.
const ENOUGH_LIGHT: f32 = 0.15;
const ENOUGH_RANGE: f32 = 0.4;

/// The findings about a photo without its border (`shown`), whose faces, best first and in its pixels,
/// are `faces`.
///
/// # Errors
/// [`Rejection::Internal`] when nothing can be cut out.
pub(crate) fn find(
    limits: &FindingLimits,
    photo: &Photo,
    shown: &Photo,
    faces: &[Face],
) -> Result<Vec<Finding>, Rejection> {
    let mut found = Found {
        limits,
        findings: Vec::new(),
    };
    // Without a face the middle of the picture stands for it: light can be told all the same.
    let bbox = match faces.first() {
        Some(face) => {
            let enlarged = photo.reduction as f32;
            let visible = crate::policy::visible_share(&face.bbox, shown.width, shown.height);
            let share = (face.bbox.width() / shown.width as f32)
                .max(face.bbox.height() / shown.height as f32);
            let [yaw, pitch, roll] = pose::degrees(&face.landmarks);
            found.add(Check::FaceCutOff, 1.0 - visible);
            found.add(Check::FaceTooClose, share);
            found.add(Check::FaceSmall, face.bbox.width() * enlarged);
            found.add(Check::PoseYaw, yaw.abs());
            found.add(Check::PosePitch, pitch.abs());
            found.add(Check::PoseRoll, tilt(roll, photo.rotated));
            face.bbox
        }
        None => measure::middle(shown),
    };
    let light = Light::measure(shown, &bbox)?;
    if faces.is_empty() {
        found.add(Check::Dark, light.mean);
        found.add(Check::Bright, light.clipped);
    } else {
        let about = Surroundings::measure(shown, &bbox);
        found.add(Check::Blur, light.fineness);
        found.add(Check::Dark, light.mean);
        found.add(Check::Bright, light.clipped);
        found.add(Check::Backlight, about.mean - light.mean);
        found.add(Check::Glare, light.white);
        found.add(Check::LowContrast, about.range);
        if photo.reduction == 1 {
            let pixels = Pixels::measure(shown, &bbox);
            found.add(Check::StrongCompression, pixels.blocks);
            // In the dark and in haze there is little detail in any pixels.
            if light.mean >= ENOUGH_LIGHT && about.range >= ENOUGH_RANGE {
                found.add(Check::Upscaled, light.fineness * pixels.detail);
            }
        }
    }
    found.add(Check::Greyscale, light.colour);
    let area = |width: u32, height: u32| width as f32 * height as f32;
    let whole = area(photo.full_width, photo.full_height).max(1.0);
    let content = photo.content();
    found.add(
        Check::Border,
        1.0 - area(content.width(), content.height()) / whole,
    );
    let turned = f32::from(photo.rotated);
    found.add(Check::Rotated, turned.min(360.0 - turned));
    if let [first, others @ ..] = faces
        && let Some(other) = others
            .iter()
            .find(|other| other.bbox.iou(&first.bbox) < SAME_FACE)
    {
        found.add(Check::SecondFace, other.score);
    }
    Ok(found.findings)
}

struct Found<'a> {
    limits: &'a FindingLimits,
    findings: Vec<Finding>,
}

impl Found<'_> {
    fn add(&mut self, check: Check, value: f32) {
        let (limit, beyond) = self.limits.of(check);
        let is_finding = match beyond {
            Beyond::Above => value > limit,
            Beyond::Below => value < limit,
        };
        if is_finding {
            self.findings.push(Finding {
                check,
                value,
                limit,
                severity: check.severity(),
                hint: check.hint(),
            });
        }
    }
}
