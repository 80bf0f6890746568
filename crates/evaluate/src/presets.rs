//! Measures the presets: `crates/engine/models/operating-points.json` comes from here.

use std::collections::{BTreeMap, BTreeSet};

use livecheck_engine::{
    Dataset, Limits, OperatingPoints, Preset, PresetFigures, SourceFigures, score_sources,
};

use crate::{
    data,
    interval::rate,
    outcome::{Record, exact},
};

/// The figures of every preset, from records made at the default face and mask thresholds, which
/// all presets share.
#[must_use]
pub fn operating_points(command: String, limits: Limits, records: &[Record]) -> OperatingPoints {
    let sources: BTreeSet<&str> = records
        .iter()
        .map(|record| record.presentation.source.as_str())
        .collect();
    OperatingPoints {
        models: score_sources(),
        command,
        limits,
        data: sources
            .iter()
            .map(|source| dataset(source, records))
            .collect(),
        presets: Preset::ALL
            .into_iter()
            .map(|preset| PresetFigures {
                preset,
                thresholds: preset.thresholds(),
                measured: sources
                    .iter()
                    .map(|source| figures(source, records, exact(preset.thresholds().liveness)))
                    .collect(),
            })
            .collect(),
    }
}

fn dataset(source: &str, records: &[Record]) -> Dataset {
    let here: Vec<_> = records
        .iter()
        .map(|record| &record.presentation)
        .filter(|presentation| presentation.source == source)
        .collect();
    let mut attacks = BTreeMap::new();
    for species in here
        .iter()
        .filter_map(|presentation| presentation.species.as_ref())
    {
        *attacks.entry(species.clone()).or_default() += 1;
    }
    let subjects: BTreeSet<&str> = here
        .iter()
        .filter_map(|presentation| presentation.subject.as_deref())
        .collect();
    Dataset {
        source: source.to_owned(),
        labels_sha256: data::fingerprint(here.iter().copied()),
        bona_fide: here
            .iter()
            .filter(|presentation| presentation.species.is_none())
            .count() as u64,
        attacks,
        subjects: subjects.len() as u64,
    }
}

fn figures(source: &str, records: &[Record], threshold: f64) -> SourceFigures {
    let (mut refused, mut live, mut silent, mut all) = (0, 0, 0, 0);
    let mut attacks: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for record in records {
        if record.presentation.source != source {
            continue;
        }
        all += 1;
        match (record.score(), &record.presentation.species) {
            (None, _) => silent += 1,
            (Some(score), None) => {
                live += 1;
                refused += u64::from(score < threshold);
            }
            (Some(score), Some(species)) => {
                let (passed, of) = attacks.entry(species.clone()).or_default();
                *of += 1;
                *passed += u64::from(score >= threshold);
            }
        }
    }
    SourceFigures {
        source: source.to_owned(),
        bpcer: rate(refused, live),
        apcer: attacks
            .into_iter()
            .map(|(species, (passed, of))| (species, rate(passed, of)))
            .collect(),
        no_response: rate(silent, all),
    }
}
