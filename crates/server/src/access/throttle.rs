//! Slows down whoever sends wrong keys and tokens: a token bucket for each client address, and for each
//! pair of an address and a key whose session tokens are wrong.
//!
//! Only failures are counted, and only failures are refused: a right key or token is served whatever
//! else came from its address or with its key. Keys and tokens have so many random bits that the
//! buckets need not keep anybody from guessing them; what they bound is the work of the database. An
//! address whose bucket is empty looks up in a slow lane, which it shares with others like it.
//!
//! The buckets live in this process's memory and are bounded: a node forgets them when it ends, and
//! several nodes count each for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use livecheck_store::KeyId;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::AccessConfig;
use crate::http::client::Origin;

/// Most buckets of one kind: about 100 bytes each.
const CAPACITY: usize = 10_000;

/// How often a crowded table is searched for what can be dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Slowest pace that is counted, failures a second: one in about 17 minutes.
const SLOWEST: f64 = 0.001;

/// A bucket's debt never exceeds this many bursts: parallel guesses cost their price, but a lock-out
/// ends.
const MOST_DEBT: u32 = 2;

/// Look-ups at once of all addresses whose buckets are empty; the database has some ten connections.
const SLOW_LANE: usize = 2;

pub(crate) struct AuthThrottle {
    keys: Buckets<Origin>,
    tokens: Buckets<(Origin, KeyId)>,
    admin: Buckets<Origin>,
    slow_lane: Semaphore,
}

impl AuthThrottle {
    pub(crate) fn new(access: &AccessConfig) -> Self {
        let keys = Pace::new(access.failed_key_rate, access.failed_key_burst);
        let tokens = Pace::new(access.failed_token_rate, access.failed_token_burst);
        Self {
            keys: Buckets::new(keys, CAPACITY),
            tokens: Buckets::new(tokens, CAPACITY),
            admin: Buckets::new(keys, CAPACITY),
            slow_lane: Semaphore::new(SLOW_LANE),
        }
    }

    /// How long this address should wait before its next wrong key; `None`: it need not.
    pub(crate) fn key_wait(&self, origin: Origin, now: Duration) -> Option<Duration> {
        self.keys.wait(&origin, now)
    }

    /// The key was wrong.
    pub(crate) fn key_failed(&self, origin: Origin, now: Duration) {
        self.keys.charge(origin, now);
    }

    /// How long this address should wait before its next wrong session token of this key.
    pub(crate) fn token_wait(
        &self,
        origin: Origin,
        key: &KeyId,
        now: Duration,
    ) -> Option<Duration> {
        self.tokens.wait(&(origin, key.clone()), now)
    }

    /// The session token was wrong.
    pub(crate) fn token_failed(&self, origin: Origin, key: &KeyId, now: Duration) {
        self.tokens.charge((origin, key.clone()), now);
    }

    /// How long until an admin token of this address is looked at. People choose that token, so that
    /// guesses at it are held up and not only counted.
    pub(crate) fn admin_wait(&self, origin: Origin, now: Duration) -> Option<Duration> {
        self.admin.wait(&origin, now)
    }

    /// The admin token was wrong.
    pub(crate) fn admin_failed(&self, origin: Origin, now: Duration) {
        self.admin.charge(origin, now);
    }

    /// A turn to look something up, for an address that has a `wait` before it; at once for others.
    pub(crate) async fn turn(&self, wait: Option<Duration>) -> Option<SemaphorePermit<'_>> {
        match wait {
            // Nobody closes the semaphore.
            Some(_) => self.slow_lane.acquire().await.ok(),
            None => None,
        }
    }
}

/// How fast failures may come: one an interval on average, so many at once.
#[derive(Debug, Clone, Copy)]
struct Pace {
    interval: Duration,
    window: Duration,
}

impl Pace {
    /// `None` when there is no limit.
    fn new(per_second: f64, burst: u32) -> Option<Self> {
        if per_second <= 0.0 {
            return None;
        }
        let interval = Duration::from_secs_f64(1.0 / per_second.max(SLOWEST));
        Some(Self {
            interval,
            window: interval * burst,
        })
    }
}

/// Buckets, each kept as the moment at which it is full again (GCRA, as the store's rate limits).
struct Buckets<K> {
    pace: Option<Pace>,
    capacity: usize,
    table: Mutex<Table<K>>,
}

struct Table<K> {
    full_at: HashMap<K, Duration>,
    /// Shared by whoever finds the table crowded, so that nobody is forgotten for a newcomer.
    overflow: Duration,
    swept_at: Duration,
}

impl<K: Hash + Eq> Buckets<K> {
    fn new(pace: Option<Pace>, capacity: usize) -> Self {
        Self {
            pace,
            capacity,
            table: Mutex::new(Table {
                full_at: HashMap::new(),
                overflow: Duration::ZERO,
                swept_at: Duration::ZERO,
            }),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<K>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long until the bucket holds a whole token; `None`: it does.
    fn wait(&self, key: &K, now: Duration) -> Option<Duration> {
        let pace = self.pace?;
        let table = self.table();
        let full_at = match table.full_at.get(key) {
            Some(full_at) => *full_at,
            None if table.full_at.len() < self.capacity => return None,
            None => table.overflow,
        };
        (full_at + pace.interval)
            .checked_sub(now + pace.window)
            .filter(|wait| !wait.is_zero())
    }

    /// Takes a token, on credit when there is none.
    fn charge(&self, key: K, now: Duration) {
        let Some(pace) = self.pace else {
            return;
        };
        let charged = |full_at: Duration| {
            let most = now + pace.window.saturating_mul(MOST_DEBT);
            (full_at.max(now) + pace.interval).min(most)
        };
        let mut table = self.table();
        if table.full_at.len() >= self.capacity && now.saturating_sub(table.swept_at) >= SWEEP_EVERY
        {
            table.swept_at = now;
            table.full_at.retain(|_, full_at| *full_at > now);
        }
        if table.full_at.len() < self.capacity || table.full_at.contains_key(&key) {
            let full_at = table.full_at.entry(key).or_default();
            *full_at = charged(*full_at);
        } else {
            table.overflow = charged(table.overflow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn buckets(per_second: f64, burst: u32, capacity: usize) -> Buckets<u32> {
        Buckets::new(Pace::new(per_second, burst), capacity)
    }

    #[test]
    fn a_bucket_holds_at_its_edge() {
        let buckets = buckets(2.0, 3, 10);
        let now = 100 * SECOND;
        for _ in 0..3 {
            assert_eq!(buckets.wait(&1, now), None);
            buckets.charge(1, now);
        }
        assert_eq!(buckets.wait(&1, now), Some(500 * MILLISECOND));
        assert_eq!(buckets.wait(&1, now + 499 * MILLISECOND), Some(MILLISECOND));
        assert_eq!(buckets.wait(&1, now + 500 * MILLISECOND), None);
        assert_eq!(buckets.wait(&2, now), None, "another's bucket");
    }

    #[test]
    fn parallel_guesses_cost_their_price_within_bounds() {
        let buckets = buckets(1.0, 3, 10);
        for _ in 0..4 {
            buckets.charge(1, SECOND);
        }
        assert_eq!(buckets.wait(&1, SECOND), Some(2 * SECOND));
        for _ in 0..1000 {
            buckets.charge(1, SECOND);
        }
        assert_eq!(buckets.wait(&1, SECOND), Some(4 * SECOND));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let buckets = buckets(0.0, 1, 10);
        for _ in 0..100 {
            buckets.charge(1, SECOND);
        }
        assert_eq!(buckets.wait(&1, SECOND), None);
    }

    #[test]
    fn memory_is_bounded_and_a_flood_frees_nobody() {
        let buckets = buckets(1.0, 2, 100);
        for _ in 0..2 {
            buckets.charge(0, SECOND);
        }
        for other in 1..10_000 {
            buckets.charge(other, SECOND);
        }
        assert_eq!(buckets.table().full_at.len(), 100);
        assert!(buckets.wait(&0, SECOND).is_some(), "still slowed");
        assert!(buckets.wait(&10_001, SECOND).is_some(), "the flood's share");
        // Once the buckets are full again there is room.
        let later = 100 * SECOND;
        buckets.charge(20_000, later);
        assert_eq!(buckets.table().full_at.len(), 1);
        assert_eq!(buckets.wait(&10_001, later), None);
    }
}
