//! What is looked at, and from which value on there is something to say of it.

use std::fmt;

use serde::Serialize;

use crate::error::EngineError;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Share of the face box, a little widened, outside the picture.
    FaceCutOff,
    /// Larger of the face's shares of the picture's width and height.
    FaceTooClose,
    /// Width of the face box, pixels.
    FaceSmall,
    /// Degrees by which the head is turned to a side.
    PoseYaw,
    /// Degrees by which the head is raised or lowered.
    PosePitch,
    /// Degrees by which the head is tilted to a shoulder, looked at again in that position.
    PoseRoll,
    /// Finest detail of the face over coarser detail: least where it is blurred.
    Blur,
    /// Mean luma of the face, 0 to 1.
    Dark,
    /// Share of the colour values of the face that the light is too strong for.
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The photo is judged all the same; another one would be better.
    Info,
    /// Such photos are refused more often.
    Warning,
}

/// One thing that a person could improve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// What was measured.
    pub value: f32,
    /// The limit that it is beyond: a setting.
    pub limit: f32,
    /// `warning`: such photos are refused more often. `info`: another photo would be better.
    pub severity: Severity,
    /// What to do, in words for the person in front of the camera.
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
            pub(super) fn of(&self, check: Check) -> (f32, Beyond) {
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
pub(super) enum Beyond {
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

impl Check {
    /// Whether such photos are refused more often.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Border | Self::Rotated | Self::SecondFace => Severity::Info,
            _ => Severity::Warning,
        }
    }

    /// What to do, in words for the person in front of the camera.
    pub(super) fn hint(self) -> &'static str {
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
