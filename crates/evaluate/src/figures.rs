//! Error rates of one group of presentations, with intervals. Every figure is defined where it is
//! a field; shares are 0 to 1.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use livecheck_engine::Rate;
use serde::{Deserialize, Serialize};

use crate::{
    bootstrap::Bootstrap,
    interval::rate,
    outcome::{Outcome, Record},
    scores::{self, Scores},
};

/// The error rates at which the other one is read.
pub const FIXED_RATES: [f64; 3] = [0.01, 0.05, 0.10];

/// Bins of the histogram and of the reliability diagram.
const BINS: usize = 20;

/// Steps of the curve of errors over the threshold.
const CURVE_STEPS: usize = 200;

/// Most points of a DET curve that are kept for drawing.
const DET_POINTS: usize = 400;

/// Names the attacks of all species together.
const ALL_ATTACKS: &str = "all attacks";

/// A figure that is no share of a count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// 95 % interval of the bootstrap over subjects.
    pub bootstrap: Option<(f64, f64)>,
}

/// A share of a count, with the exact interval (which takes every photo for a draw of its own) and
/// the one of the bootstrap (which draws people, and is the wider the more their photos resemble
/// one another).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Counts and Clopper-Pearson interval.
    #[serde(flatten)]
    pub rate: Rate,
    /// 95 % interval of the bootstrap over subjects.
    pub bootstrap: Option<(f64, f64)>,
}

/// How many presentations of a class got a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Responses {
    /// All presentations.
    pub presented: u64,
    /// Those with a verdict: what APCER and BPCER are counted over.
    pub responded: u64,
    /// Share without one: the BPNRR of bona fide presentations, the APNRR of a species.
    pub non_response: Rate,
    /// Those without one by error code.
    pub by_code: BTreeMap<String, u64>,
}

/// What holds for one PAI species at every threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Species {
    /// How many got a verdict.
    pub responses: Responses,
    /// Area under the ROC curve against all bona fide presentations.
    pub auc: Option<Estimate>,
    /// Detection equal error rate.
    pub d_eer: Option<Estimate>,
}

/// The worst species.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Its name.
    pub species: String,
    /// Its APCER.
    pub apcer: f64,
}

/// Error rates at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtThreshold {
    /// From this score on a presentation is classified as bona fide.
    pub threshold: f64,
    /// Bona fide presentations classified as attacks, of those with a verdict.
    pub bpcer: Share,
    /// Attacks classified as bona fide, of those with a verdict, by species.
    pub apcer: BTreeMap<String, Share>,
    /// The highest of them.
    pub worst: Option<Worst>,
    /// Bona fide presentations that did not pass, refused or without a verdict, of all presented:
    /// what users notice.
    pub bona_fide_turned_away: Rate,
    /// Attacks that passed, of all presented, by species.
    pub attacks_let_in: BTreeMap<String, Rate>,
}

/// Error rates at the highest threshold that keeps a BPCER.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtBpcer {
    /// The BPCER allowed.
    pub bpcer: f64,
    /// That threshold.
    pub threshold: f64,
    /// APCER by species.
    pub apcer: BTreeMap<String, Share>,
    /// The highest of them.
    pub worst: Option<Worst>,
    /// Attacks of all species together.
    pub all_attacks: Share,
}

/// Error rates at the lowest threshold at which no species' APCER is above a rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtApcer {
    /// The APCER allowed.
    pub apcer: f64,
    /// BPCER there; at 10, 5 and 1 % the BPCER10, BPCER20 and BPCER100 of the standard.
    pub bpcer: Share,
}

/// Counts of scores in equal bins from 0 to 1; the last one holds 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Bona fide presentations.
    pub bona_fide: Vec<u64>,
    /// Attacks by species.
    pub attacks: BTreeMap<String, Vec<u64>>,
}

/// Error rates at a threshold, without intervals, for drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The threshold.
    pub threshold: f64,
    /// BPCER there.
    pub bpcer: f64,
    /// APCER there, by species.
    pub apcer: BTreeMap<String, f64>,
}

/// One bin of the reliability diagram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Mean score in the bin.
    pub mean_score: f64,
    /// Share of bona fide presentations in it.
    pub bona_fide: Rate,
}

/// Whether a score can be read as a probability (DeGroot and Fienberg 1983).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Bins that hold something.
    pub bins: Vec<ReliabilityBin>,
    /// Mean distance of mean score and share, weighted by the counts of the bins.
    pub expected_calibration_error: f64,
}

/// Everything measured on one group of presentations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// People, each counted once within a source.
    pub subjects: u64,
    /// Presentations whose subject is not told: each counts as a subject of its own in the
    /// bootstrap, which makes its intervals too narrow.
    pub without_subject: u64,
    /// Bona fide presentations.
    pub bona_fide: Responses,
    /// Attacks by species.
    pub attacks: BTreeMap<String, Species>,
    /// Area under the ROC curve, all attacks together.
    pub auc: Option<Estimate>,
    /// Detection equal error rate, all attacks together.
    pub d_eer: Option<Estimate>,
    /// At 1, 5 and 10 % BPCER.
    pub at_bpcer: Vec<AtBpcer>,
    /// At 1, 5 and 10 % APCER.
    pub at_apcer: Vec<AtApcer>,
    /// At the thresholds asked for.
    pub at_threshold: Vec<AtThreshold>,
    /// Where the scores lie.
    pub histogram: Histogram,
    /// Errors over the threshold.
    pub curve: Vec<CurvePoint>,
    /// Pairs of APCER and BPCER of the DET curve, by species and for all attacks.
    pub det: BTreeMap<String, Vec<(f64, f64)>>,
    /// Whether the score can be read as a probability.
    pub reliability: Reliability,
}

/// Scores by class; their ids are subjects.
struct Classes {
    bona_fide: Scores,
    species: BTreeMap<String, Scores>,
    attacks: Scores,
}

impl Classes {
    fn weighted(&self, weights: &[f64]) -> Self {
        let weigh = |scores: &Scores| scores.weighted(|subject| weights[subject]);
        Self {
            bona_fide: weigh(&self.bona_fide),
            species: self
                .species
                .iter()
                .map(|(name, scores)| (name.clone(), weigh(scores)))
                .collect(),
            attacks: weigh(&self.attacks),
        }
    }
}

/// One figure of the classes; `None` when a class is empty.
type Figure<'a> = Box<dyn Fn(&Classes) -> Option<f64> + 'a>;

/// Figures whose intervals the bootstrap finds in one go.
#[derive(Default)]
struct Plan<'a> {
    figures: Vec<Figure<'a>>,
}

/// Where a figure's interval will be.
#[derive(Clone, Copy)]
struct Slot(usize);

impl<'a> Plan<'a> {
    fn add(&mut self, figure: impl Fn(&Classes) -> Option<f64> + 'a) -> Slot {
        self.figures.push(Box::new(figure));
        Slot(self.figures.len() - 1)
    }

    fn run(&self, classes: &Classes) -> Vec<Option<f64>> {
        self.figures.iter().map(|figure| figure(classes)).collect()
    }
}

impl Figures {
    /// Measures a group of presentations.
    #[must_use]
    pub fn measure(records: &[&Record], thresholds: &[f64], bootstrap: Bootstrap) -> Self {
        let (clusters, subjects, without_subject) = clusters(records);
        let species: BTreeSet<&str> = records
            .iter()
            .filter_map(|record| record.presentation.species.as_deref())
            .collect();
        let scores = |wanted: &dyn Fn(Option<&str>) -> bool| {
            Scores::with_ids(
                records
                    .iter()
                    .zip(&clusters)
                    .filter_map(|(record, cluster)| {
                        wanted(record.presentation.species.as_deref())
                            .then(|| record.score())
                            .flatten()
                            .map(|score| (*cluster, score))
                    }),
            )
        };
        let classes = Classes {
            bona_fide: scores(&|species| species.is_none()),
            species: species
                .iter()
                .map(|name| {
                    (
                        (*name).to_owned(),
                        scores(&|species| species == Some(*name)),
                    )
                })
                .collect(),
            attacks: scores(&|species| species.is_some()),
        };

        let mut plan = Plan::default();
        let auc = plan.add(|c| scores::auc(&c.bona_fide, &c.attacks));
        let d_eer = plan.add(|c| scores::equal_error_rate(&c.bona_fide, &c.attacks));
        let by_species: Vec<(Slot, Slot)> = species
            .iter()
            .map(|name| {
                (
                    plan.add(move |c| scores::auc(&c.bona_fide, &c.species[*name])),
                    plan.add(move |c| scores::equal_error_rate(&c.bona_fide, &c.species[*name])),
                )
            })
            .collect();
        let at_threshold: Vec<(Slot, Vec<Slot>)> = thresholds
            .iter()
            .map(|threshold| {
                (
                    plan.add(|c| known(c.bona_fide.share_below(*threshold))),
                    species
                        .iter()
                        .map(|name| {
                            plan.add(move |c| known(c.species[*name].share_at_or_above(*threshold)))
                        })
                        .collect(),
                )
            })
            .collect();
        let at_bpcer: Vec<(Slot, Vec<Slot>)> = FIXED_RATES
            .iter()
            .map(|fixed| {
                (
                    plan.add(|c| scores::apcer_at_bpcer(&c.bona_fide, &c.attacks, *fixed)),
                    species
                        .iter()
                        .map(|name| {
                            plan.add(move |c| {
                                scores::apcer_at_bpcer(&c.bona_fide, &c.species[*name], *fixed)
                            })
                        })
                        .collect(),
                )
            })
            .collect();
        let at_apcer: Vec<Slot> = FIXED_RATES
            .iter()
            .map(|fixed| {
                plan.add(|c| known(c.bona_fide.share_below(threshold_at_apcer(c, *fixed)?)))
            })
            .collect();

        let values = plan.run(&classes);
        let intervals = bootstrap.intervals(
            clusters.iter().max().map_or(0, |last| last + 1),
            |weights| plan.run(&classes.weighted(weights)),
        );
        let estimate = |Slot(at): Slot| {
            values[at].map(|value| Estimate {
                value,
                bootstrap: intervals[at],
            })
        };
        let share = |Slot(at): Slot, scores: &Scores, errors: f64| Share {
            rate: rate(whole(errors), whole(scores.total())),
            bootstrap: intervals[at],
        };

        Self {
            subjects,
            without_subject,
            bona_fide: responses(records, None),
            attacks: species
                .iter()
                .zip(&by_species)
                .map(|(name, (auc, d_eer))| {
                    (
                        (*name).to_owned(),
                        Species {
                            responses: responses(records, Some(name)),
                            auc: estimate(*auc),
                            d_eer: estimate(*d_eer),
                        },
                    )
                })
                .collect(),
            auc: estimate(auc),
            d_eer: estimate(d_eer),
            at_bpcer: FIXED_RATES
                .iter()
                .zip(&at_bpcer)
                .filter_map(|(bpcer, (all, slots))| {
                    let threshold = scores::threshold_at_bpcer(&classes.bona_fide, *bpcer)?;
                    let passed = |scores: &Scores| scores.at_or_above(threshold);
                    let apcer = shares(&classes, slots, |slot, scores| {
                        share(slot, scores, passed(scores))
                    });
                    Some(AtBpcer {
                        bpcer: *bpcer,
                        threshold,
                        worst: worst(&apcer),
                        apcer,
                        all_attacks: share(*all, &classes.attacks, passed(&classes.attacks)),
                    })
                })
                .collect(),
            at_apcer: FIXED_RATES
                .iter()
                .zip(at_apcer)
                .filter_map(|(apcer, slot)| {
                    let threshold = threshold_at_apcer(&classes, *apcer)?;
                    let refused = classes.bona_fide.below(threshold);
                    Some(AtApcer {
                        apcer: *apcer,
                        bpcer: share(slot, &classes.bona_fide, refused),
                    })
                })
                .collect(),
            at_threshold: thresholds
                .iter()
                .zip(&at_threshold)
                .map(|(threshold, (bpcer, slots))| {
                    let apcer = shares(&classes, slots, |slot, scores| {
                        share(slot, scores, scores.at_or_above(*threshold))
                    });
                    let presented = responses(records, None).presented;
                    let passed = whole(classes.bona_fide.at_or_above(*threshold));
                    AtThreshold {
                        threshold: *threshold,
                        bpcer: share(
                            *bpcer,
                            &classes.bona_fide,
                            classes.bona_fide.below(*threshold),
                        ),
                        worst: worst(&apcer),
                        bona_fide_turned_away: rate(presented - passed, presented),
                        attacks_let_in: apcer
                            .iter()
                            .map(|(name, share)| {
                                let presented = responses(records, Some(name)).presented;
                                (name.clone(), rate(share.rate.errors, presented))
                            })
                            .collect(),
                        apcer,
                    }
                })
                .collect(),
            histogram: Histogram {
                bona_fide: histogram(&classes.bona_fide),
                attacks: classes
                    .species
                    .iter()
                    .map(|(name, scores)| (name.clone(), histogram(scores)))
                    .collect(),
            },
            curve: curve(&classes),
            det: classes
                .species
                .iter()
                .map(|(name, scores)| (name.as_str(), scores))
                .chain((species.len() > 1).then_some((ALL_ATTACKS, &classes.attacks)))
                .map(|(name, scores)| (name.to_owned(), det(&classes.bona_fide, scores)))
                .collect(),
            reliability: reliability(&classes),
        }
    }

    /// The figures at a threshold that was asked for.
    #[must_use]
    pub fn at(&self, threshold: f64) -> Option<&AtThreshold> {
        self.at_threshold
            .iter()
            .find(|at| at.threshold == threshold)
    }
}

/// `None` for the NaN of an empty class.
fn known(share: f64) -> Option<f64> {
    share.is_finite().then_some(share)
}

/// The subject of each record as a number; how many subjects are known; how many records have none.
fn clusters(records: &[&Record]) -> (Vec<usize>, u64, u64) {
    let mut numbers: HashMap<(&str, &str), usize> = HashMap::new();
    let mut next = 0;
    let mut without = 0;
    let clusters = records
        .iter()
        .map(|record| {
            let mut new = || {
                next += 1;
                next - 1
            };
            let presentation = &record.presentation;
            match presentation.subject.as_deref() {
                Some(subject) => *numbers
                    .entry((presentation.source.as_str(), subject))
                    .or_insert_with(new),
                None => {
                    without += 1;
                    new()
                }
            }
        })
        .collect();
    (clusters, numbers.len() as u64, without)
}

fn responses(records: &[&Record], species: Option<&str>) -> Responses {
    let mut presented = 0;
    let mut by_code: BTreeMap<String, u64> = BTreeMap::new();
    for record in records {
        if record.presentation.species.as_deref() == species {
            presented += 1;
            if let Outcome::NoResponse(code) = &record.outcome {
                *by_code.entry(code.clone()).or_default() += 1;
            }
        }
    }
    let silent = by_code.values().sum();
    Responses {
        presented,
        responded: presented - silent,
        non_response: rate(silent, presented),
        by_code,
    }
}

fn shares(
    classes: &Classes,
    slots: &[Slot],
    share: impl Fn(Slot, &Scores) -> Share,
) -> BTreeMap<String, Share> {
    classes
        .species
        .iter()
        .zip(slots)
        .map(|((name, scores), slot)| (name.clone(), share(*slot, scores)))
        .collect()
}

/// The species with the highest APCER; of equal ones the one with the most presentations, whose
/// figure is the surest.
fn worst(apcer: &BTreeMap<String, Share>) -> Option<Worst> {
    apcer
        .iter()
        .filter(|(_, share)| share.rate.of > 0)
        .max_by(|(_, a), (_, b)| {
            (a.rate.rate, a.rate.of)
                .partial_cmp(&(b.rate.rate, b.rate.of))
                .unwrap_or(std::cmp::Ordering::Equal)
        })
        .map(|(species, share)| Worst {
            species: species.clone(),
            apcer: share.rate.rate,
        })
}

/// The lowest threshold at which no species' APCER is above a rate.
fn threshold_at_apcer(classes: &Classes, apcer: f64) -> Option<f64> {
    classes
        .species
        .values()
        .filter(|scores| !scores.is_empty())
        .map(|scores| {
            scores::operating_points(&classes.bona_fide, scores)
                .into_iter()
                .find(|point| point.apcer <= apcer + 1e-9)
                .map(|point| point.threshold)
        })
        .try_fold(None, |highest: Option<f64>, threshold| {
            let threshold = threshold?;
            Some(Some(
                highest.map_or(threshold, |highest| highest.max(threshold)),
            ))
        })
        .flatten()
}

fn curve(classes: &Classes) -> Vec<CurvePoint> {
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

fn reliability(classes: &Classes) -> Reliability {
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

/// A sum of weights that are all 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count"
)]
fn whole(sum: f64) -> u64 {
    sum.round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn share_of(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
