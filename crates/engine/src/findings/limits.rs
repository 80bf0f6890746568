//! Written by `python -m livecheck_training.findings`; change nothing by hand.

use super::FindingLimits;

/// The limits, as they were measured.
pub(super) const MEASURED: FindingLimits = FindingLimits {
    face_cut_off: 0.00808,
    face_too_close: 0.815,
    face_small: 110.0,
    pose_yaw: 78.8,
    pose_pitch: 20.8,
    pose_roll: 27.9,
    blur: 0.0148,
    dark: 0.135,
    bright: 0.184,
    backlight: 0.568,
    glare: 0.227,
    low_contrast: 0.454,
    strong_compression: 2.21,
    upscaled: 0.133,
    greyscale: 0.02,
    border: 0.0,
    rotated: 0.0,
    second_face: 0.5,
};
