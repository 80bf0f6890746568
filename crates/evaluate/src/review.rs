//! The review band: scores between "no" and "yes" that people look at. Who falls into it, and what
//! is left to the machine outside it.

use std::collections::BTreeMap;

use livecheck_engine::Rate;
use serde::{Deserialize, Serialize};

use crate::{interval::rate, outcome::Record};

/// Decimals of a threshold that is chosen.
const STEPS_PER_UNIT: f64 = 1000.0;

/// A review band, measured on one group of presentations that got a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewBand {
    /// The review threshold: the band begins there.
    pub from: f64,
    /// The liveness threshold: the band ends below it.
    pub below: f64,
    /// Bona fide presentations in the band, of those with a verdict.
    pub bona_fide: Rate,
    /// Attacks in the band, of those with a verdict, by species.
    pub attacks: BTreeMap<String, Rate>,
    /// BPCER over the presentations outside the band.
    pub bpcer_outside: Rate,
    /// APCER over the presentations outside the band, by species.
    pub apcer_outside: BTreeMap<String, Rate>,
}

/// Where the scores of one class lie.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    refused: u64,
    band: u64,
    passed: u64,
}

impl Counts {
    fn add(&mut self, score: f64, from: f64, below: f64) {
        *if score >= below {
            &mut self.passed
        } else if score >= from {
            &mut self.band
        } else {
            &mut self.refused
        } += 1;
    }

    fn in_band(self) -> Rate {
        rate(self.band, self.refused + self.band + self.passed)
    }

    fn outside(self, wrong: u64) -> Rate {
        rate(wrong, self.refused + self.passed)
    }
}

impl ReviewBand {
    /// The band from `from` up to `below` on these presentations.
    #[must_use]
    pub fn measure<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        from: f64,
        below: f64,
    ) -> Self {
        let mut bona_fide = Counts::default();
        let mut attacks: BTreeMap<&str, Counts> = BTreeMap::new();
        for record in records {
            let Some(score) = record.score() else {
                continue;
            };
            match record.presentation.species.as_deref() {
                None => &mut bona_fide,
                Some(species) => attacks.entry(species).or_default(),
            }
            .add(score, from, below);
        }
        let by_species = |rate: fn(Counts) -> Rate| {
            attacks
                .iter()
                .map(|(species, counts)| ((*species).to_owned(), rate(*counts)))
                .collect()
        };
        Self {
            from,
            below,
            bona_fide: bona_fide.in_band(),
            attacks: by_species(Counts::in_band),
            bpcer_outside: bona_fide.outside(bona_fide.refused),
            apcer_outside: by_species(|counts| counts.outside(counts.passed)),
        }
    }

    /// The widest band below `below` that holds at most this share of the bona fide presentations:
    /// its lower end, to three decimals. `None` when no bona fide presentation can be in one.
    #[must_use]
    pub fn choose<'a>(
        records: impl IntoIterator<Item = &'a Record>,
        below: f64,
        share: f64,
    ) -> Option<f64> {
        let live: Vec<f64> = records
            .into_iter()
            .filter(|record| record.presentation.species.is_none())
            .filter_map(Record::score)
            .collect();
        let mut refused: Vec<f64> = live.iter().copied().filter(|at| *at < below).collect();
        refused.sort_by(|a, b| b.total_cmp(a));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count"
        )]
        let room = (share * live.len() as f64 + 1e-9).floor() as usize;
        let held = &refused[..room.min(refused.len())];
        let lowest = *held.last()?;
        let from = match refused.get(held.len()) {
            // Above the first that is too many.
            Some(first_outside) => {
                ((first_outside * STEPS_PER_UNIT).floor() + 1.0) / STEPS_PER_UNIT
            }
            None => (lowest * STEPS_PER_UNIT).floor() / STEPS_PER_UNIT,
        };
        (from < below && refused[0] >= from).then_some(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Presentation, outcome::Outcome};

    fn record(score: f64, species: Option<&str>) -> Record {
        Record {
            presentation: Presentation {
                image: String::new(),
                species: species.map(str::to_owned),
                source: String::new(),
                subject: None,
                line: 0,
            },
            outcome: Outcome::Score(score),
        }
    }

    fn records() -> Vec<Record> {
        let live = [0.95, 0.97, 0.99, 0.9, 0.89, 0.8, 0.75, 0.3, 0.2, 0.1];
        let prints = [0.95, 0.85, 0.8, 0.1];
        let mut records: Vec<Record> = live.map(|score| record(score, None)).into();
        records.extend(prints.map(|score| record(score, Some("print"))));
        records.push(Record {
            outcome: Outcome::NoResponse("051".to_owned()),
            ..record(0.0, None)
        });
        records
    }

    #[test]
    fn who_falls_into_the_band_and_what_is_wrong_outside() {
        let band = ReviewBand::measure(&records(), 0.8, 0.9);
        assert_eq!((band.bona_fide.errors, band.bona_fide.of), (2, 10));
        let prints = band.attacks["print"];
        assert_eq!((prints.errors, prints.of), (2, 4));
        let bpcer = band.bpcer_outside;
        assert_eq!((bpcer.errors, bpcer.of), (4, 8));
        let apcer = band.apcer_outside["print"];
        assert_eq!((apcer.errors, apcer.of), (1, 2));
    }

    #[test]
    fn the_widest_band_that_holds_the_share_is_chosen() {
        let records = records();
        for (share, expected) in [
            (0.05, None),
            (0.1, Some(0.801)),
            (0.2, Some(0.751)),
            (0.3, Some(0.301)),
            (0.35, Some(0.301)),
            (0.6, Some(0.1)),
            (1.0, Some(0.1)),
        ] {
            let chosen = ReviewBand::choose(&records, 0.9, share);
            assert_eq!(chosen, expected, "{share}");
            if let Some(from) = chosen {
                let held = ReviewBand::measure(&records, from, 0.9).bona_fide;
                assert!(held.errors > 0 && held.rate <= share, "{share}: {held:?}");
            }
        }
        let all_pass = [record(0.95, None)];
        assert_eq!(ReviewBand::choose(&all_pass, 0.9, 0.5), None);
    }
}
