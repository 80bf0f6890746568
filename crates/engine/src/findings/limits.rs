//! Written by `python -m livecheck_training.findings`; change nothing by hand.

use super::FindingLimits;

/// The limits, as they were measured.
pub(super) const MEASURED: FindingLimits = FindingLimits {
    face_cut_off: 0.00935,
    face_too_close: 0.815,
    face_small: 110.0,
    pose_yaw: 78.8,
    pose_pitch: 20.8,
    pose_roll: 21.7,
    blur: 0.011,
    dark: 0.122,
    bright: 0.555,
    backlight: 0.642,
    glare: 0.32,
    low_contrast: 0.501,
    strong_compression: 2.37,
    upscaled: 0.133,
    greyscale: 0.02,
    border: 0.0,
    rotated: 0.0,
    second_face: 0.5,
};
