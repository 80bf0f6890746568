//! Written by `python -m livecheck_training.findings`; change nothing by hand.

use super::FindingLimits;

/// The limits, as they were measured.
pub(super) const MEASURED: FindingLimits = FindingLimits {
    face_cut_off: 0.0845,
    face_too_close: 0.815,
    face_small: 110.0,
    pose_yaw: 78.8,
    pose_pitch: 22.9,
    pose_roll: 22.1,
    blur: 0.0155,
    dark: 0.0997,
    bright: 0.5,
    backlight: 0.541,
    glare: 0.313,
    low_contrast: 0.459,
    strong_compression: 1.46,
    upscaled: 0.177,
    greyscale: 0.0,
    border: 0.0,
    rotated: 0.0,
    second_face: 0.5,
};
