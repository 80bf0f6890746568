//! The maps of a face detector → scores, boxes and landmarks of its cells, as the graph of the file works
//! them out after its last convolutions (`training/livecheck_training/detector/model.py`, `answers`).

use super::output::Output;

/// Names of the outputs of a graph that ends so.
pub(super) const OUTPUTS: [&str; 3] = ["scores", "boxes", "landmarks"];

/// Channels of each map: the logit of the score, the centre's distance from the cell's, the logarithm of
/// width and height, and the distances of five landmarks, all in strides.
pub(super) const CHANNELS: usize = 15;

/// Numbers of a place: the corners of the box, and the landmarks.
const PLACE: usize = 14;

/// Logarithms of a side, in strides, are held within these.
const SIDES: [f32; 2] = [-6.0, 5.0];

/// The least weight of a cell when neighbours are averaged.
const LEAST_WEIGHT: f32 = 1e-6;

/// Scores, boxes and landmarks of all cells, map by map, row by row; `width` is that of the input.
pub(super) fn answers(maps: &[Output], width: usize) -> Vec<Vec<f32>> {
    let (mut scores, mut boxes, mut landmarks) = (Vec::new(), Vec::new(), Vec::new());
    for (number, map) in maps.iter().enumerate() {
        let cells = map.values.chunks_exact(CHANNELS);
        let own: Vec<f32> = cells
            .clone()
            .map(|cell| 1.0 / (1.0 + (-cell[0]).exp()))
            .collect();
        let stride = width as f32 / map.columns as f32;
        let places: Vec<[f32; PLACE]> = cells
            .enumerate()
            .map(|(at, cell)| place(cell, [at % map.columns, at / map.columns], stride))
            .collect();
        for at in 0..own.len() {
            // Small faces are told from their neighbours by their own cell alone.
            let place = if number == 0 {
                places[at]
            } else {
                averaged(map, &own, &places, at)
            };
            boxes.extend_from_slice(&place[..4]);
            landmarks.extend_from_slice(&place[4..]);
        }
        scores.extend(own);
    }
    vec![scores, boxes, landmarks]
}

/// What one cell says, in pixels of the input.
fn place(cell: &[f32], at: [usize; 2], stride: f32) -> [f32; PLACE] {
    let centre = at.map(|at| (at as f32 + 0.5) * stride);
    let mut place = [0.0; PLACE];
    for axis in 0..2 {
        let middle = centre[axis] + cell[1 + axis] * stride;
        let half = cell[3 + axis].clamp(SIDES[0], SIDES[1]).exp() * stride * 0.5;
        place[axis] = middle - half;
        place[2 + axis] = middle + half;
    }
    for (number, point) in place[4..].iter_mut().enumerate() {
        *point = centre[number % 2] + cell[5 + number] * stride;
    }
    place
}

/// The mean over a cell and its neighbours, weighted by their squared scores.
fn averaged(map: &Output, scores: &[f32], places: &[[f32; PLACE]], at: usize) -> [f32; PLACE] {
    let (row, column) = (at / map.columns, at % map.columns);
    let mut total = 0.0;
    let mut sums = [0.0; PLACE];
    for row in row.saturating_sub(1)..=(row + 1).min(map.rows - 1) {
        for column in column.saturating_sub(1)..=(column + 1).min(map.columns - 1) {
            let at = row * map.columns + column;
            let weight = scores[at].powi(2).max(LEAST_WEIGHT);
            total += weight;
            for (sum, number) in sums.iter_mut().zip(places[at]) {
                *sum += weight * number;
            }
        }
    }
    sums.map(|sum| sum / total)
}
