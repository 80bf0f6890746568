//! The only code that cuts and resizes. Each function has a twin in
//! `training/livecheck_training/crops.py`; golden files hold both to one grey level.
//!
//! Coordinates are pixels of the upright frame; pixel (0, 0) covers [0, 1) × [0, 1).

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use crate::{
    Photo,
    detect::{BBox, Landmarks},
    error::Rejection,
    network::InputSize,
};

/// Longer side of the detector's input, pixels.
pub(crate) const CANVAS_SIDE: u32 = 320;

/// The shorter sides that its input may have, pixels; the net takes multiples of 32. Few, because it
/// is prepared for each.
const SHORTER_SIDES: [u32; 3] = [192, 224, 256];

/// Least pixels between the photo and the end of a shorter input. Nearer, the end changes what the net
/// says of the photo: with this, scores are those of the full square within a hundredth for 19 faces
/// of 20, and boxes within a hundredth of their side (`detect.rs` tests it).
const CANVAS_MARGIN: u32 = 16;

/// Where left eye, right eye, nose and mouth corners lie in an aligned crop of side 1.
const FACE_TEMPLATE: [[f64; 2]; 5] = [
    [0.34, 0.38],
    [0.66, 0.38],
    [0.50, 0.56],
    [0.37, 0.72],
    [0.63, 0.72],
];

/// Most sub-samples an aligned crop takes along one side of an output pixel.
const MAX_SUBSAMPLES: u32 = 4;

/// A rectangle of the frame.
#[derive(Debug, Clone, Copy)]
struct Region {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// Part `region` of the photo at `width × height`, by an antialiased triangle filter (what Pillow
/// calls `BILINEAR`): interleaved RGB.
fn resize(
    photo: &Photo,
    region: Region,
    width: u32,
    height: u32,
) -> Result<Image<'static>, Rejection> {
    let internal = |reason: String| Rejection::Internal(format!("resizing failed: {reason}"));
    let source = ImageRef::new(photo.width, photo.height, &photo.rgb, PixelType::U8x3)
        .map_err(|e| internal(e.to_string()))?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(region.left, region.top, region.width, region.height);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .map_err(|e| internal(e.to_string()))?;
    Ok(target)
}

/// Interleaved RGB bytes → three planes of `f32` 0..255, the layout of every net here.
pub(crate) fn planes(rgb: &[u8]) -> Vec<f32> {
    let pixels = rgb.len() / 3;
    let mut planes = vec![0.0; pixels * 3];
    let (red, rest) = planes.split_at_mut(pixels);
    let (green, blue) = rest.split_at_mut(pixels);
    for (((pixel, r), g), b) in rgb.chunks_exact(3).zip(red).zip(green).zip(blue) {
        *r = f32::from(pixel[0]);
        *g = f32::from(pixel[1]);
        *b = f32::from(pixel[2]);
    }
    planes
}

/// The detector's input.
pub(crate) struct Letterbox {
    /// Interleaved RGB.
    pub(crate) rgb: Vec<u8>,
    pub(crate) size: InputSize,
    /// By which coordinates (x, y) in it must be divided to get coordinates of the photo.
    pub(crate) scales: [f32; 2],
}

/// The whole photo at the top left of a black canvas, 320 pixels long and as short as it may be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a scaled side lies between 1 and `size`"
)]
pub(crate) fn letterbox(photo: &Photo) -> Result<Letterbox, Rejection> {
    let (width, height) = (f64::from(photo.width), f64::from(photo.height));
    let scale = f64::from(CANVAS_SIDE) / width.max(height);
    let new_width = ((width * scale + 0.5).floor() as u32).clamp(1, CANVAS_SIDE);
    let new_height = ((height * scale + 0.5).floor() as u32).clamp(1, CANVAS_SIDE);
    let size = InputSize {
        width: canvas_side(new_width),
        height: canvas_side(new_height),
    };
    let whole = Region {
        left: 0.0,
        top: 0.0,
        width,
        height,
    };
    let resized = resize(photo, whole, new_width, new_height)?;
    let row_bytes = new_width as usize * 3;
    let mut rgb = vec![0; size.width as usize * size.height as usize * 3];
    for (to, from) in rgb
        .chunks_exact_mut(size.width as usize * 3)
        .zip(resized.buffer().chunks_exact(row_bytes))
    {
        to[..row_bytes].copy_from_slice(from);
    }
    let scales = [
        (f64::from(new_width) / width) as f32,
        (f64::from(new_height) / height) as f32,
    ];
    Ok(Letterbox { rgb, size, scales })
}

/// Side of the detector's input for a picture of `side` pixels there.
fn canvas_side(side: u32) -> u32 {
    let shorter = SHORTER_SIDES.into_iter();
    shorter
        .filter(|shorter| side + CANVAS_MARGIN <= *shorter)
        .min()
        .unwrap_or(CANVAS_SIDE)
}

/// The square of `factor` mean face sides about the face, shifted (not cut) to lie inside the
/// photo and shrunk only where it is larger than the photo, resized to `size × size`.
pub(crate) fn square_crop(
    photo: &Photo,
    face: &BBox,
    factor: f64,
    size: u32,
) -> Result<Vec<u8>, Rejection> {
    let (width, height) = (f64::from(photo.width), f64::from(photo.height));
    let [x0, y0, x1, y1] = [face.x0, face.y0, face.x1, face.y1].map(f64::from);
    let side = (factor * ((x1 - x0) + (y1 - y0)) / 2.0)
        .min(width)
        .min(height);
    let region = Region {
        left: ((x0 + x1) / 2.0 - side / 2.0).min(width - side).max(0.0),
        top: ((y0 + y1) / 2.0 - side / 2.0).min(height - side).max(0.0),
        width: side,
        height: side,
    };
    Ok(resize(photo, region, size, size)?.into_vec())
}

/// The grain net's view: the rectangle of `factor` face boxes about the face (the factor lowered
/// until it fits the photo, then shifted inside, in whole pixels) as `size × size` bilinear samples
/// at pixel centres. Not averaged, unlike every other crop: single pixels of the photo must show.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "coordinates are clamped to the photo, means of bytes are bytes"
)]
pub(crate) fn sampled_crop(photo: &Photo, face: &BBox, factor: f64, size: u32) -> Vec<u8> {
    let (width, height) = (f64::from(photo.width), f64::from(photo.height));
    let [x0, y0, x1, y1] = [face.x0, face.y0, face.x1, face.y1].map(f64::from);
    let (w, h) = ((x1 - x0).max(1.0), (y1 - y0).max(1.0));
    let factor = factor.min((height - 1.0) / h).min((width - 1.0) / w);
    let (w, h) = (w * factor, h * factor);
    let left = ((x0 + x1) / 2.0 - w / 2.0).min(width - 1.0 - w).max(0.0);
    let top = ((y0 + y1) / 2.0 - h / 2.0).min(height - 1.0 - h).max(0.0);
    let columns = Taps::new(left, left + w, photo.width, size);
    let rows = Taps::new(top, top + h, photo.height, size);
    let row_bytes = photo.width as usize * 3;
    let mut crop = Vec::with_capacity(size as usize * size as usize * 3);
    for &(upper, lower, down) in &rows.0 {
        for &(left, right, along) in &columns.0 {
            for channel in 0..3 {
                let at = |x: usize, y: usize| f32::from(photo.rgb[y * row_bytes + x * 3 + channel]);
                let above = at(left, upper) * (1.0 - along) + at(right, upper) * along;
                let below = at(left, lower) * (1.0 - along) + at(right, lower) * along;
                crop.push((above * (1.0 - down) + below * down + 0.5).floor() as u8);
            }
        }
    }
    crop
}

/// Along one axis, for each sample: the pixels before and after it, and the share of the latter.
struct Taps(Vec<(usize, usize, f32)>);

impl Taps {
    /// `wanted` samples between the whole pixels `from` and `to` of a side of `length` pixels.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "coordinates are clamped to the side"
    )]
    fn new(from: f64, to: f64, length: u32, wanted: u32) -> Self {
        let first = from as usize;
        let last = (to as usize).clamp(first, length.saturating_sub(1) as usize);
        let step = (last - first + 1) as f64 / f64::from(wanted);
        Self(
            (0..wanted)
                .map(|index| {
                    let at =
                        ((f64::from(index) + 0.5) * step - 0.5).clamp(0.0, (last - first) as f64);
                    let low = at as usize;
                    let share = (at - low as f64) as f32;
                    (first + low, (first + low + 1).min(last), share)
                })
                .collect(),
        )
    }
}

/// The face upright with its landmarks at [`FACE_TEMPLATE`], `size × size`, interleaved RGB.
///
/// Each output pixel is the mean of k × k bilinear samples, k = photo pixels per crop pixel
/// rounded up, at most [`MAX_SUBSAMPLES`]. Beyond the photo its border goes on.
///
/// Integers carry the samples: coordinates have 32 bits behind the point, shares of pixels ten, so
/// that the sum of 16 samples fits 32 bits. The crop differs from the exact one by less than a grey
/// level.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "coordinates are clamped to the photo, means of bytes are bytes"
)]
pub(crate) fn aligned_crop(photo: &Photo, landmarks: &Landmarks, size: u32) -> Vec<u8> {
    const SHARE_BITS: u32 = 10;
    const SHARES: u32 = 1 << SHARE_BITS;
    let fixed = |at: f64| (at * 4_294_967_296.0) as i64;
    let share = |at: i64| (at >> (32 - SHARE_BITS)) as u32 % SHARES;
    // The last place before the last pixel, so that every sample has a pixel behind it; in a photo of
    // one row or column that is the same one.
    let last = |side: u32| ((i64::from(side.saturating_sub(1)) << 32) - 1).max(0);
    let (last_x, last_y) = (last(photo.width), last(photo.height));
    let row_bytes = photo.width as usize * 3;
    let (next_column, next_row) = (
        if photo.width > 1 { 3 } else { 0 },
        if photo.height > 1 { row_bytes } else { 0 },
    );
    let similarity = face_to_photo(landmarks, size);
    let k = (similarity.a.hypot(similarity.b).ceil() as u32).clamp(1, MAX_SUBSAMPLES);
    let weight = (k * k) as f32 * (SHARES * SHARES) as f32;
    let (step_x, step_y) = (
        fixed(similarity.a / f64::from(k)),
        fixed(similarity.b / f64::from(k)),
    );
    let mut crop = Vec::with_capacity(size as usize * size as usize * 3);
    for row in 0..size {
        for column in 0..size {
            let mut sum = [0_u32; 3];
            for sub_row in 0..k {
                let first = f64::from(column) + 0.5 / f64::from(k);
                let v = f64::from(row) + (f64::from(sub_row) + 0.5) / f64::from(k);
                let (x, y) = similarity.sample(first, v);
                let (mut unclamped_x, mut unclamped_y) = (fixed(x), fixed(y));
                for _ in 0..k {
                    let (x, y) = (unclamped_x.clamp(0, last_x), unclamped_y.clamp(0, last_y));
                    let at = (y >> 32) as usize * row_bytes + (x >> 32) as usize * 3;
                    let pixel = |at: usize| &photo.rgb[at..at + 3];
                    let (before, behind) = (pixel(at), pixel(at + next_column));
                    let (under, across) =
                        (pixel(at + next_row), pixel(at + next_row + next_column));
                    let (right, down) = (share(x), share(y));
                    let (left, up) = (SHARES - right, SHARES - down);
                    for (channel, sum) in sum.iter_mut().enumerate() {
                        let above =
                            left * u32::from(before[channel]) + right * u32::from(behind[channel]);
                        let below =
                            left * u32::from(under[channel]) + right * u32::from(across[channel]);
                        *sum += up * above + down * below;
                    }
                    unclamped_x = unclamped_x.saturating_add(step_x);
                    unclamped_y = unclamped_y.saturating_add(step_y);
                }
            }
            crop.extend(sum.map(|sum| (sum as f32 / weight + 0.5).floor() as u8));
        }
    }
    crop
}

/// The face box itself at `size × size`, clamped to the photo: for quality measures.
pub(crate) fn face_crop(photo: &Photo, face: &BBox, size: u32) -> Result<Vec<u8>, Rejection> {
    let (width, height) = (f64::from(photo.width), f64::from(photo.height));
    let left = f64::from(face.x0).clamp(0.0, width - 1.0);
    let top = f64::from(face.y0).clamp(0.0, height - 1.0);
    let region = Region {
        left,
        top,
        width: f64::from(face.x1).clamp(left + 1.0, width) - left,
        height: f64::from(face.y1).clamp(top + 1.0, height) - top,
    };
    Ok(resize(photo, region, size, size)?.into_vec())
}

/// x' = a·x − b·y + tx, y' = b·x + a·y + ty.
struct Similarity {
    a: f64,
    b: f64,
    tx: f64,
    ty: f64,
}

impl Similarity {
    /// Where a point (u, v) of the crop is sampled in the photo: from pixel centre to pixel centre.
    fn sample(&self, u: f64, v: f64) -> (f64, f64) {
        (
            self.a * u - self.b * v + self.tx - 0.5,
            self.b * u + self.a * v + self.ty - 0.5,
        )
    }
}

/// The least-squares similarity (no reflection) from crop to photo; S. Umeyama, "Least-squares
/// estimation of transformation parameters between two point patterns", 1991.
fn face_to_photo(landmarks: &Landmarks, size: u32) -> Similarity {
    let template = FACE_TEMPLATE.map(|point| point.map(|value| value * f64::from(size)));
    let target = landmarks.map(|point| point.map(f64::from));
    let mean = |points: &[[f64; 2]; 5]| {
        [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / 5.0)
    };
    let (template_mean, target_mean) = (mean(&template), mean(&target));
    let (mut spread, mut dot, mut cross) = (0.0, 0.0, 0.0);
    for (from, to) in template.iter().zip(&target) {
        let p = [from[0] - template_mean[0], from[1] - template_mean[1]];
        let q = [to[0] - target_mean[0], to[1] - target_mean[1]];
        spread += p[0] * p[0] + p[1] * p[1];
        dot += p[0] * q[0] + p[1] * q[1];
        cross += p[0] * q[1] - p[1] * q[0];
    }
    let (a, b) = (dot / spread, cross / spread);
    Similarity {
        a,
        b,
        tx: target_mean[0] - a * template_mean[0] + b * template_mean[1],
        ty: target_mean[1] - b * template_mean[0] - a * template_mean[1],
    }
}
