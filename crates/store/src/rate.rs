//! Rate limits: a token bucket kept as one number a key (GCRA, the "generic cell rate algorithm"
//! of ITU-T I.371), so that one statement in the database decides for every node.
//!
//! The number is the *theoretical arrival time*: the moment at which the bucket is full again. A
//! request moves it one interval ahead and passes when it then lies at most a full burst ahead of now.

use std::time::Duration;

use crate::{StoreError, Timestamp};

/// How far two nodes' clocks may differ before a stored number counts as written by a clock that
/// has stepped since. Without it a clock set ahead for a moment would lock a key out until then.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// A rate limit: requests per second on average, and at once.
///
/// ```
/// use livecheck_store::Rate;
///
/// let rate = Rate::new(10.0, 20)?;
/// assert_eq!(rate.burst(), 20);
/// assert!(Rate::new(0.0, 20).is_err());
/// # Ok::<(), livecheck_store::StoreError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests per 1000 seconds.
    per_kilosecond: u32,
    burst: u32,
}

impl Rate {
    /// `per_second` requests a second (0.001 to 1 000 000, kept to three decimals) and up to `burst`
    /// (1 to 1 000 000) at once.
    pub fn new(per_second: f64, burst: u32) -> Result<Self, StoreError> {
        let scaled = (per_second * 1000.0).round();
        if !(1.0..=1e9).contains(&scaled) || !(1..=1_000_000).contains(&burst) {
            return Err(StoreError::BadRate {
                per_second: per_second.to_string(),
                burst,
            });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked above"
        )]
        let per_kilosecond = scaled as u32;
        Ok(Self {
            per_kilosecond,
            burst,
        })
    }

    /// Requests a second, on average.
    pub fn per_second(self) -> f64 {
        f64::from(self.per_kilosecond) / 1000.0
    }

    /// Requests at once.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Time in which an empty bucket fills: the burst at the average rate.
    pub fn fill_time(self) -> Duration {
        Duration::from_micros(u64::try_from(self.window()).unwrap_or(0))
    }

    pub(crate) fn per_kilosecond(self) -> u32 {
        self.per_kilosecond
    }

    pub(crate) fn from_stored(per_kilosecond: i64, burst: i64) -> Option<Self> {
        Some(Self {
            per_kilosecond: u32::try_from(per_kilosecond).ok().filter(|&n| n > 0)?,
            burst: u32::try_from(burst).ok().filter(|&n| n > 0)?,
        })
    }

    /// Microseconds between two requests at the average rate.
    pub(crate) fn interval(self) -> i64 {
        1_000_000_000 / i64::from(self.per_kilosecond)
    }

    /// Microseconds an empty bucket takes to fill.
    pub(crate) fn window(self) -> i64 {
        self.interval() * i64::from(self.burst)
    }

    /// The decision for a request that moved the arrival time to `arrival` (µs).
    pub(crate) fn allowed(self, arrival: i64, now: Timestamp) -> RateDecision {
        let free = self.window() - (arrival - micros(now));
        RateDecision {
            allowed: true,
            remaining: u32::try_from(free.max(0) / self.interval()).unwrap_or(self.burst),
            retry_after: Duration::ZERO,
        }
    }

    /// The decision for a request that was refused while the arrival time stood at `arrival` (µs).
    pub(crate) fn refused(self, arrival: i64, now: Timestamp) -> RateDecision {
        let wait = arrival + self.interval() - self.window() - micros(now);
        RateDecision {
            allowed: false,
            remaining: 0,
            // Rounded up to the clock's step: a client that waits this long finds the door open.
            retry_after: Duration::from_millis(
                u64::try_from(wait).unwrap_or(0).div_ceil(1000).max(1),
            ),
        }
    }
}

pub(crate) fn micros(moment: Timestamp) -> i64 {
    moment.as_millis().saturating_mul(1000)
}

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether it may.
    pub allowed: bool,
    /// Further requests that would pass at this moment.
    pub remaining: u32,
    /// How long to wait before the next try (zero when allowed, else at least 1 ms).
    pub retry_after: Duration,
}
