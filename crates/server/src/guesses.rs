//! Slows down whoever guesses keys and tokens: a token bucket for each client address, for the
//! beginning of a wrong key, and for each key whose session tokens are guessed.
//!
//! The buckets live in this process's memory and are bounded: a node forgets them when it ends, and
//! several nodes count each for itself. Only failures cost; who holds a good key and keeps using it
//! from where it worked before is never slowed by others at the same address.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use livecheck_store::{ApiKey, KeyHash, KeyId};

use crate::client::Origin;
use crate::config::AccessConfig;

/// Most buckets of one kind, and most remembered good keys: about 100 bytes each.
const CAPACITY: usize = 10_000;

/// How long a key that worked from an address is remembered.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// How often a crowded table is searched for what can be dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Slowest pace that is counted, failures a second: one in about 17 minutes.
const SLOWEST: f64 = 0.001;

/// A bucket's debt never exceeds this many bursts: parallel guesses cost their price, but a lock-out
/// ends.
const MOST_DEBT: u32 = 2;

pub(crate) struct Guesses {
    origins: Buckets<Origin>,
    beginnings: Buckets<String>,
    tokens: Buckets<KeyId>,
    known: Mutex<Known>,
}

/// Good keys, by where they were used.
#[derive(Default)]
struct Known {
    last_used: HashMap<(Origin, KeyHash), Duration>,
    swept_at: Duration,
}

impl Guesses {
    pub(crate) fn new(access: &AccessConfig) -> Self {
        let keys = Pace::new(access.failed_key_rate, access.failed_key_burst);
        let tokens = Pace::new(access.failed_token_rate, access.failed_token_burst);
        Self {
            origins: Buckets::new(keys, CAPACITY),
            beginnings: Buckets::new(keys, CAPACITY),
            tokens: Buckets::new(tokens, CAPACITY),
            known: Mutex::default(),
        }
    }

    /// How long to wait before this key may be tried; `None`: now.
    pub(crate) fn key_wait(&self, origin: Origin, key: &str, now: Duration) -> Option<Duration> {
        let parsed = ApiKey::parse(key);
        let wait = self
            .origins
            .wait(&origin, now)
            .max(parsed.as_ref().and_then(|key| {
                let beginning = key.shown().to_owned();
                self.beginnings.wait(&beginning, now)
            }))?;
        let known = parsed.is_some_and(|key| self.is_known(origin, &key.hash(), now));
        (!known).then_some(wait)
    }

    /// The key was wrong.
    pub(crate) fn key_failed(&self, origin: Origin, key: &str, now: Duration) {
        self.origins.charge(origin, now);
        if let Some(key) = ApiKey::parse(key) {
            self.beginnings.charge(key.shown().to_owned(), now);
            self.known().last_used.remove(&(origin, key.hash()));
        }
    }

    /// The key was right.
    pub(crate) fn key_worked(&self, origin: Origin, key: &str, now: Duration) {
        let Some(key) = ApiKey::parse(key) else {
            return;
        };
        let entry = (origin, key.hash());
        let mut known = self.known();
        if known.last_used.len() >= CAPACITY
            && !known.last_used.contains_key(&entry)
            && now.saturating_sub(known.swept_at) >= SWEEP_EVERY
        {
            known.swept_at = now;
            known
                .last_used
                .retain(|_, used| now.saturating_sub(*used) < KNOWN_FOR);
        }
        if known.last_used.len() < CAPACITY || known.last_used.contains_key(&entry) {
            known.last_used.insert(entry, now);
        }
    }

    /// How long to wait before a session token of this key may be tried; `None`: now.
    pub(crate) fn token_wait(&self, key: &KeyId, now: Duration) -> Option<Duration> {
        self.tokens.wait(key, now)
    }

    /// The session token was wrong.
    pub(crate) fn token_failed(&self, key: &KeyId, now: Duration) {
        self.tokens.charge(key.clone(), now);
    }

    fn is_known(&self, origin: Origin, key: &KeyHash, now: Duration) -> bool {
        self.known()
            .last_used
            .get(&(origin, *key))
            .is_some_and(|used| now.saturating_sub(*used) < KNOWN_FOR)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn a_good_key_is_known_where_it_worked_for_an_hour() {
        let guesses = Guesses::new(&AccessConfig {
            failed_key_burst: 1,
            ..AccessConfig::default()
        });
        let origin = |text: &str| Origin::from(text.parse::<std::net::IpAddr>().expect("address"));
        let (here, there) = (origin("10.0.0.1"), origin("10.0.0.2"));
        let good = format!("lck_{}", "A".repeat(43));
        let wrong = format!("lck_{}", "B".repeat(42) + "A");
        let now = SECOND;
        guesses.key_worked(here, &good, now);
        guesses.key_failed(here, &wrong, now);
        assert!(guesses.key_wait(here, &wrong, now).is_some());
        assert_eq!(guesses.key_wait(here, &good, now), None);
        // The beginning of a key under attack: known here, not there.
        guesses.key_failed(there, &format!("lck_{}", "A".repeat(39) + "BBBA"), now);
        assert_eq!(guesses.key_wait(here, &good, now), None);
        assert!(guesses.key_wait(there, &good, now).is_some());
        // An hour later it is not known any more, and once refused not at all.
        for _ in 0..2 {
            guesses.key_failed(here, &wrong, now + KNOWN_FOR);
        }
        assert!(guesses.key_wait(here, &good, now + KNOWN_FOR).is_some());
        guesses.key_worked(here, &good, now + KNOWN_FOR);
        guesses.key_failed(here, &good, now + KNOWN_FOR);
        assert!(guesses.key_wait(here, &good, now + KNOWN_FOR).is_some());
    }
}
