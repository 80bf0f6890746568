//! Outputs of the network → faces, as the engine reads them (`crates/engine/src/detect.rs`).

use crate::convolution::Map;

/// Candidates below are dropped.
const MIN_SCORE: f32 = 0.20;
/// Of two candidates that overlap by more, the lower one is dropped.
const MAX_IOU: f32 = 0.40;
/// Most candidates that are compared, best first: bounds the time on noise.
const MAX_CANDIDATES: usize = 200;
/// The least weight of a cell when neighbours are averaged.
const LEAST_WEIGHT: f32 = 1e-6;
/// Box corners and landmarks of a cell.
const PLACES: usize = 14;

/// One face, in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Confidence in a whole, unobstructed face, 0 to 1.
    pub score: f32,
    /// Left, top, right and bottom edge.
    pub bbox: [f32; 4],
    /// Left eye, right eye, nose, left and right mouth corner as seen in the picture.
    pub landmarks: [[f32; 2]; 5],
}

impl Face {
    fn iou(&self, other: &Self) -> f32 {
        let [ax0, ay0, ax1, ay1] = self.bbox;
        let [bx0, by0, bx1, by1] = other.bbox;
        let width = ax1.min(bx1) - ax0.max(bx0);
        let height = ay1.min(by1) - ay0.max(by0);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let intersection = width * height;
        intersection / ((ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - intersection)
    }
}

/// The faces that the cells of one stride see.
pub(crate) fn candidates(map: &Map, stride: usize, found: &mut Vec<Face>) {
    for y in 0..map.height {
        for x in 0..map.width {
            let score = score(map, x, y);
            if score < MIN_SCORE {
                continue;
            }
            // Small faces are told from their neighbours by their own cell alone.
            let places = if stride == 8 {
                places(map, x, y, stride)
            } else {
                averaged(map, x, y, stride)
            };
            let [x0, y0, x1, y1, points @ ..] = places;
            if x1 - x0 < 1.0 || y1 - y0 < 1.0 {
                continue;
            }
            let mut landmarks = [[0.0; 2]; 5];
            for (landmark, point) in landmarks.iter_mut().zip(points.chunks_exact(2)) {
                *landmark = [point[0], point[1]];
            }
            found.push(Face {
                score,
                bbox: [x0, y0, x1, y1],
                landmarks,
            });
        }
    }
}

/// Greedy non-maximum suppression, best first.
pub(crate) fn suppress(mut candidates: Vec<Face>) -> Vec<Face> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(MAX_CANDIDATES);
    let mut faces: Vec<Face> = Vec::new();
    for candidate in candidates {
        if faces.iter().all(|face| face.iou(&candidate) <= MAX_IOU) {
            faces.push(candidate);
        }
    }
    faces
}

fn score(map: &Map, x: usize, y: usize) -> f32 {
    1.0 / (1.0 + (-map.pixel(x, y)[0]).exp())
}

/// Corners and landmarks of one cell.
#[expect(clippy::cast_precision_loss, reason = "cells of a small picture")]
fn places(map: &Map, x: usize, y: usize, stride: usize) -> [f32; PLACES] {
    let raw = map.pixel(x, y);
    let stride = stride as f32;
    let centre = [(x as f32 + 0.5) * stride, (y as f32 + 0.5) * stride];
    let mut places = [0.0; PLACES];
    for axis in 0..2 {
        let middle = centre[axis] + raw[1 + axis] * stride;
        let half = raw[3 + axis].clamp(-6.0, 5.0).exp() * stride * 0.5;
        places[axis] = middle - half;
        places[2 + axis] = middle + half;
    }
    for (at, place) in places[4..].iter_mut().enumerate() {
        *place = centre[at % 2] + raw[5 + at] * stride;
    }
    places
}

/// The mean over a cell and its neighbours, weighted by their squared scores.
fn averaged(map: &Map, x: usize, y: usize, stride: usize) -> [f32; PLACES] {
    let mut total = 0.0;
    let mut sums = [0.0; PLACES];
    for y in y.saturating_sub(1)..=(y + 1).min(map.height - 1) {
        for x in x.saturating_sub(1)..=(x + 1).min(map.width - 1) {
            let weight = score(map, x, y).powi(2).max(LEAST_WEIGHT);
            total += weight;
            for (sum, place) in sums.iter_mut().zip(places(map, x, y, stride)) {
                *sum += weight * place;
            }
        }
    }
    sums.map(|sum| sum / total)
}
