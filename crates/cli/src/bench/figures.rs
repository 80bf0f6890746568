//! Times and what is made of them.

use std::{collections::BTreeMap, fs, time::Instant};

use livecheck_engine::Timings;
use serde::Serialize;

/// A duration.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize)]
pub(super) struct Milliseconds(pub(super) f64);

impl Milliseconds {
    pub(super) fn since(start: Instant) -> Self {
        Self(start.elapsed().as_secs_f64() * 1e3)
    }

    pub(super) fn seconds(self) -> f64 {
        self.0 / 1e3
    }
}

/// Times of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Vec<f64>);

/// Percentiles of times by the nearest rank, and their mean; milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) mean: f64,
}

impl Times {
    pub(super) fn add(&mut self, time: Milliseconds) {
        self.0.push(time.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn summary(&self) -> Summary {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(at).copied().unwrap_or_default()
        };
        Summary {
            p50: rank(50),
            p95: rank(95),
            p99: rank(99),
            mean: sorted.iter().sum::<f64>() / sorted.len().max(1) as f64,
        }
    }
}

/// Times by stage.
#[derive(Debug, Clone, Default)]
pub(super) struct Stages {
    decode: Times,
    detect: Times,
    mask: Times,
    liveness: Times,
    /// What the total has beyond the stages: quality measures, and the way between them.
    rest: Times,
    /// Of every check, those without a verdict too.
    pub(super) total: Times,
}

impl Stages {
    /// Adds the stages of a verdict.
    pub(super) fn note(&mut self, timings: &Timings) {
        let stages = [
            timings.decode_ms,
            timings.detect_ms,
            timings.mask_ms,
            timings.liveness_ms,
        ];
        let rest = timings.total_ms - stages.iter().sum::<f32>();
        let [decode, detect, mask, liveness] = stages.map(|ms| Milliseconds(f64::from(ms)));
        self.decode.add(decode);
        self.detect.add(detect);
        self.mask.add(mask);
        self.liveness.add(liveness);
        self.rest.add(Milliseconds(f64::from(rest)));
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (to, from) in [
            (&mut self.decode, other.decode),
            (&mut self.detect, other.detect),
            (&mut self.mask, other.mask),
            (&mut self.liveness, other.liveness),
            (&mut self.rest, other.rest),
            (&mut self.total, other.total),
        ] {
            to.0.extend(from.0);
        }
    }

    /// Name and figures of each stage, the total last.
    pub(super) fn summaries(&self) -> [(&'static str, Summary); 6] {
        [
            ("decode", self.decode.summary()),
            ("detect", self.detect.summary()),
            ("mask", self.mask.summary()),
            ("liveness", self.liveness.summary()),
            ("rest", self.rest.summary()),
            ("total", self.total.summary()),
        ]
    }
}

/// What became of the checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Outcomes {
    pub(super) checks: usize,
    /// Checks without a verdict, by error code.
    pub(super) refused: BTreeMap<&'static str, usize>,
}

impl Outcomes {
    pub(super) fn note(&mut self, code: &'static str) {
        *self.refused.entry(code).or_default() += 1;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.checks += other.checks;
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
    }
}

/// A line of this process's status on Linux (`VmRSS`: memory in use, `VmHWM`: the most there was),
/// megabytes.
pub(super) fn memory(line: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let found = status.lines().find(|text| text.starts_with(line))?;
    let kibibytes: f64 = found.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// Checks with a number of workers.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Throughput {
    pub(super) workers: usize,
    /// Checks a second, all workers together.
    pub(super) per_second: f64,
    /// The time of one check.
    pub(super) total: Summary,
}

/// What a number of checks took.
pub(super) struct Measured {
    pub(super) stages: Stages,
    pub(super) outcomes: Outcomes,
    pub(super) wall: Milliseconds,
}

impl Measured {
    pub(super) fn throughput(&self, workers: usize) -> Throughput {
        Throughput {
            workers,
            per_second: self.stages.total.len() as f64 / self.wall.seconds(),
            total: self.stages.total.summary(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut times = Times::default();
        for ms in (1..=200).rev() {
            times.add(Milliseconds(f64::from(ms)));
        }
        let summary = times.summary();
        assert_eq!(
            (summary.p50, summary.p95, summary.p99),
            (100.0, 190.0, 198.0)
        );
        assert!((summary.mean - 100.5).abs() < 1e-9);
        assert_eq!(Times::default().summary(), Summary::default());
    }
}
