//! What a person could improve in a photo, all of it at once: each measure with its limit and a hint.
//!
//! Findings explain and decide nothing: no photo is refused or judged otherwise because of one. They
//! are measured on the face region only when somebody asks for them. Light and blur are measured on a
//! patch of a fixed size, so that they do not depend on the camera's resolution; compression and
//! enlargement show in the pixels themselves, and do not show in a photo that was read at a reduced size.

mod check;
mod limits;
mod measure;
mod pose;

use crate::{error::Rejection, face::Face, photo::Photo};
use check::Beyond;
use measure::{Light, Pixels, Surroundings};

pub use check::{Check, Finding, FindingLimits, Severity};

impl Default for FindingLimits {
    fn default() -> Self {
        limits::MEASURED
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

/// Share of the sides of a face box by which it is widened before it counts what of it is outside: a box
/// that ends at the photo's edge stands for a face that does not.
const CUT_MARGIN: f32 = 0.03;

/// The faces of a photo.
pub(crate) struct Faces<'a> {
    /// Best first.
    pub(crate) all: &'a [Face],
    /// Degrees that the best is turned clockwise.
    pub(crate) roll: f32,
}

/// The findings about a photo without its border (`shown`), in whose pixels the faces are.
///
/// # Errors
/// [`Rejection::Internal`] when nothing can be cut out.
pub(crate) fn find(
    limits: &FindingLimits,
    photo: &Photo,
    shown: &Photo,
    faces: &Faces<'_>,
) -> Result<Vec<Finding>, Rejection> {
    let Faces { all: faces, roll } = *faces;
    let mut found = Found {
        limits,
        findings: Vec::new(),
    };
    // Without a face the middle of the picture stands for it: light can be told all the same.
    let bbox = match faces.first() {
        Some(face) => {
            let enlarged = photo.reduction as f32;
            let wide = face.bbox.widened(CUT_MARGIN);
            let visible = crate::policy::visible_share(&wide, shown.width, shown.height);
            let share = (face.bbox.width() / shown.width as f32)
                .max(face.bbox.height() / shown.height as f32);
            let [yaw, pitch] = pose::degrees(&face.landmarks);
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
