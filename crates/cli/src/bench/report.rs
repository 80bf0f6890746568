//! The figures as a table and as JSON.

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;

use super::{
    figures::{Measured, Milliseconds, Outcomes, Summary, Throughput, Times},
    photos::Group,
};

#[derive(Serialize)]
struct GroupFigures {
    photos: String,
    files: usize,
    mean_bytes: usize,
    outcomes: Outcomes,
    stages: Vec<(&'static str, Summary)>,
    /// What findings add to a check with details.
    findings: Summary,
    throughput: Vec<Throughput>,
}

/// All figures of a run.
#[derive(Serialize)]
pub(super) struct Report {
    runtime: String,
    origin: String,
    start_ms: Milliseconds,
    rss_after_start: Option<f64>,
    pub(super) rss_peak: Option<f64>,
    groups: Vec<GroupFigures>,
}

impl Report {
    pub(super) fn new(
        runtime: String,
        origin: String,
        start_ms: Milliseconds,
        rss_after_start: Option<f64>,
    ) -> Self {
        Self {
            runtime,
            origin,
            start_ms,
            rss_after_start,
            rss_peak: None,
            groups: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        group: &Group,
        latency: &Measured,
        findings: &Times,
        throughput: Vec<Throughput>,
    ) {
        let bytes: usize = group.files.iter().map(Vec::len).sum();
        self.groups.push(GroupFigures {
            photos: group.name.clone(),
            files: group.files.len(),
            mean_bytes: bytes / group.files.len().max(1),
            outcomes: latency.outcomes.clone(),
            stages: latency.stages.summaries().to_vec(),
            findings: findings.summary(),
            throughput,
        });
    }

    pub(super) fn json(&self) -> serde_json::Value {
        json!({ "version": env!("CARGO_PKG_VERSION"), "report": self })
    }

    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "livecheck {}, runtime {}\nphotos: {}\nloaded and tested in {:.0} ms",
            env!("CARGO_PKG_VERSION"),
            self.runtime,
            self.origin,
            self.start_ms.0
        );
        if let (Some(start), Some(peak)) = (self.rss_after_start, self.rss_peak) {
            text += &format!("; memory {start:.0} MB after it, {peak:.0} MB at most");
        }
        text.push('\n');
        for group in &self.groups {
            group.write(&mut text);
        }
        text
    }
}

impl GroupFigures {
    fn write(&self, text: &mut String) {
        let refused: usize = self.outcomes.refused.values().sum();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n{} ({} files, {} KB on average): {} checks, {} with a verdict",
            self.photos,
            self.files,
            self.mean_bytes / 1000,
            self.outcomes.checks,
            self.outcomes.checks - refused,
        );
        for (code, count) in &self.outcomes.refused {
            let _ = writeln!(
                text,
                "  {count} refused with {code}: no stage figures of these"
            );
        }
        let _ = writeln!(
            text,
            "  {:10} {:>8} {:>8} {:>8} {:>8}   ms, one worker",
            "stage", "p50", "p95", "p99", "mean"
        );
        let mut row = |name: &str, times: &Summary, note: &str| {
            let _ = writeln!(
                text,
                "  {name:10} {:8.2} {:8.2} {:8.2} {:8.2}{note}",
                times.p50, times.p95, times.p99, times.mean
            );
        };
        for (stage, times) in &self.stages {
            row(stage, times, "");
        }
        row("findings", &self.findings, "   more with details");
        let _ = writeln!(
            text,
            "  {:10} {:>8} {:>8} {:>8} {:>8}   ms a check",
            "workers", "p50", "p95", "p99", "checks/s"
        );
        let single = self.throughput.first().map_or(1.0, |one| one.per_second);
        for row in &self.throughput {
            let _ = writeln!(
                text,
                "  {:<10} {:8.2} {:8.2} {:8.2} {:8.2}   {:.2} times one worker",
                row.workers,
                row.total.p50,
                row.total.p95,
                row.total.p99,
                row.per_second,
                row.per_second / single
            );
        }
    }
}
