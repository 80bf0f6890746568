//! Whether a verdict holds when the same photo comes a little differently: the face box a little
//! moved or scaled, the file compressed again, the picture made smaller.

use image::{RgbImage, codecs::jpeg::JpegEncoder, imageops};
use livecheck_engine::{BBox, Engine, Photo, Rate, Rejection, Verdict};
use serde::{Deserialize, Serialize};

use crate::interval::rate;

/// Most of the verdicts that any disturbance may turn.
pub const MOST_TURNED: f64 = 0.03;

/// How far a box is moved, in sides of the box.
const MOVE: f32 = 0.10;

/// How much a box grows or shrinks.
const SCALE: f32 = 0.15;

/// Quality of the repeated compression, 1 to 100.
const JPEG_QUALITY: u8 = 75;

/// Size of the smaller picture in percent.
const SMALLER_PERCENT: u32 = 75;

/// What is done to a photo, in the order of the reports.
pub const DISTURBANCES: [&str; 8] = [
    "box 10 % to the left",
    "box 10 % to the right",
    "box 10 % up",
    "box 10 % down",
    "box 15 % larger",
    "box 15 % smaller",
    "compressed again (JPEG 75)",
    "resized to 75 %",
];

/// Which of the [`DISTURBANCES`] turn a verdict.
pub type Turned = [bool; DISTURBANCES.len()];

/// One disturbance and the share of verdicts that it turned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// What was done.
    pub name: String,
    /// Verdicts turned.
    pub turned: Rate,
}

/// How verdicts hold against small disturbances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// The threshold in force.
    pub threshold: f64,
    /// Most of the verdicts that any disturbance may turn, 0 to 1.
    pub allowed: f64,
    /// Each disturbance.
    pub disturbances: Vec<Disturbance>,
}

impl Stability {
    /// From what [`turned`] said of each photo with a verdict.
    #[must_use]
    pub fn new(threshold: f64, photos: &[Turned]) -> Self {
        let of = photos.len() as u64;
        Self {
            threshold,
            allowed: MOST_TURNED,
            disturbances: DISTURBANCES
                .iter()
                .enumerate()
                .map(|(at, name)| Disturbance {
                    name: (*name).to_owned(),
                    turned: rate(photos.iter().filter(|turned| turned[at]).count() as u64, of),
                })
                .collect(),
        }
    }

    /// The disturbance that turned most.
    #[must_use]
    pub fn worst(&self) -> Option<&Disturbance> {
        self.disturbances
            .iter()
            .max_by(|a, b| a.turned.rate.total_cmp(&b.turned.rate))
    }
}

/// Which disturbances turn the verdict of a photo.
///
/// # Errors
/// As [`Engine::judge_face`].
pub fn turned(engine: &Engine, photo: &Photo, verdict: &Verdict) -> Result<Turned, Rejection> {
    // The verdict's box is in pixels of the whole photo.
    let bbox = reduced(&verdict.details.face.bbox, photo.reduction());
    let compressed = compressed(photo)?;
    let smaller = smaller(photo);
    let scale = smaller.width as f32 / photo.width as f32;
    let mut turned = [false; DISTURBANCES.len()];
    for (turned, (photo, bbox)) in turned.iter_mut().zip([
        (photo, bbox.moved(-MOVE, 0.0)),
        (photo, bbox.moved(MOVE, 0.0)),
        (photo, bbox.moved(0.0, -MOVE)),
        (photo, bbox.moved(0.0, MOVE)),
        (photo, grown(&bbox, 1.0 + SCALE)),
        (photo, grown(&bbox, 1.0 - SCALE)),
        (&compressed, bbox),
        (&smaller, scaled(&bbox, scale)),
    ]) {
        *turned = engine.judge_face(photo, &bbox)?.live != verdict.live;
    }
    Ok(turned)
}

/// Scaled about its middle.
fn grown(bbox: &BBox, factor: f32) -> BBox {
    let (x, y) = (
        bbox.width() * (factor - 1.0) / 2.0,
        bbox.height() * (factor - 1.0) / 2.0,
    );
    BBox {
        x0: bbox.x0 - x,
        y0: bbox.y0 - y,
        x1: bbox.x1 + x,
        y1: bbox.y1 + y,
    }
}

/// As it lies in a picture scaled by this factor.
fn scaled(bbox: &BBox, factor: f32) -> BBox {
    BBox {
        x0: bbox.x0 * factor,
        y0: bbox.y0 * factor,
        x1: bbox.x1 * factor,
        y1: bbox.y1 * factor,
    }
}

fn reduced(bbox: &BBox, reduction: u32) -> BBox {
    let [x0, y0, x1, y1] = [bbox.x0, bbox.y0, bbox.x1, bbox.y1].map(|at| at / reduction as f32);
    BBox { x0, y0, x1, y1 }
}

fn raster(photo: &Photo) -> RgbImage {
    RgbImage::from_raw(photo.width, photo.height, photo.rgb.clone()).unwrap_or_default()
}

fn like(photo: &Photo, raster: RgbImage) -> Photo {
    let (width, height) = raster.dimensions();
    Photo::new(width, height, raster.into_raw(), photo.format)
}

fn compressed(photo: &Photo) -> Result<Photo, Rejection> {
    let failed = |error: image::ImageError| Rejection::Internal(error.to_string());
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY)
        .encode_image(&raster(photo))
        .map_err(failed)?;
    let decoded = image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg);
    Ok(like(photo, decoded.map_err(failed)?.into_rgb8()))
}

fn smaller(photo: &Photo) -> Photo {
    let side = |pixels: u32| (u64::from(pixels) * u64::from(SMALLER_PERCENT) / 100).max(1) as u32;
    let (width, height) = (side(photo.width), side(photo.height));
    // A triangle as wide as a pixel of the result: bilinear with antialiasing.
    let resized = imageops::resize(
        &raster(photo),
        width,
        height,
        imageops::FilterType::Triangle,
    );
    like(photo, resized)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: BBox = BBox {
        x0: 100.0,
        y0: 40.0,
        x1: 200.0,
        y1: 240.0,
    };

    #[test]
    fn boxes_move_and_grow_by_shares_of_their_sides() {
        let moved = BOX.moved(0.1, -0.1);
        assert_eq!(
            [moved.x0, moved.y0, moved.x1, moved.y1],
            [110.0, 20.0, 210.0, 220.0]
        );
        let grown = grown(&BOX, 1.5);
        assert_eq!(
            [grown.x0, grown.y0, grown.x1, grown.y1],
            [75.0, -10.0, 225.0, 290.0]
        );
    }

    #[test]
    fn shares_are_counted_by_disturbance() {
        let mut first = [false; DISTURBANCES.len()];
        first[7] = true;
        let stability = Stability::new(0.9, &[first, [false; DISTURBANCES.len()]]);
        assert_eq!(stability.disturbances[7].turned.rate, 0.5);
        assert_eq!(stability.disturbances[0].turned.errors, 0);
        assert_eq!(
            stability.worst().map(|worst| worst.name.as_str()),
            Some("resized to 75 %")
        );
    }
}
