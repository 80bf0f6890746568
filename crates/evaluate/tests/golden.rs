//! The arithmetic against scikit-learn and SciPy: `golden/metrics.json`, which
//! `training/livecheck_training/metrics_golden.py` writes and a test there computes anew.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;

use livecheck_evaluate::{
    figures::FIXED_RATES,
    interval::clopper_pearson,
    scores::{self, Scores},
};
use serde::Deserialize;

/// Between two libraries that compute the same in another order.
const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    cases: BTreeMap<String, Case>,
    clopper_pearson: Vec<Interval>,
}

#[derive(Deserialize)]
struct Case {
    bona_fide: Vec<f64>,
    attacks: Vec<f64>,
    auc: f64,
    d_eer: f64,
    apcer_at_bpcer: Vec<f64>,
    bpcer_at_apcer: Vec<f64>,
    /// Threshold (`None`: above every score), APCER and BPCER, by falling threshold.
    roc: Vec<(Option<f64>, f64, f64)>,
}

#[derive(Deserialize)]
struct Interval {
    errors: u64,
    of: u64,
    lower: f64,
    upper: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < TOLERANCE,
        "{what}: {found}, not {expected}"
    );
}

#[test]
fn areas_and_rates_are_those_of_scikit_learn() {
    for (name, case) in golden().cases {
        let bona_fide = Scores::new(case.bona_fide);
        let attacks = Scores::new(case.attacks);
        close(scores::auc(&bona_fide, &attacks).unwrap(), case.auc, &name);
        let d_eer = scores::equal_error_rate(&bona_fide, &attacks).unwrap();
        close(d_eer, case.d_eer, &name);
        for (at, rate) in FIXED_RATES.into_iter().enumerate() {
            let apcer = scores::apcer_at_bpcer(&bona_fide, &attacks, rate).unwrap();
            close(apcer, case.apcer_at_bpcer[at], &format!("{name}, {rate}"));
            let bpcer = scores::bpcer_at_apcer(&bona_fide, &attacks, rate).unwrap();
            close(bpcer, case.bpcer_at_apcer[at], &format!("{name}, {rate}"));
        }
        let points = scores::operating_points(&bona_fide, &attacks);
        assert_eq!(points.len(), case.roc.len(), "{name}");
        for (point, (threshold, apcer, bpcer)) in points.iter().rev().zip(case.roc) {
            assert_eq!(
                point.threshold,
                threshold.unwrap_or(f64::INFINITY),
                "{name}"
            );
            close(point.apcer, apcer, &name);
            close(point.bpcer, bpcer, &name);
        }
    }
}

#[test]
fn intervals_are_those_of_scipy() {
    for interval in golden().clopper_pearson {
        let (lower, upper) = clopper_pearson(interval.errors, interval.of);
        let what = format!("{} of {}", interval.errors, interval.of);
        close(lower, interval.lower, &what);
        close(upper, interval.upper, &what);
    }
}
