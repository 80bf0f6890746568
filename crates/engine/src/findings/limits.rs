//! Written by `python -m livecheck_training.findings`; change nothing by hand.

use super::FindingLimits;

/// The limits, as they were measured.
pub(super) const MEASURED: FindingLimits = FindingLimits {
    face_cut_off: 0.08,
    face_too_close: 0.9,
    face_small: 110.0,
    pose_yaw: 55.0,
    pose_pitch: 25.0,
    pose_roll: 21.0,
    blur: 0.0145,
    dark: 0.13,
    bright: 0.8,
    backlight: 0.45,
    glare: 0.1,
    low_contrast: 0.4,
    strong_compression: 2.0,
    upscaled: 0.22,
    greyscale: 0.02,
    border: 0.0,
    rotated: 0.0,
    second_face: 0.5,
};
