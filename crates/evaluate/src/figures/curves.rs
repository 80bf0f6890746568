//! Histograms, curves and the reliability diagram.

use std::collections::BTreeMap;

use super::{
    classes::Classes,
    counts::{float, share_of},
    types::{CurvePoint, Histogram, Reliability, ReliabilityBin},
};
use crate::{
    interval::rate,
    scores::{self, Scores},
};

/// Names the attacks of all species together.
const ALL_ATTACKS: &str = "all attacks";

/// Bins of the histogram and of the reliability diagram.
const BINS: usize = 20;

/// Steps of the curve of errors over the threshold.
const CURVE_STEPS: usize = 200;

/// Most points of a DET curve that are kept for drawing.
const DET_POINTS: usize = 400;

pub(super) fn curve(classes: &Classes) -> Vec<CurvePoint> {
    if classes.bona_fide.is_empty() {
        return Vec::new();
    }
    (0..=CURVE_STEPS)
        .map(|step| {
            let threshold = share_of(step, CURVE_STEPS);
            CurvePoint {
                threshold,
                bpcer: classes.bona_fide.share_below(threshold),
                apcer: classes
                    .species
                    .iter()
                    .filter(|(_, scores)| !scores.is_empty())
                    .map(|(name, scores)| (name.clone(), scores.share_at_or_above(threshold)))
                    .collect(),
            }
        })
        .collect()
}

fn det(bona_fide: &Scores, attacks: &Scores) -> Vec<(f64, f64)> {
    let points = scores::operating_points(bona_fide, attacks);
    let step = points.len().div_ceil(DET_POINTS).max(1);
    points
        .iter()
        .step_by(step)
        .chain(points.last())
        .map(|point| (point.apcer, point.bpcer))
        .collect()
}

fn histogram(scores: &Scores) -> Vec<u64> {
    let mut counts = vec![0; BINS];
    for value in scores.values() {
        counts[bin(*value)] += 1;
    }
    counts
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a score of 0 to 1 times a small number"
)]
fn bin(score: f64) -> usize {
    ((score * BINS as f64) as usize).min(BINS - 1)
}

pub(super) fn reliability(classes: &Classes) -> Reliability {
    let mut bins = vec![(0.0, 0, 0); BINS];
    for (scores, live) in [(&classes.bona_fide, 1), (&classes.attacks, 0)] {
        for value in scores.values() {
            let (sum, bona_fide, all) = &mut bins[bin(*value)];
            *sum += value;
            *bona_fide += live;
            *all += 1;
        }
    }
    let bins: Vec<ReliabilityBin> = bins
        .into_iter()
        .filter(|(_, _, all)| *all > 0)
        .map(|(sum, bona_fide, all)| ReliabilityBin {
            mean_score: sum / float(all),
            bona_fide: rate(bona_fide, all),
        })
        .collect();
    let all: u64 = bins.iter().map(|bin| bin.bona_fide.of).sum();
    let distance = |bin: &ReliabilityBin| {
        (bin.mean_score - bin.bona_fide.rate).abs() * float(bin.bona_fide.of) / float(all)
    };
    Reliability {
        expected_calibration_error: bins.iter().map(distance).sum(),
        bins,
    }
}

/// Of every class.
pub(super) fn histograms(classes: &Classes) -> Histogram {
    let attacks = classes.species.iter();
    Histogram {
        bona_fide: histogram(&classes.bona_fide),
        attacks: attacks
            .map(|(name, scores)| (name.clone(), histogram(scores)))
            .collect(),
    }
}

/// Of each species, and of all together where there are several.
pub(super) fn dets(classes: &Classes) -> BTreeMap<String, Vec<(f64, f64)>> {
    classes
        .species
        .iter()
        .map(|(name, scores)| (name.as_str(), scores))
        .chain((classes.species.len() > 1).then_some((ALL_ATTACKS, &classes.attacks)))
        .map(|(name, scores)| (name.to_owned(), det(&classes.bona_fide, scores)))
        .collect()
}
