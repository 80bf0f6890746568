//! Measures of the photo's quality at the face: informative, no decision uses them.

use crate::{crop, error::Rejection, face::BBox, photo::Photo, verdict::Quality};

/// Side of the grey face patch that the measures are taken on, pixels: a fixed scale makes
/// sharpness comparable between photos.
const SIDE: u32 = 128;

/// Measures the face region of a photo.
#[expect(clippy::cast_precision_loss, reason = "sides of images")]
pub(crate) fn measure(photo: &Photo, face: &BBox) -> Result<Quality, Rejection> {
    let luma: Vec<f32> = crop::face_crop(photo, face, SIDE)?
        .chunks_exact(3)
        .map(luma)
        .collect();
    let (brightness, variance) = mean_and_variance(luma.iter().copied());
    let side = SIDE as usize;
    let laplacian = (1..side - 1).flat_map(|y| (1..side - 1).map(move |x| y * side + x));
    let (_, sharpness) = mean_and_variance(laplacian.map(|at| {
        let around = luma[at - 1] + luma[at + 1] + luma[at - side] + luma[at + side];
        255.0 * (around - 4.0 * luma[at])
    }));
    Ok(Quality {
        face_share: face.width() / photo.width as f32,
        brightness,
        contrast: variance.sqrt(),
        sharpness,
    })
}

/// Luma of an RGB pixel, 0 to 1 (ITU-R BT.601).
pub(crate) fn luma(pixel: &[u8]) -> f32 {
    (0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]))
        / 255.0
}

pub(crate) fn mean_and_variance(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let (mut count, mut sum, mut squares) = (0.0_f64, 0.0_f64, 0.0_f64);
    for value in values {
        let value = f64::from(value);
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    let mean = sum / count;
    #[expect(clippy::cast_possible_truncation, reason = "moments of small numbers")]
    (mean as f32, (squares / count - mean * mean).max(0.0) as f32)
}
