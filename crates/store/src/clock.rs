//! Time as the store sees it: passed in, never asked for, so that tests can set it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A moment: milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `duration` later (whole milliseconds; stops at the largest moment there is).
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The moment `duration` earlier (whole milliseconds; stops at the smallest moment there is).
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock. It may step in both directions (NTP, an operator, a moved machine).
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back. For ages of things inside this process.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// The machine's clock.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that asks the machine for the time"
        )]
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        match since {
            Ok(after) => Timestamp(millis(after)),
            Err(before) => Timestamp(-millis(before.duration())),
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct TestClock {
    hands: Mutex<(Timestamp, Duration)>,
}

impl TestClock {
    /// A clock standing at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            hands: Mutex::new((now, Duration::ZERO)),
        }
    }

    /// Lets `duration` pass, on the wall and on the monotonic clock.
    pub fn advance(&self, duration: Duration) {
        let mut hands = self.hands();
        hands.0 = hands.0.plus(duration);
        hands.1 += duration;
    }

    /// Steps the wall clock to `now`, in either direction; no time passes.
    pub fn step_to(&self, now: Timestamp) {
        self.hands().0 = now;
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        self.hands
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.hands().0
    }

    fn monotonic(&self) -> Duration {
        self.hands().1
    }
}
