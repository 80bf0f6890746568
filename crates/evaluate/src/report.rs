//! The whole result of an evaluation, as it is written in JSON and shown in HTML.

use std::collections::{BTreeMap, BTreeSet};

use livecheck_engine::{Limits, ScoreSource, Thresholds};
use serde::{Deserialize, Serialize};

use crate::{
    bootstrap::Bootstrap,
    data,
    figures::Figures,
    outcome::{Outcome, Record},
    reasons::{Reason, Reasons},
    review::ReviewBand,
    stability::Stability,
};

/// What `format` says in a report.
pub const FORMAT: &str = "livecheck-evaluation";

/// Version of the report's format.
pub const VERSION: u32 = 1;

/// The product's recommended operating points, which every report marks.
pub const MARKED_THRESHOLDS: [f64; 2] = [0.90, 0.95];

/// Names the presentations of all sources together.
pub const ALL_SOURCES: &str = "all sources";

/// What was measured with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// `"Livecheck"`, or the name given to another system.
    pub name: String,
    /// Its version, when known.
    pub version: Option<String>,
    /// What the scores were made with; empty for another system.
    pub models: Vec<ScoreSource>,
    /// Limits in force; `None` for another system.
    pub limits: Option<Limits>,
    /// Thresholds in force; `None` for another system.
    pub thresholds: Option<Thresholds>,
    /// The preset in force, if any.
    pub preset: Option<String>,
    /// The file of the user's own calibration, if any.
    pub calibration: Option<String>,
}

/// What was measured on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Name of the manifest or folder.
    pub name: String,
    /// SHA-256 over the labels, see [`data::fingerprint`].
    pub sha256: String,
    /// All presentations.
    pub presentations: u64,
}

/// What became of one person's presentations at the threshold in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Where the person was presented.
    pub source: String,
    /// The person.
    pub subject: String,
    /// Bona fide presentations with a verdict.
    pub bona_fide: u64,
    /// Those refused.
    pub bona_fide_refused: u64,
    /// Attacks with a verdict.
    pub attacks: u64,
    /// Those that passed.
    pub attacks_passed: u64,
    /// Presentations without a verdict.
    pub no_response: u64,
}

/// The whole result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `"livecheck-evaluation"`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// What was measured with.
    pub system: System,
    /// What was measured on.
    pub data: Data,
    /// Why presentations got no verdict, the commonest reason first; all sources together.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// The liveness threshold in force.
    pub threshold: f64,
    /// Resamples of the bootstrap over subjects.
    pub bootstrap_resamples: u32,
    /// Its seed.
    pub bootstrap_seed: u64,
    /// All presentations together.
    pub overall: Figures,
    /// Each source; empty when there is only one.
    pub sources: BTreeMap<String, Figures>,
    /// Each person that is told, by source and name.
    pub subjects: Vec<Subject>,
    /// The review band on all presentations and on each source, when there is one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub review: BTreeMap<String, ReviewBand>,
    /// How verdicts hold against small disturbances, when that was measured.
    pub stability: Option<Stability>,
}

impl Report {
    /// Measures everything.
    #[must_use]
    pub fn new(
        system: System,
        name: String,
        records: &[Record],
        threshold: f64,
        bootstrap: Bootstrap,
        stability: Option<Stability>,
    ) -> Self {
        let mut thresholds = MARKED_THRESHOLDS.to_vec();
        if !thresholds.contains(&threshold) {
            thresholds.push(threshold);
            thresholds.sort_by(f64::total_cmp);
        }
        let all: Vec<&Record> = records.iter().collect();
        let names: BTreeSet<&str> = records
            .iter()
            .map(|record| record.presentation.source.as_str())
            .collect();
        let sources = if names.len() > 1 {
            names
                .into_iter()
                .map(|name| {
                    let here: Vec<&Record> = records
                        .iter()
                        .filter(|record| record.presentation.source == name)
                        .collect();
                    let figures = Figures::measure(&here, &thresholds, bootstrap);
                    (name.to_owned(), figures)
                })
                .collect()
        } else {
            BTreeMap::new()
        };
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            system,
            data: Data {
                name,
                sha256: data::fingerprint(records.iter().map(|record| &record.presentation)),
                presentations: records.len() as u64,
            },
            reasons: Reasons::of(records).list(),
            threshold,
            bootstrap_resamples: bootstrap.resamples,
            bootstrap_seed: bootstrap.seed,
            overall: Figures::measure(&all, &thresholds, bootstrap),
            sources,
            subjects: subjects(records, threshold),
            review: BTreeMap::new(),
            stability,
        }
    }

    /// Names the reasons more closely than their codes do.
    #[must_use]
    pub fn with_reasons(mut self, reasons: Reasons) -> Self {
        self.reasons = reasons.list();
        self
    }

    /// Adds the review band from `from` up to the threshold in force, by group as in
    /// [`Report::groups`].
    #[must_use]
    pub fn with_review(mut self, records: &[Record], from: f64) -> Self {
        let below = self.threshold;
        let of = |wanted: Option<&str>| {
            let here = records
                .iter()
                .filter(|record| wanted.is_none_or(|source| record.presentation.source == source));
            ReviewBand::measure(here, from, below)
        };
        self.review = self
            .sources
            .keys()
            .map(|source| (source.clone(), of(Some(source))))
            .chain([(ALL_SOURCES.to_owned(), of(None))])
            .collect();
        self
    }

    /// The groups with their names, the sources before the whole.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Figures)> {
        self.sources
            .iter()
            .map(|(name, figures)| (name.as_str(), figures))
            .chain([(ALL_SOURCES, &self.overall)])
    }
}

fn subjects(records: &[Record], threshold: f64) -> Vec<Subject> {
    let mut subjects: BTreeMap<(&str, &str), Subject> = BTreeMap::new();
    for Record {
        presentation,
        outcome,
    } in records
    {
        let Some(name) = presentation.subject.as_deref() else {
            continue;
        };
        let subject = subjects
            .entry((&presentation.source, name))
            .or_insert_with(|| Subject {
                source: presentation.source.clone(),
                subject: name.to_owned(),
                bona_fide: 0,
                bona_fide_refused: 0,
                attacks: 0,
                attacks_passed: 0,
                no_response: 0,
            });
        match (outcome, &presentation.species) {
            (Outcome::NoResponse(_), _) => subject.no_response += 1,
            (Outcome::Score(score), None) => {
                subject.bona_fide += 1;
                subject.bona_fide_refused += u64::from(*score < threshold);
            }
            (Outcome::Score(score), Some(_)) => {
                subject.attacks += 1;
                subject.attacks_passed += u64::from(*score >= threshold);
            }
        }
    }
    subjects.into_values().collect()
}
