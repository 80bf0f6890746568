//! Light, detail and pixels of the face region.

use crate::{
    crop,
    error::Rejection,
    face::BBox,
    photo::Photo,
    quality::{luma, mean_and_variance},
};

/// Side of the patch of the face that light and blur are measured on, pixels.
const SIDE: usize = 128;

/// Rows and columns of the patch that are looked at: the face without most of the hair and of what is
/// beside it.
const ROWS: std::ops::Range<usize> = 20..115;
const COLUMNS: std::ops::Range<usize> = 20..108;

/// Grey levels from which a pixel is white: nothing is left of what was there.
const WHITE: f32 = 250.0;

/// Level from which a channel is at its end.
const CLIPPED: u8 = 252;

/// Largest side of the part of the face whose single pixels are looked at.
const PART: u32 = 256;

/// Points across and down a grid about the face.
const POINTS: usize = 40;

/// Sides of the blocks that JPEG compresses.
const BLOCK: usize = 8;

/// Sums that run beside each other, so that the processor adds many at once.
const LANES: usize = 16;

/// Keeps ratios of what hardly varies near 1, squared grey levels.
const LEAST_DETAIL: f64 = 1e-3;

/// The face as light: all measures are 0 to 1.
pub(super) struct Light {
    /// Mean luma.
    pub(super) mean: f32,
    /// Share of white pixels.
    pub(super) white: f32,
    /// Share of the channels' values that are at their end.
    pub(super) clipped: f32,
    /// Mean difference of the strongest and the weakest channel.
    pub(super) colour: f32,
    /// See [`fineness`], on the patch.
    pub(super) fineness: f32,
}

impl Light {
    pub(super) fn measure(photo: &Photo, face: &BBox) -> Result<Self, Rejection> {
        let patch = crop::face_crop(photo, face, SIDE as u32)?;
        let (width, height) = (COLUMNS.len(), ROWS.len());
        let pixels: Vec<&[u8]> = ROWS
            .flat_map(|row| {
                patch[row * SIDE * 3..][..SIDE * 3]
                    .chunks_exact(3)
                    .take(COLUMNS.end)
                    .skip(COLUMNS.start)
            })
            .collect();
        let grey: Vec<f32> = pixels.iter().map(|pixel| 255.0 * luma(pixel)).collect();
        let count = grey.len();
        let white = grey.iter().filter(|value| **value >= WHITE).count();
        let values = pixels.iter().copied().flatten();
        let clipped = values.filter(|value| **value >= CLIPPED).count();
        let colour = pixels.iter().map(|pixel| {
            let strongest = pixel.iter().max().copied().unwrap_or(0);
            let weakest = pixel.iter().min().copied().unwrap_or(0);
            f32::from(strongest - weakest) / 255.0
        });
        let (mean, _) = mean_and_variance(grey.iter().copied());
        Ok(Self {
            mean: mean / 255.0,
            white: white as f32 / count as f32,
            colour: mean_and_variance(colour).0,
            clipped: clipped as f32 / (3 * count) as f32,
            fineness: fineness(&grey, width, height),
        })
    }
}

/// Distances at which the detail of the patch is compared with that at four times the distance, and what
/// a sharp face has there over what it has at the first: a blur of any width shows at one of them.
const SCALES: [(usize, f64); 3] = [(1, 1.0), (2, 2.0), (4, 4.0)];

/// Single pixels of the face.
pub(super) struct Pixels {
    /// Mean step at the edges of blocks over the mean step elsewhere, of the direction that shows less.
    pub(super) blocks: f32,
    /// Mean squared second difference of neighbouring pixels, grey levels squared.
    pub(super) detail: f32,
}

impl Pixels {
    pub(super) fn measure(photo: &Photo, face: &BBox) -> Self {
        let span = |from: f32, to: f32, end: u32| {
            let (from, to) = (from.clamp(0.0, end as f32), to.clamp(0.0, end as f32));
            let side = ((to - from) as u32).clamp(1, PART).min(end);
            let middle = ((from + to) / 2.0) as u32;
            (middle.saturating_sub(side / 2).min(end - side), side)
        };
        let (left, width) = span(face.x0, face.x1, photo.width);
        let (top, height) = span(face.y0, face.y1, photo.height);
        let (left, width, height) = (left as usize, width as usize, height as usize);
        let row_bytes = photo.width as usize * 3;
        let grey: Vec<f32> = photo
            .rgb
            .chunks_exact(row_bytes.max(3))
            .skip(top as usize)
            .take(height)
            .flat_map(|row| row[left * 3..][..width * 3].chunks_exact(3))
            .map(|pixel| 255.0 * luma(pixel))
            .collect();
        Self {
            blocks: blocks_across(&grey, width).min(blocks_down(&grey, width)),
            detail: detail(&grey, width, height, 1) as f32,
        }
    }
}

/// The least ratio of [`detail`] at the [`SCALES`]: what is blurred has less fine detail than noise and true
/// edges.
fn fineness(grey: &[f32], width: usize, height: usize) -> f32 {
    let ratios = SCALES.map(|(distance, usual)| {
        let coarse = detail(grey, width, height, 4 * distance) + LEAST_DETAIL;
        detail(grey, width, height, distance) / coarse / usual
    });
    ratios.into_iter().fold(f64::INFINITY, f64::min) as f32
}

/// Mean squared second difference at a distance, that across and that down together.
fn detail(grey: &[f32], width: usize, height: usize, distance: usize) -> f64 {
    let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
    let rows: Vec<&[f32]> = grey.chunks_exact(width.max(1)).collect();
    let across: f64 = rows
        .iter()
        .filter_map(|row| {
            let (at, after) = (row.get(distance..)?, row.get(2 * distance..)?);
            Some(squared_seconds(row, at, after))
        })
        .sum();
    let down: f64 = rows
        .iter()
        .zip(rows.iter().skip(distance))
        .zip(rows.iter().skip(2 * distance))
        .map(|((before, at), after)| squared_seconds(before, at, after))
        .sum();
    let inner = |side: usize| side.saturating_sub(2 * distance);
    mean(across, inner(width) * height) + mean(down, inner(height) * width)
}

/// Sum of the squared second differences of three rows, as far as the shortest goes.
fn squared_seconds(before: &[f32], at: &[f32], after: &[f32]) -> f64 {
    f64::from(summed([before, at, after], |[before, at, after]| {
        let second = before - 2.0 * at + after;
        second * second
    }))
}

/// Sum over the columns of some rows, as far as the shortest goes, of what `of` says of each.
fn summed<const N: usize>(rows: [&[f32]; N], of: impl Fn([f32; N]) -> f32) -> f32 {
    let length = rows.map(<[f32]>::len).into_iter().min().unwrap_or(0);
    let rows = rows.map(|row| row[..length].as_chunks::<LANES>());
    let mut sums = [0.0_f32; LANES];
    for chunk in 0..length / LANES {
        for lane in 0..LANES {
            sums[lane] += of(rows.map(|(chunks, _)| chunks[chunk][lane]));
        }
    }
    let rest = (0..length % LANES).map(|column| of(rows.map(|(_, rest)| rest[column])));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// How far the steps between neighbouring columns stand out at every eighth of them, whichever eighth it is:
/// a photo may have been cropped after it was compressed.
fn blocks_across(grey: &[f32], width: usize) -> f32 {
    let mut sums = [0.0_f32; BLOCK];
    let mut rows = 0;
    for row in grey.chunks_exact(width.max(1)) {
        rows += 1;
        let (before, after) = (&row[..width - 1], &row[1..]);
        let (before, after) = (before.as_chunks::<BLOCK>(), after.as_chunks::<BLOCK>());
        for (before, after) in before.0.iter().zip(after.0) {
            for place in 0..BLOCK {
                sums[place] += (after[place] - before[place]).abs();
            }
        }
        for (place, (before, after)) in before.1.iter().zip(after.1).enumerate() {
            sums[place] += (after - before).abs();
        }
    }
    standing_out(sums, width - 1, rows)
}

/// As [`blocks_across`], between neighbouring rows.
fn blocks_down(grey: &[f32], width: usize) -> f32 {
    let mut sums = [0.0_f32; BLOCK];
    let rows: Vec<&[f32]> = grey.chunks_exact(width.max(1)).collect();
    for (at, pair) in rows.windows(2).enumerate() {
        sums[at % BLOCK] += summed([pair[0], pair[1]], |[before, after]| (after - before).abs());
    }
    standing_out(sums, rows.len().saturating_sub(1), width)
}

/// The largest of the means over the mean of the others; there were `steps` steps, `times` each.
fn standing_out(sums: [f32; BLOCK], steps: usize, times: usize) -> f32 {
    let mut means = [0.0_f32; BLOCK];
    for (place, (mean, sum)) in means.iter_mut().zip(sums).enumerate() {
        let count = (steps + BLOCK - 1 - place) / BLOCK * times;
        *mean = sum / count.max(1) as f32;
    }
    let most = means.iter().copied().fold(0.0, f32::max);
    let others = (means.iter().sum::<f32>() - most) / (BLOCK as f32 - 1.0);
    // A tenth of a grey level is no step.
    (most + 0.1) / (others + 0.1)
}

/// A face and what is above and beside it.
pub(super) struct Surroundings {
    /// Mean luma of what is not the face, 0 to 1; of all where nothing else is seen.
    pub(super) mean: f32,
    /// Luma from the first to the ninety-ninth percentile of all of it, 0 to 1.
    pub(super) range: f32,
}

impl Surroundings {
    pub(super) fn measure(photo: &Photo, face: &BBox) -> Self {
        let (width, height) = (face.width(), face.height());
        let (x, y) = ((face.x0 + face.x1) / 2.0, (face.y0 + face.y1) / 2.0);
        let place = |point: usize, from: f32, to: f32, end: u32| {
            let at = from + (to - from) * point as f32 / (POINTS - 1) as f32;
            at.clamp(0.0, end.saturating_sub(1) as f32)
        };
        let mut all = Vec::with_capacity(POINTS * POINTS);
        let mut about = Vec::with_capacity(POINTS * POINTS);
        for row in 0..POINTS {
            for column in 0..POINTS {
                let at_x = place(column, x - 1.25 * width, x + 1.25 * width, photo.width);
                let at_y = place(row, y - 1.25 * height, y + 0.6 * height, photo.height);
                let at = (at_y as usize * photo.width as usize + at_x as usize) * 3;
                let Some(pixel) = photo.rgb.get(at..at + 3) else {
                    continue;
                };
                let light = luma(pixel);
                all.push(light);
                let of_person = at_y >= face.y0 - 0.1 * height
                    && (face.x0 - 0.1 * width..=face.x1 + 0.1 * width).contains(&at_x);
                if !of_person {
                    about.push(light);
                }
            }
        }
        all.sort_by(f32::total_cmp);
        let percentile = |percent: usize| all.get(all.len() * percent / 100).copied();
        let seen = if about.is_empty() { &all } else { &about };
        Self {
            mean: seen.iter().sum::<f32>() / seen.len().max(1) as f32,
            range: percentile(99).unwrap_or(0.0) - percentile(1).unwrap_or(0.0),
        }
    }
}

/// The middle quarter of a picture.
pub(super) fn middle(photo: &Photo) -> BBox {
    let (width, height) = (photo.width as f32, photo.height as f32);
    BBox {
        x0: width * 0.25,
        y0: height * 0.25,
        x1: width * 0.75,
        y1: height * 0.75,
    }
}
