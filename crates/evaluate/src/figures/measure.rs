//! The figures are worked out here, with their intervals.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    classes::{Classes, Plan, Slot, clusters},
    counts::{known, whole},
    curves::{curve, dets, histograms, reliability},
    types::{AtApcer, AtBpcer, AtThreshold, Estimate, Figures, Responses, Share, Species, Worst},
};
use crate::{
    bootstrap::Bootstrap,
    interval::rate,
    outcome::{Outcome, Record},
    scores::{self, Scores},
};

/// The error rates at which the other one is read.
pub const FIXED_RATES: [f64; 3] = [0.01, 0.05, 0.10];

/// Where the intervals of the figures will be.
struct Slots {
    auc: Slot,
    d_eer: Slot,
    /// AUC and D-EER.
    by_species: Vec<(Slot, Slot)>,
    /// Of bona fide presentations, and of each species.
    at_threshold: Vec<(Slot, Vec<Slot>)>,
    /// Of all attacks, and of each species.
    at_bpcer: Vec<(Slot, Vec<Slot>)>,
    at_apcer: Vec<Slot>,
}

impl Slots {
    fn of<'a>(plan: &mut Plan<'a>, species: &BTreeSet<&'a str>, thresholds: &'a [f64]) -> Self {
        let auc = plan.add(|c| scores::auc(&c.bona_fide, &c.attacks));
        let d_eer = plan.add(|c| scores::equal_error_rate(&c.bona_fide, &c.attacks));
        let by_species: Vec<(Slot, Slot)> = species
            .iter()
            .copied()
            .map(|name| {
                (
                    plan.add(move |c| scores::auc(&c.bona_fide, &c.species[name])),
                    plan.add(move |c| scores::equal_error_rate(&c.bona_fide, &c.species[name])),
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
                        .copied()
                        .map(|name| {
                            plan.add(move |c| known(c.species[name].share_at_or_above(*threshold)))
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
                        .copied()
                        .map(|name| {
                            plan.add(move |c| {
                                scores::apcer_at_bpcer(&c.bona_fide, &c.species[name], *fixed)
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
        Self {
            auc,
            d_eer,
            by_species,
            at_threshold,
            at_bpcer,
            at_apcer,
        }
    }
}

/// What was measured, before it is sorted into figures.
struct Measured<'a> {
    records: &'a [&'a Record],
    species: &'a BTreeSet<&'a str>,
    classes: &'a Classes,
    values: Vec<Option<f64>>,
    intervals: Vec<Option<(f64, f64)>>,
}

impl Measured<'_> {
    fn estimate(&self, Slot(at): Slot) -> Option<Estimate> {
        self.values[at].map(|value| Estimate {
            value,
            bootstrap: self.intervals[at],
        })
    }

    fn share(&self, Slot(at): Slot, scores: &Scores, errors: f64) -> Share {
        Share {
            rate: rate(whole(errors), whole(scores.total())),
            bootstrap: self.intervals[at],
        }
    }

    fn attacks(&self, slots: &[(Slot, Slot)]) -> BTreeMap<String, Species> {
        self.species
            .iter()
            .zip(slots)
            .map(|(name, (auc, d_eer))| {
                (
                    (*name).to_owned(),
                    Species {
                        responses: responses(self.records, Some(name)),
                        auc: self.estimate(*auc),
                        d_eer: self.estimate(*d_eer),
                    },
                )
            })
            .collect()
    }

    fn at_bpcer(&self, slots: &[(Slot, Vec<Slot>)]) -> Vec<AtBpcer> {
        let classes = self.classes;
        FIXED_RATES
            .iter()
            .zip(slots)
            .filter_map(|(bpcer, (all, slots))| {
                let threshold = scores::threshold_at_bpcer(&classes.bona_fide, *bpcer)?;
                let passed = |scores: &Scores| scores.at_or_above(threshold);
                let apcer = shares(classes, slots, |slot, scores| {
                    self.share(slot, scores, passed(scores))
                });
                Some(AtBpcer {
                    bpcer: *bpcer,
                    threshold,
                    worst: worst(&apcer),
                    apcer,
                    all_attacks: self.share(*all, &classes.attacks, passed(&classes.attacks)),
                })
            })
            .collect()
    }

    fn at_apcer(&self, slots: &[Slot]) -> Vec<AtApcer> {
        let classes = self.classes;
        FIXED_RATES
            .iter()
            .zip(slots)
            .filter_map(|(apcer, slot)| {
                let threshold = threshold_at_apcer(classes, *apcer)?;
                let refused = classes.bona_fide.below(threshold);
                Some(AtApcer {
                    apcer: *apcer,
                    bpcer: self.share(*slot, &classes.bona_fide, refused),
                })
            })
            .collect()
    }

    fn at_threshold(&self, thresholds: &[f64], slots: &[(Slot, Vec<Slot>)]) -> Vec<AtThreshold> {
        let (records, classes) = (self.records, self.classes);
        thresholds
            .iter()
            .zip(slots)
            .map(|(threshold, (bpcer, slots))| {
                let apcer = shares(classes, slots, |slot, scores| {
                    self.share(slot, scores, scores.at_or_above(*threshold))
                });
                let presented = responses(records, None).presented;
                let passed = whole(classes.bona_fide.at_or_above(*threshold));
                AtThreshold {
                    threshold: *threshold,
                    bpcer: self.share(
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
            .collect()
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
        let classes = Classes::of(records, &clusters, &species);
        let mut plan = Plan::default();
        let slots = Slots::of(&mut plan, &species, thresholds);
        let measured = Measured {
            records,
            species: &species,
            classes: &classes,
            values: plan.run(&classes),
            intervals: bootstrap.intervals(
                clusters.iter().max().map_or(0, |last| last + 1),
                |weights| plan.run(&classes.weighted(weights)),
            ),
        };
        Self {
            subjects,
            without_subject,
            bona_fide: responses(records, None),
            attacks: measured.attacks(&slots.by_species),
            auc: measured.estimate(slots.auc),
            d_eer: measured.estimate(slots.d_eer),
            at_bpcer: measured.at_bpcer(&slots.at_bpcer),
            at_apcer: measured.at_apcer(&slots.at_apcer),
            at_threshold: measured.at_threshold(thresholds, &slots.at_threshold),
            histogram: histograms(&classes),
            curve: curve(&classes),
            det: dets(&classes),
            reliability: reliability(&classes),
        }
    }
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
