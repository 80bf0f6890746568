//! Times the stages of one check.

use std::time::{Duration, Instant};

/// Times the stages of one check.
pub(crate) struct Stopwatch {
    start: Instant,
    lap: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            lap: now,
        }
    }

    /// Milliseconds since the last lap.
    pub(crate) fn lap(&mut self) -> f32 {
        let now = Instant::now();
        milliseconds(now - std::mem::replace(&mut self.lap, now))
    }

    /// Milliseconds since the start.
    pub(crate) fn total(&self) -> f32 {
        milliseconds(self.start.elapsed())
    }
}

/// Milliseconds of a duration, as the details show them.
fn milliseconds(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}
