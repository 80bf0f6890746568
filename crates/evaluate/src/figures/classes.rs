//! Scores by class, and the figures whose intervals the bootstrap finds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{outcome::Record, scores::Scores};

/// Scores by class; their ids are subjects.
pub(super) struct Classes {
    pub(super) bona_fide: Scores,
    pub(super) species: BTreeMap<String, Scores>,
    pub(super) attacks: Scores,
}

impl Classes {
    /// `clusters`: the subject of each record as a number.
    pub(super) fn of(records: &[&Record], clusters: &[usize], species: &BTreeSet<&str>) -> Self {
        let scores = |wanted: &dyn Fn(Option<&str>) -> bool| {
            Scores::with_ids(
                records
                    .iter()
                    .zip(clusters)
                    .filter_map(|(record, cluster)| {
                        wanted(record.presentation.species.as_deref())
                            .then(|| record.score())
                            .flatten()
                            .map(|score| (*cluster, score))
                    }),
            )
        };
        Self {
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
        }
    }

    pub(super) fn weighted(&self, weights: &[f64]) -> Self {
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
pub(super) type Figure<'a> = Box<dyn Fn(&Classes) -> Option<f64> + 'a>;

/// Figures whose intervals the bootstrap finds in one go.
#[derive(Default)]
pub(super) struct Plan<'a> {
    figures: Vec<Figure<'a>>,
}

/// Where a figure's interval will be.
#[derive(Clone, Copy)]
pub(super) struct Slot(pub(super) usize);

impl<'a> Plan<'a> {
    pub(super) fn add(&mut self, figure: impl Fn(&Classes) -> Option<f64> + 'a) -> Slot {
        self.figures.push(Box::new(figure));
        Slot(self.figures.len() - 1)
    }

    pub(super) fn run(&self, classes: &Classes) -> Vec<Option<f64>> {
        self.figures.iter().map(|figure| figure(classes)).collect()
    }
}

/// The subject of each record as a number; how many subjects are known; how many records have none.
pub(super) fn clusters(records: &[&Record]) -> (Vec<usize>, u64, u64) {
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
