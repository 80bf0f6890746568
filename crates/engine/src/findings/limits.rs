//! Written by `python -m livecheck_training.findings`; change nothing by hand.

use super::FindingLimits;

/// The limits, as they were measured.
pub(super) const MEASURED: FindingLimits = FindingLimits {
    face_cut_off: 0.0094,
    face_too_close: 0.82,
    face_small: 110.0,
    pose_yaw: 79.0,
    pose_pitch: 21.0,
    pose_roll: 20.0,
    blur: 0.011,
    dark: 0.12,
    bright: 0.56,
    backlight: 0.59,
    glare: 0.24,
    low_contrast: 0.45,
    strong_compression: 2.4,
    upscaled: 0.13,
    greyscale: 0.02,
    border: 0.0,
    rotated: 0.0,
    second_face: 0.5,
};
