//! The only code that cuts and resizes. Each function has a twin in
//! `training/livecheck_training/crops.py`; golden files hold both to one grey level.
//!
//! Coordinates are pixels of the upright frame; pixel (0, 0) covers [0, 1) × [0, 1).

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};

use crate::{
    error::Rejection,
    face::{BBox, Landmarks},
    inference::{CANVAS_SIDE, InputSize},
    photo::Photo,
};

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

/// Crop pixels about a placed crop that are reduced with it.
const PART_MARGIN: f64 = 2.0;

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
///
/// `Resizer::resize` does the same, but compiles the filters of all thirteen types of pixel into this
/// crate: nine tenths of its machine code.
fn resize(photo: &Photo, region: Region, width: u32, height: u32) -> Result<Vec<u8>, Rejection> {
    let internal = |reason: String| Rejection::Internal(format!("resizing failed: {reason}"));
    let source = TypedImageRef::<U8x3>::from_buffer(photo.width, photo.height, &photo.rgb)
        .map_err(|e| internal(e.to_string()))?;
    let mut pixels = vec![0; width as usize * height as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, &mut pixels)
        .map_err(|e| internal(e.to_string()))?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(region.left, region.top, region.width, region.height);
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|e| internal(e.to_string()))?;
    Ok(pixels)
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
        .zip(resized.chunks_exact(row_bytes))
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
    resize(photo, region, size, size)
}

/// The grain net's view: the rectangle of `factor` face boxes about the face (the factor lowered
/// until it fits the photo, `share` of that taken, then shifted inside, in whole pixels) as
/// `size × size` samples, see [`Samples`]. Hardly averaged, unlike every other crop: single pixels of
/// the photo must show.
pub(crate) fn sampled_crop(
    photo: &Photo,
    face: &BBox,
    factor: f64,
    share: f64,
    size: u32,
) -> Vec<u8> {
    let (columns, rows) = samples(photo, face, factor, share, size);
    let mut crop = Vec::with_capacity(size as usize * size as usize * 3);
    for row in rows.each() {
        for column in columns.each() {
            crop.extend(sample(photo, column, row));
        }
    }
    crop
}

/// As [`sampled_crop`], turned about the middle of the face: `turn` radians, clockwise in the photo. Beyond the
/// photo its border goes on.
pub(crate) fn turned_sampled_crop(
    photo: &Photo,
    face: &BBox,
    factor: f64,
    share: f64,
    turn: f64,
    size: u32,
) -> Vec<u8> {
    let (columns, rows) = samples(photo, face, factor, share, size);
    let [x0, y0, x1, y1] = [face.x0, face.y0, face.x1, face.y1].map(f64::from);
    let (middle_x, middle_y) = ((x0 + x1 - 1.0) / 2.0, (y0 + y1 - 1.0) / 2.0);
    let (sine, cosine) = turn.sin_cos();
    let (mut column, mut row) = (Vec::new(), Vec::new());
    let mut crop = Vec::with_capacity(size as usize * size as usize * 3);
    for down in 0..size {
        let down = rows.at(down) - middle_y;
        for across in 0..size {
            let across = columns.at(across) - middle_x;
            column.clear();
            column.extend(columns.taps_at(middle_x + cosine * across - sine * down));
            row.clear();
            row.extend(rows.taps_at(middle_y + sine * across + cosine * down));
            crop.extend(sample(photo, &column, &row));
        }
    }
    crop
}

/// The columns and rows of the view of [`sampled_crop`].
fn samples(photo: &Photo, face: &BBox, factor: f64, share: f64, size: u32) -> (Samples, Samples) {
    let (width, height) = (f64::from(photo.width), f64::from(photo.height));
    let [x0, y0, x1, y1] = [face.x0, face.y0, face.x1, face.y1].map(f64::from);
    let (w, h) = ((x1 - x0).max(1.0), (y1 - y0).max(1.0));
    let factor = factor.min((height - 1.0) / h).min((width - 1.0) / w) * share;
    let (w, h) = (w * factor, h * factor);
    let left = ((x0 + x1) / 2.0 - w / 2.0).min(width - 1.0 - w).max(0.0);
    let top = ((y0 + y1) / 2.0 - h / 2.0).min(height - 1.0 - h).max(0.0);
    (
        Samples::new(left, left + w, photo.width, size),
        Samples::new(top, top + h, photo.height, size),
    )
}

/// One pixel of a view: the sum over `row` and `column` of the photo's pixels.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "means of bytes are bytes"
)]
fn sample(photo: &Photo, column: &[Tap], row: &[Tap]) -> [u8; 3] {
    let row_bytes = photo.width as usize * 3;
    let mut sum = [0.5_f32; 3];
    for tap in row {
        let line = &photo.rgb[tap.pixel * row_bytes..][..row_bytes];
        for across in column {
            let weight = tap.weight * across.weight;
            let pixel = &line[across.pixel * 3..][..3];
            for (sum, value) in sum.iter_mut().zip(pixel) {
                *sum += weight * f32::from(*value);
            }
        }
    }
    sum.map(|sum| sum as u8)
}

/// Pixels between samples up to which they take single pixels: those of a face 320 pixels wide.
const FINEST_STEP: f64 = 10.8;

/// A pixel along one axis, and its share of a sample.
#[derive(Clone, Copy)]
struct Tap {
    pixel: usize,
    weight: f32,
}

/// Samples along one axis. Up to [`FINEST_STEP`] apart each is bilinear; beyond, its triangle widens in
/// proportion, so that a photo read at a reduced size gives nearly the same view.
struct Samples {
    /// First pixel.
    first: f64,
    /// Pixels from one sample to the next.
    step: f64,
    /// Half the width of a sample's triangle, pixels.
    radius: f64,
    /// Last pixel of the photo.
    end: f64,
    taps: Vec<Tap>,
}

impl Samples {
    /// `wanted` samples between the whole pixels `from` and `to` of a side of `side` pixels.
    fn new(from: f64, to: f64, side: u32, wanted: u32) -> Self {
        let end = f64::from(side.saturating_sub(1));
        let first = from.floor().clamp(0.0, end);
        let last = to.floor().clamp(first, end);
        let step = (last - first + 1.0) / f64::from(wanted);
        let mut samples = Self {
            first,
            step,
            radius: (step / FINEST_STEP).max(1.0),
            end,
            taps: Vec::new(),
        };
        samples.taps = (0..wanted)
            .flat_map(|sample| samples.taps_at(samples.at(sample)).collect::<Vec<_>>())
            .collect();
        samples
    }

    /// Where a sample lies; the middle of pixel 0 is 0.
    fn at(&self, sample: u32) -> f64 {
        self.first + (f64::from(sample) + 0.5) * self.step - 0.5
    }

    /// The pixels of a sample that lies there.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "coordinates are clamped to the side"
    )]
    fn taps_at(&self, at: f64) -> impl Iterator<Item = Tap> {
        let (radius, end) = (self.radius, self.end);
        let before = (at - radius).floor();
        let places = (1..=self.count()).map(move |place| before + place as f64);
        let weight = move |place: f64| (1.0 - (place - at).abs() / radius).max(0.0);
        let total: f64 = places.clone().map(weight).sum();
        places.map(move |place| Tap {
            pixel: place.clamp(0.0, end) as usize,
            weight: (weight(place) / total) as f32,
        })
    }

    /// Taps of a sample.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few pixels"
    )]
    fn count(&self) -> usize {
        (2.0 * self.radius).ceil() as usize
    }

    fn each(&self) -> impl Iterator<Item = &[Tap]> {
        self.taps.chunks_exact(self.count())
    }
}

/// The face upright with its landmarks at [`FACE_TEMPLATE`], `size × size`, interleaved RGB.
pub(crate) fn aligned_crop(
    photo: &Photo,
    landmarks: &Landmarks,
    size: u32,
) -> Result<Vec<u8>, Rejection> {
    placed_crop(photo, &face_to_photo(landmarks, size), size)
}

/// A window of `factor` mean face sides about the face, `size × size`, interleaved RGB.
pub(crate) fn window_crop(
    photo: &Photo,
    face: &BBox,
    factor: f64,
    size: u32,
) -> Result<Vec<u8>, Rejection> {
    turned_window_crop(photo, face, factor, 0.0, size)
}

/// As [`window_crop`], turned about its middle: `turn` radians, clockwise in the photo.
pub(crate) fn turned_window_crop(
    photo: &Photo,
    face: &BBox,
    factor: f64,
    turn: f64,
    size: u32,
) -> Result<Vec<u8>, Rejection> {
    let window = Window::about(face, factor);
    let step = window.side / f64::from(size);
    let (sine, cosine) = turn.sin_cos();
    let half = window.side / 2.0;
    let placed = Similarity {
        a: cosine * step,
        b: sine * step,
        tx: window.left + half - (cosine - sine) * half,
        ty: window.top + half - (cosine + sine) * half,
    };
    placed_crop(photo, &placed, size)
}

/// An upright square of the photo; may reach beyond its border.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) side: f64,
}

impl Window {
    /// The one of `factor` mean face sides about a face.
    pub(crate) fn about(face: &BBox, factor: f64) -> Self {
        let [x0, y0, x1, y1] = [face.x0, face.y0, face.x1, face.y1].map(f64::from);
        let side = factor * ((x1 - x0) + (y1 - y0)) / 2.0;
        Self {
            left: (x0 + x1) / 2.0 - side / 2.0,
            top: (y0 + y1) / 2.0 - side / 2.0,
            side,
        }
    }
}

/// The crop of `size × size` that lies in the photo as `similarity` says.
///
/// The part of the photo that it shows is first reduced, never enlarged, by the antialiased filter
/// until one of its pixels is about one of the crop; then each output pixel is one bilinear sample.
/// Beyond the photo its border goes on.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "coordinates are clamped to the part, means of bytes are bytes"
)]
fn placed_crop(photo: &Photo, similarity: &Similarity, size: u32) -> Result<Vec<u8>, Rejection> {
    let reduction = similarity.a.hypot(similarity.b).max(1.0);
    let end = f64::from(size);
    let corners =
        [(0.0, 0.0), (0.0, end), (end, 0.0), (end, end)].map(|(u, v)| similarity.map(u, v));
    let x = Span::around(corners.map(|(x, _)| x), photo.width, reduction);
    let y = Span::around(corners.map(|(_, y)| y), photo.height, reduction);
    let part = Region {
        left: x.first,
        top: y.first,
        width: x.length,
        height: y.length,
    };
    let part = resize(photo, part, x.reduced, y.reduced)?;
    let row_bytes = x.reduced as usize * 3;
    let mut crop = vec![0; size as usize * size as usize * 3];
    let (pixels, _) = crop.as_chunks_mut::<3>();
    for (place, to) in pixels.iter_mut().enumerate() {
        let (row, column) = (place as u32 / size, place as u32 % size);
        let (across, down) = similarity.map(f64::from(column) + 0.5, f64::from(row) + 0.5);
        let (left, right, along) = x.taps(across);
        let (upper, lower, down) = y.taps(down);
        let pixel = |x: usize, y: usize| {
            let at = y * row_bytes + x * 3;
            &part[at..at + 3]
        };
        let (a, b) = (pixel(left, upper), pixel(right, upper));
        let (c, d) = (pixel(left, lower), pixel(right, lower));
        for channel in 0..3 {
            let [a, b, c, d] = [a, b, c, d].map(|pixel| f32::from(pixel[channel]));
            let above = a * (1.0 - along) + b * along;
            let below = c * (1.0 - along) + d * along;
            to[channel] = (above * (1.0 - down) + below * down + 0.5) as u8;
        }
    }
    Ok(crop)
}

/// Whole pixels along one axis of the photo, and to how many they are reduced.
struct Span {
    first: f64,
    length: f64,
    reduced: u32,
    /// Reduced pixels a pixel.
    scale: f64,
}

impl Span {
    /// What four corners span, with [`PART_MARGIN`], as far as it lies within `side`; at least one pixel.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the side"
    )]
    fn around(corners: [f64; 4], side: u32, reduction: f64) -> Self {
        let margin = PART_MARGIN * reduction;
        let least = corners.into_iter().fold(f64::INFINITY, f64::min) - margin;
        let most = corners.into_iter().fold(f64::NEG_INFINITY, f64::max) + margin;
        let side = f64::from(side);
        let first = least.floor().clamp(0.0, side - 1.0);
        let length = most.ceil().clamp(first + 1.0, side) - first;
        let reduced = ((length / reduction + 0.5).floor() as u32).max(1);
        Self {
            first,
            length,
            reduced,
            scale: f64::from(reduced) / length,
        }
    }

    /// For a place in the photo: the reduced pixels before and after it, and the share of the latter.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the reduced pixels"
    )]
    fn taps(&self, at: f64) -> (usize, usize, f32) {
        let last = f64::from(self.reduced - 1);
        let at = ((at - self.first) * self.scale - 0.5).clamp(0.0, last);
        let low = at as u32;
        let next = (low + 1).min(self.reduced - 1);
        (low as usize, next as usize, (at - f64::from(low)) as f32)
    }
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
    resize(photo, region, size, size)
}

/// How far the face is turned in the picture's plane, radians, clockwise: its roll.
pub(crate) fn roll(landmarks: &Landmarks) -> f64 {
    let placed = face_to_photo(landmarks, 1);
    placed.b.atan2(placed.a)
}

/// x' = a·x − b·y + tx, y' = b·x + a·y + ty.
struct Similarity {
    a: f64,
    b: f64,
    tx: f64,
    ty: f64,
}

impl Similarity {
    /// Where a point (u, v) of the crop lies in the photo.
    fn map(&self, u: f64, v: f64) -> (f64, f64) {
        (
            self.a * u - self.b * v + self.tx,
            self.b * u + self.a * v + self.ty,
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
