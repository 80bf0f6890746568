//! Fits the user's own calibration: a logistic map over the shipped score's logit, anchored so that
//! a score of 0.90 is the operating point asked for.
//!
//! The slope is that of a logistic regression in which both classes weigh the same, so that the
//! score does not depend on how many attacks were collected. The intercept then puts the threshold
//! that keeps the asked error rate at 0.90. Only the product's own thresholds keep their meaning by
//! that; the order of the scores, and so every ROC figure, stays as it is.
//!
//! The figures in the file come from cross-validation by subject: each person is measured with a
//! calibration that was fitted without any photo of that person.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use livecheck_engine::{
    CalibrationCounts, CalibrationFile, MeasuredPoint, OperatingPoint, Rate, ScoreCalibration,
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64Mcg;
use thiserror::Error;

use crate::{
    data::{self, Presentation},
    interval::rate,
    outcome::{Outcome, Record, exact},
    report::{ALL_SOURCES, MARKED_THRESHOLDS},
    scores::{self, Scores},
};

/// The score that the operating point is put at: the product's default threshold.
pub const ANCHOR: f64 = MARKED_THRESHOLDS[0];

/// Parts of the cross-validation, and so the least number of people in each class.
pub const FOLDS: usize = 5;

/// Least presentations of a class whose error rate is not anchored: its slope needs some.
pub const LEAST_OF_A_CLASS: u64 = 50;

/// With this many presentations per expected error, none wrong would bound the rate below what was
/// asked with 95 % confidence ("rule of three", Hanley and Lippman-Hand 1983).
const RULE_OF_THREE: f64 = 3.0;

/// Error rates that can be asked for.
pub const ALLOWED_RATES: std::ops::RangeInclusive<f64> = 0.001..=0.5;

/// Pull of the slope towards 0, against classes that a threshold separates without error, for which
/// no finite slope is best. In units of the standardised logit.
const RIDGE: f64 = 1e-5;

/// Steps of Newton's method; it converges in about ten.
const STEPS: usize = 100;

/// Seed of the split into folds: fixed, so that the same data gives the same file.
const SEED: u64 = 1;

/// A judged photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it shows.
    pub presentation: Presentation,
    /// The shipped score's logit, see `livecheck_engine::FaceLiveness`.
    pub logit: f64,
}

/// A calibration and what it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// The file for the setting `calibration`.
    pub file: CalibrationFile,
    /// Error rates before and after: each source, when there are several, then all together.
    pub comparisons: Vec<Comparison>,
    /// Each photo's score with a calibration that was fitted without its person.
    pub held_out: Vec<Record>,
}

/// Error rates of a group of photos at the product's thresholds with the shipped score and with
/// the calibration, cross-validated by subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Its source, or [`ALL_SOURCES`].
    pub group: String,
    /// With the shipped score.
    pub before: Vec<MeasuredPoint>,
    /// With the calibration, at the same thresholds.
    pub after: Vec<MeasuredPoint>,
}

/// An error rate that the calibration makes higher.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// `"BPCER"`, or `"APCER print"`.
    pub what: String,
    /// The threshold.
    pub threshold: f64,
    /// With the shipped score.
    pub before: Rate,
    /// With the calibration.
    pub after: Rate,
}

impl Comparison {
    /// What the calibration makes worse in this group.
    pub fn grown(&self) -> impl Iterator<Item = Growth> {
        self.before
            .iter()
            .zip(&self.after)
            .flat_map(|(before, after)| {
                let apcer = before.apcer.iter().filter_map(|(species, rate)| {
                    let after = after.apcer.get(species)?;
                    Some((format!("APCER {species}"), *rate, *after))
                });
                std::iter::once(("BPCER".to_owned(), before.bpcer, after.bpcer))
                    .chain(apcer)
                    .filter(|(_, before, after)| after.errors > before.errors)
                    .map(|(what, rate, after)| Growth {
                        what,
                        threshold: before.threshold,
                        before: rate,
                        after,
                    })
            })
    }
}

/// Why there is no calibration; one sentence each.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// The rate asked for is out of range.
    #[error("the requested error rate is {0}; allowed is 0.001 to 0.5")]
    Rate(f64),
    /// Too few photos got a score.
    #[error("too little data for this operating point: {}", .0.join("; "))]
    TooLittle(Vec<String>),
    /// The scores do not tell the classes apart.
    #[error(
        "the scores do not separate these live people from these attacks (AUC {auc:.3}), and no calibration can fix that: check the labels"
    )]
    NoSeparation {
        /// Area under the ROC curve.
        auc: f64,
    },
}

/// Fits a calibration and measures what it changes. `no_response` counts the photos without a score.
///
/// # Errors
/// The rate is out of range, the data is too little, or the scores do not separate the classes.
pub fn calibrate(
    data: String,
    samples: &[Sample],
    no_response: u64,
    asked: OperatingPoint,
) -> Result<Calibrated, CalibrateError> {
    let (OperatingPoint::Bpcer(asked_rate) | OperatingPoint::Apcer(asked_rate)) = asked;
    if !ALLOWED_RATES.contains(&asked_rate) {
        return Err(CalibrateError::Rate(asked_rate));
    }
    let people = People::of(samples);
    enough(samples, &people, asked, asked_rate)?;
    let all: Vec<&Sample> = samples.iter().collect();
    let calibration = fit(&all, asked)?;

    let folds = people.folds();
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut together = Tally::default();
    let mut held_out = Vec::new();
    for fold in 0..FOLDS {
        let (inside, outside): (Vec<_>, Vec<_>) = samples
            .iter()
            .enumerate()
            .partition(|(at, _)| folds[people.of_sample[*at]] == fold);
        let training: Vec<&Sample> = outside.into_iter().map(|(_, sample)| sample).collect();
        let fitted = fit(&training, asked)?;
        for (_, sample) in inside {
            let source = sample.presentation.source.as_str();
            tallies.entry(source).or_default().count(sample, fitted);
            together.count(sample, fitted);
            held_out.push(Record {
                presentation: sample.presentation.clone(),
                outcome: Outcome::Score(exact(fitted.score(sample.logit))),
            });
        }
    }
    let together = together.comparison(ALL_SOURCES);
    let measured = together.after.clone();
    let mut comparisons = Vec::new();
    if tallies.len() > 1 {
        comparisons.extend(
            tallies
                .into_iter()
                .map(|(source, tally)| tally.comparison(source)),
        );
    }
    comparisons.push(together);
    let mut attacks = BTreeMap::new();
    for sample in samples {
        if let Some(species) = &sample.presentation.species {
            *attacks.entry(species.clone()).or_default() += 1;
        }
    }
    let file = CalibrationFile::new(
        data,
        data::fingerprint(samples.iter().map(|sample| &sample.presentation)),
        calibration,
        asked,
        CalibrationCounts {
            bona_fide: bona_fide(&all).values().len() as u64,
            attacks,
            subjects: people.classes.len() as u64,
            no_response,
        },
        measured,
        format!(
            "{FOLDS}-fold cross-validation by subject: each person was measured with a calibration fitted without them"
        ),
    );
    Ok(Calibrated {
        file,
        comparisons,
        held_out,
    })
}

/// Errors of one group at each of the product's thresholds, before and after.
#[derive(Debug, Default)]
struct Tally {
    before: [Errors; MARKED_THRESHOLDS.len()],
    after: [Errors; MARKED_THRESHOLDS.len()],
}

impl Tally {
    fn count(&mut self, sample: &Sample, fitted: ScoreCalibration) {
        for (errors, calibration) in [
            (&mut self.before, ScoreCalibration::default()),
            (&mut self.after, fitted),
        ] {
            let score = exact(calibration.score(sample.logit));
            for (errors, threshold) in errors.iter_mut().zip(MARKED_THRESHOLDS) {
                errors.count(sample, score >= threshold);
            }
        }
    }

    fn comparison(self, group: &str) -> Comparison {
        let measured = |errors: [Errors; MARKED_THRESHOLDS.len()]| {
            errors
                .into_iter()
                .zip(MARKED_THRESHOLDS)
                .map(|(errors, threshold)| errors.measured(threshold))
                .collect()
        };
        Comparison {
            group: group.to_owned(),
            before: measured(self.before),
            after: measured(self.after),
        }
    }
}

/// Errors of the folds together.
#[derive(Debug, Clone, Default)]
struct Errors {
    refused: u64,
    bona_fide: u64,
    /// Passed and all, by species.
    attacks: BTreeMap<String, (u64, u64)>,
}

impl Errors {
    fn count(&mut self, sample: &Sample, live: bool) {
        match &sample.presentation.species {
            None => {
                self.bona_fide += 1;
                self.refused += u64::from(!live);
            }
            Some(species) => {
                let (passed, all) = self.attacks.entry(species.clone()).or_default();
                *all += 1;
                *passed += u64::from(live);
            }
        }
    }

    fn measured(self, threshold: f64) -> MeasuredPoint {
        MeasuredPoint {
            threshold,
            bpcer: rate(self.refused, self.bona_fide),
            apcer: self
                .attacks
                .into_iter()
                .map(|(species, (passed, all))| (species, rate(passed, all)))
                .collect(),
        }
    }
}

/// Who is on which photo, and in which classes.
struct People {
    of_sample: Vec<usize>,
    /// Whether there is a bona fide presentation of the person, and an attack.
    classes: Vec<(bool, bool)>,
}

impl People {
    /// A photo that names nobody counts as a person of its own.
    fn of(samples: &[Sample]) -> Self {
        let mut numbers: HashMap<(&str, &str), usize> = HashMap::new();
        let mut classes: Vec<(bool, bool)> = Vec::new();
        let of_sample = samples
            .iter()
            .map(|Sample { presentation, .. }| {
                let next = classes.len();
                let person = match presentation.subject.as_deref() {
                    Some(subject) => *numbers
                        .entry((&presentation.source, subject))
                        .or_insert(next),
                    None => next,
                };
                if person == next {
                    classes.push((false, false));
                }
                match presentation.species {
                    None => classes[person].0 = true,
                    Some(_) => classes[person].1 = true,
                }
                person
            })
            .collect();
        Self { of_sample, classes }
    }

    /// The fold of each person: at random, but alike in the classes that people are in.
    fn folds(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        order.shuffle(&mut Pcg64Mcg::seed_from_u64(SEED));
        order.sort_by_key(|person| self.classes[*person]);
        let mut folds = vec![0; order.len()];
        for (at, person) in order.into_iter().enumerate() {
            folds[person] = at % FOLDS;
        }
        folds
    }
}

/// Whether there is enough of everything; names all that is missing.
fn enough(
    samples: &[Sample],
    people: &People,
    asked: OperatingPoint,
    asked_rate: f64,
) -> Result<(), CalibrateError> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "3 / 0.001 at most"
    )]
    let anchored = ((RULE_OF_THREE / asked_rate).ceil() as u64).max(LEAST_OF_A_CLASS);
    let count = |wanted: &dyn Fn(Option<&str>) -> bool| {
        samples
            .iter()
            .filter(|sample| wanted(sample.presentation.species.as_deref()))
            .count() as u64
    };
    let mut missing = Vec::new();
    let mut need = |what: &str, least: u64, found: u64| {
        if found < least {
            missing.push(format!("it needs {least} {what}; {found} got a score"));
        }
    };
    let bona_fide = count(&|species| species.is_none());
    match asked {
        OperatingPoint::Bpcer(_) => {
            need("bona fide presentations", anchored, bona_fide);
            need(
                "attacks",
                LEAST_OF_A_CLASS,
                count(&|species| species.is_some()),
            );
        }
        OperatingPoint::Apcer(_) => {
            need("bona fide presentations", LEAST_OF_A_CLASS, bona_fide);
            let species: BTreeSet<&str> = samples
                .iter()
                .filter_map(|sample| sample.presentation.species.as_deref())
                .collect();
            if species.is_empty() {
                need("attacks", anchored, 0);
            }
            for name in species {
                let what = format!("attacks of the kind {name}");
                need(&what, anchored, count(&|species| species == Some(name)));
            }
        }
    }
    let folds = FOLDS as u64;
    let people_in = |class: &dyn Fn(&(bool, bool)) -> bool| {
        people
            .classes
            .iter()
            .filter(|classes| class(classes))
            .count() as u64
    };
    let live_people = people_in(&|(bona_fide, _)| *bona_fide);
    let attacked_people = people_in(&|(_, attack)| *attack);
    if live_people < folds || attacked_people < folds {
        missing.push(format!(
            "it needs at least {folds} people in each class; there are {live_people} in live photos and {attacked_people} in attacks"
        ));
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(CalibrateError::TooLittle(missing))
    }
}

fn bona_fide(samples: &[&Sample]) -> Scores {
    Scores::new(
        samples
            .iter()
            .filter(|sample| sample.presentation.species.is_none())
            .map(|sample| sample.logit),
    )
}

fn by_species(samples: &[&Sample]) -> BTreeMap<String, Scores> {
    let mut logits: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for sample in samples {
        if let Some(species) = &sample.presentation.species {
            logits
                .entry(species.clone())
                .or_default()
                .push(sample.logit);
        }
    }
    logits
        .into_iter()
        .map(|(species, logits)| (species, Scores::new(logits)))
        .collect()
}

fn fit(samples: &[&Sample], asked: OperatingPoint) -> Result<ScoreCalibration, CalibrateError> {
    let live = bona_fide(samples);
    let species = by_species(samples);
    let attacks = Scores::new(
        species
            .values()
            .flat_map(|scores| scores.values().iter().copied()),
    );
    let slope = slope(live.values(), attacks.values());
    let threshold = match asked {
        OperatingPoint::Bpcer(bpcer) => {
            scores::threshold_at_bpcer(&live, bpcer).map(|lowest| middle(&live, lowest))
        }
        OperatingPoint::Apcer(apcer) => species
            .values()
            .map(|scores| threshold_at_apcer(scores, apcer))
            .reduce(f64::max),
    };
    match threshold {
        Some(threshold) if slope > 0.0 && slope.is_finite() => Ok(ScoreCalibration {
            slope,
            intercept: logit(ANCHOR) - slope * threshold,
        }),
        _ => Err(CalibrateError::NoSeparation {
            auc: scores::auc(&live, &attacks).unwrap_or(f64::NAN),
        }),
    }
}

/// Between the lowest accepted score and the highest refused one, so that no rounding moves a
/// score across.
fn middle(scores: &Scores, lowest_accepted: f64) -> f64 {
    let values = scores.values();
    let refused = values.partition_point(|value| *value < lowest_accepted);
    match refused.checked_sub(1).and_then(|at| values.get(at)) {
        Some(highest_refused) => (lowest_accepted + highest_refused) / 2.0,
        None => lowest_accepted,
    }
}

/// The lowest threshold that lets at most this share of the attacks pass, between two of them.
fn threshold_at_apcer(attacks: &Scores, apcer: f64) -> f64 {
    let values = attacks.values();
    let mut distinct = values.to_vec();
    distinct.dedup();
    let lowest = distinct
        .iter()
        .copied()
        .find(|value| attacks.share_at_or_above(*value) <= apcer + 1e-9);
    match lowest {
        Some(lowest) => middle(attacks, lowest),
        // Equal scores at the top are more than may pass: above them all.
        None => values.last().map_or(0.0, |highest| highest + 1.0),
    }
}

fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

/// Slope of the logistic regression of the class on the logit, both classes weighing the same; by
/// Newton's method on the standardised logit.
fn slope(bona_fide: &[f64], attacks: &[f64]) -> f64 {
    let weighted = || {
        let half = |values: &'_ [f64]| 0.5 / values.len() as f64;
        let (live, attack) = (half(bona_fide), half(attacks));
        bona_fide
            .iter()
            .map(move |value| (*value, 1.0, live))
            .chain(attacks.iter().map(move |value| (*value, 0.0, attack)))
    };
    let mean: f64 = weighted().map(|(value, _, weight)| value * weight).sum();
    let variance: f64 = weighted()
        .map(|(value, _, weight)| (value - mean).powi(2) * weight)
        .sum();
    let deviation = variance.sqrt();
    if deviation <= f64::EPSILON * mean.abs() {
        return 0.0;
    }
    let (mut a, mut b) = (0.0_f64, 0.0_f64);
    for _ in 0..STEPS {
        // Gradient and Hessian of the mean negative log likelihood.
        let (mut ga, mut gb) = (RIDGE * a, 0.0);
        let (mut haa, mut hab, mut hbb) = (RIDGE, 0.0, 1e-12);
        for (value, class, weight) in weighted() {
            let x = (value - mean) / deviation;
            let p = 1.0 / (1.0 + (-(a * x + b)).exp());
            let curvature = p * (1.0 - p) * weight;
            ga += (p - class) * weight * x;
            gb += (p - class) * weight;
            haa += curvature * x * x;
            hab += curvature * x;
            hbb += curvature;
        }
        let determinant = haa * hbb - hab * hab;
        let (step_a, step_b) = (
            (hbb * ga - hab * gb) / determinant,
            (haa * gb - hab * ga) / determinant,
        );
        a -= step_a;
        b -= step_b;
        if step_a.abs() + step_b.abs() < 1e-12 {
            break;
        }
    }
    a / deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(logit: f64, species: Option<&str>, subject: usize) -> Sample {
        Sample {
            presentation: Presentation {
                image: format!("{logit}-{species:?}-{subject}"),
                species: species.map(str::to_owned),
                source: "drawn".to_owned(),
                subject: Some(subject.to_string()),
                line: 0,
            },
            logit,
        }
    }

    /// 200 live logits spread evenly over 0 to 4, and attacks of two species over -4 to 1 and -4
    /// to 2, of 20 people.
    fn samples() -> Vec<Sample> {
        let spread = |low: f64, high: f64, at: usize| low + (high - low) * at as f64 / 199.0;
        (0..200)
            .flat_map(|at| {
                [
                    sample(spread(0.0, 4.0, at), None, at % 20),
                    sample(spread(-4.0, 1.0, at), Some("print"), at % 20),
                    sample(spread(-4.0, 2.0, at), Some("screen"), at % 20),
                ]
            })
            .collect()
    }

    fn errors(samples: &[Sample], calibration: ScoreCalibration, threshold: f64) -> MeasuredPoint {
        let mut errors = Errors::default();
        for sample in samples {
            errors.count(sample, exact(calibration.score(sample.logit)) >= threshold);
        }
        errors.measured(threshold)
    }

    #[test]
    fn nine_tenths_become_the_operating_point_asked_for() {
        let samples = samples();
        for (asked, refused, passed) in [
            // 10 of 200 live below 0.2; attacks above it: prints 32, screens 60.
            (OperatingPoint::Bpcer(0.05), 10, None),
            // The worse kind, screens, has at most 10 of 200 above.
            (OperatingPoint::Apcer(0.05), 0, Some(10)),
        ] {
            let made = calibrate("drawn".to_owned(), &samples, 3, asked).expect("enough");
            let file = made.file;
            // One source: its photos are all photos.
            assert_eq!(made.comparisons.len(), 1);
            assert_eq!(made.comparisons[0].after, file.measured);
            let found = errors(&samples, file.calibration, 0.90);
            match passed {
                None => assert_eq!(found.bpcer.errors, refused),
                Some(passed) => {
                    assert_eq!(found.apcer["screen"].errors, passed);
                    assert!(found.apcer["print"].errors <= passed);
                }
            }
            assert_eq!(file.counts.no_response, 3);
            assert_eq!((file.counts.bona_fide, file.counts.subjects), (200, 20));
            // Cross-validated: every photo once, near what was asked.
            let measured = &file.measured[0];
            assert_eq!(measured.bpcer.of, 200);
            assert_eq!(measured.apcer["print"].of, 200);
            if let OperatingPoint::Bpcer(asked) = asked {
                assert!((measured.bpcer.rate - asked).abs() < 0.03, "{measured:?}");
            }
            // The stricter threshold refuses more.
            assert!(file.measured[1].bpcer.errors >= measured.bpcer.errors);
        }
    }

    #[test]
    fn before_and_after_are_told_by_source_and_what_grows_is_named() {
        // A second camera whose logits lie lower by 2: there more live people are refused.
        let mut samples = samples();
        for mut sample in samples.clone() {
            sample.logit -= 2.0;
            sample.presentation.source = "dark".to_owned();
            samples.push(sample);
        }
        let made =
            calibrate(String::new(), &samples, 0, OperatingPoint::Bpcer(0.3)).expect("enough");
        let groups: Vec<&str> = made
            .comparisons
            .iter()
            .map(|one| one.group.as_str())
            .collect();
        assert_eq!(groups, ["dark", "drawn", ALL_SOURCES]);
        let [dark, drawn, all] = [0, 1, 2].map(|at| &made.comparisons[at]);
        // 0.90 is a logit of 2.197: above 110 of 200 live logits from 0 to 4, and above all from -2 to 2.
        assert_eq!(
            drawn.before[0],
            errors(&samples[..600], ScoreCalibration::default(), 0.90,)
        );
        assert_eq!(
            (drawn.before[0].bpcer.errors, drawn.before[0].bpcer.of),
            (110, 200)
        );
        assert_eq!(dark.before[0].bpcer.errors, 200);
        assert_eq!(all.before[0].bpcer.errors, 310);
        assert_eq!(all.after[0].bpcer.of, 400);
        assert_eq!(all.after, made.file.measured);
        let passed = |points: &[MeasuredPoint]| points[0].apcer["screen"].errors;
        for (one, other, sum) in [
            (&dark.before, &drawn.before, &all.before),
            (&dark.after, &drawn.after, &all.after),
        ] {
            assert_eq!(passed(one) + passed(other), passed(sum));
        }
        // Fewer live people are refused, so more screens pass: only that is named.
        assert!(all.after[0].bpcer.errors < all.before[0].bpcer.errors);
        let grown: Vec<Growth> = all.grown().collect();
        assert!(
            grown
                .iter()
                .any(|one| one.what == "APCER screen" && one.threshold == 0.90)
        );
        assert!(
            grown
                .iter()
                .all(|one| one.what != "BPCER" && one.after.errors > one.before.errors)
        );
    }

    #[test]
    fn the_slope_is_that_of_a_logistic_regression() {
        // Densities of two normal distributions with deviation 1 at +1 and -1: the log of their
        // ratio is 2x, so the slope is 2. Quantiles stand for draws.
        let normal = |mean: f64| -> Vec<f64> {
            (1..2000)
                .map(|at| {
                    let share = f64::from(at) / 2000.0;
                    mean - std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * share)
                })
                .collect()
        };
        let found = slope(&normal(1.0), &normal(-1.0));
        assert!((found - 2.0).abs() < 0.02, "{found}");
    }

    #[test]
    fn classes_without_overlap_have_a_finite_slope() {
        let found = slope(&[5.0, 6.0, 7.0], &[-5.0, -6.0, -7.0]);
        assert!(found > 0.0 && found < 100.0, "{found}");
    }

    #[test]
    fn too_little_data_is_refused_with_the_counts_needed() {
        let few: Vec<Sample> = samples().into_iter().take(90).collect();
        let error =
            calibrate(String::new(), &few, 0, OperatingPoint::Bpcer(0.05)).expect_err("30 live");
        assert!(
            error
                .to_string()
                .contains("needs 60 bona fide presentations; 30 got"),
            "{error}"
        );
        let error = calibrate(String::new(), &few, 0, OperatingPoint::Apcer(0.01))
            .expect_err("30 of a kind");
        for words in [
            "needs 300 attacks of the kind print; 30",
            "needs 300 attacks of the kind screen",
            "needs 50 bona fide",
        ] {
            assert!(error.to_string().contains(words), "{words} in {error}");
        }
        let mut one_person = samples();
        for sample in &mut one_person {
            sample.presentation.subject = Some("the same".to_owned());
        }
        let error = calibrate(String::new(), &one_person, 0, OperatingPoint::Bpcer(0.05))
            .expect_err("one person");
        assert!(error.to_string().contains("5 people"), "{error}");
        for wrong in [0.0, 0.0009, 0.51, f64::NAN] {
            let error = calibrate(String::new(), &samples(), 0, OperatingPoint::Bpcer(wrong));
            assert!(matches!(error, Err(CalibrateError::Rate(_))), "{wrong}");
        }
    }

    #[test]
    fn exactly_enough_is_enough() {
        let live = (0..60).map(|at| sample(2.0 + at as f64 / 60.0, None, at % 5));
        let attacks = (0..50).map(|at| sample(at as f64 / 60.0, Some("print"), at % 5));
        let mut samples: Vec<Sample> = live.chain(attacks).collect();
        assert!(calibrate(String::new(), &samples, 0, OperatingPoint::Bpcer(0.05)).is_ok());
        samples.remove(0);
        assert!(calibrate(String::new(), &samples, 0, OperatingPoint::Bpcer(0.05)).is_err());
    }

    #[test]
    fn labels_the_wrong_way_round_are_noticed() {
        let mut turned = samples();
        for sample in &mut turned {
            sample.logit = -sample.logit;
        }
        let error =
            calibrate(String::new(), &turned, 0, OperatingPoint::Bpcer(0.05)).expect_err("falling");
        assert!(
            matches!(error, CalibrateError::NoSeparation { auc } if auc < 0.5),
            "{error}"
        );
    }

    #[test]
    fn photos_of_one_person_share_a_fold() {
        let people = People::of(&samples());
        assert_eq!(people.classes.len(), 20);
        let folds = people.folds();
        for fold in 0..FOLDS {
            assert_eq!(folds.iter().filter(|of| **of == fold).count(), 4);
        }
    }
}
