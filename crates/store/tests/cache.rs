//! The key look-up in front of every request: how long it remembers, how often it asks.
#![expect(clippy::unwrap_used, reason = "a test stops where the store fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use livecheck_store::testing::{Hook, Hooked};
use livecheck_store::{
    ApiKey, Clock, KEY_CACHE_LIFETIME, KeyCache, KeyRecord, KeyStore as _, NewKey, Store,
    StoreError, TestClock, Timestamp, open,
};
use tokio::sync::Semaphore;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Counts the look-ups, lets them through one permit at a time, and fails on demand.
struct Watch {
    asked: AtomicU32,
    gate: Semaphore,
    down: AtomicBool,
    touches_fail: AtomicBool,
}

impl Watch {
    fn outage() -> StoreError {
        StoreError::Unavailable("unplugged".to_owned())
    }
}

#[async_trait]
impl Hook for Watch {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        let fails = match call {
            "find_key" => {
                self.asked.fetch_add(1, Ordering::SeqCst);
                self.gate.acquire().await.unwrap().forget();
                &self.down
            }
            "touch_key" => &self.touches_fail,
            _ => return Ok(()),
        };
        if fails.load(Ordering::SeqCst) {
            return Err(Self::outage());
        }
        Ok(())
    }
}

struct Bench {
    store: Arc<Hooked<Watch>>,
    clock: Arc<TestClock>,
    cache: Arc<KeyCache>,
}

impl Bench {
    async fn new(capacity: usize) -> Self {
        let watch = Watch {
            asked: AtomicU32::new(0),
            gate: Semaphore::new(100_000),
            down: AtomicBool::new(false),
            touches_fail: AtomicBool::new(false),
        };
        let inner = open("sqlite::memory:").await.unwrap();
        let store = Arc::new(Hooked::new(inner, watch));
        let clock = Arc::new(TestClock::at(NOW));
        let cache = KeyCache::with_capacity(
            Arc::clone(&store) as Arc<dyn Store>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            capacity,
        );
        Self {
            store,
            clock,
            cache: Arc::new(cache),
        }
    }

    async fn key(&self, name: &str) -> (KeyRecord, ApiKey) {
        self.store
            .create_key(NewKey::named(name), NOW)
            .await
            .unwrap()
    }

    async fn opens(&self, key: &ApiKey) -> bool {
        self.cache
            .authenticate(key.reveal())
            .await
            .unwrap()
            .is_some()
    }

    fn asked(&self) -> u32 {
        self.store.asked.swap(0, Ordering::SeqCst)
    }
}

/// A key nobody was given.
fn made_up(number: usize) -> ApiKey {
    ApiKey::parse(&format!("lck_{number:042}A")).expect("it has the form of a key")
}

#[tokio::test]
async fn an_answer_is_remembered_for_its_lifetime() {
    let bench = Bench::new(100).await;
    let (alice, key) = bench.key("alice").await;
    let found = bench.cache.authenticate(key.reveal()).await.unwrap();
    assert_eq!(found.map(|record| record.id.clone()), Some(alice.id));
    for known in [key, made_up(1)] {
        bench.cache.authenticate(known.reveal()).await.unwrap();
        bench.asked();
        bench.clock.advance(KEY_CACHE_LIFETIME - MILLISECOND);
        bench.cache.authenticate(known.reveal()).await.unwrap();
        let before = bench.asked();
        bench.clock.advance(MILLISECOND);
        bench.cache.authenticate(known.reveal()).await.unwrap();
        assert_eq!((before, bench.asked()), (0, 1));
    }
}

#[tokio::test]
async fn a_revoked_key_stops_within_three_seconds() {
    let bench = Bench::new(100).await;
    let (_, key) = bench.key("alice").await;
    assert!(bench.opens(&key).await);
    bench.store.revoke_key(&"alice".into(), NOW).await.unwrap();
    bench.clock.advance(KEY_CACHE_LIFETIME);
    assert!(!bench.opens(&key).await);
    assert!(KEY_CACHE_LIFETIME <= Duration::from_secs(3));
}

#[tokio::test]
async fn a_stepping_clock_does_not_prolong_an_answer() {
    let bench = Bench::new(100).await;
    let (_, key) = bench.key("alice").await;
    assert!(bench.opens(&key).await);
    bench.store.revoke_key(&"alice".into(), NOW).await.unwrap();
    bench.clock.advance(KEY_CACHE_LIFETIME);
    bench.clock.step_to(NOW.minus(Duration::from_secs(3600)));
    assert!(!bench.opens(&key).await);
}

#[tokio::test]
async fn an_expiry_counts_between_two_look_ups() {
    let bench = Bench::new(100).await;
    let end = NOW.plus(Duration::from_secs(1));
    let new = NewKey {
        expires_at: Some(end),
        ..NewKey::named("alice")
    };
    let (_, key) = bench.store.create_key(new, NOW).await.unwrap();
    for (now, open) in [(NOW, true), (end.minus(MILLISECOND), true), (end, false)] {
        bench.clock.step_to(now);
        assert_eq!(bench.opens(&key).await, open);
    }
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn what_has_not_the_form_of_a_key_is_not_looked_up() {
    let bench = Bench::new(100).await;
    let good = made_up(7).reveal().to_owned();
    let bad = [
        String::new(),
        "lck_".to_owned(),
        good[..46].to_owned(),
        format!("{good}A"),
        good.replace("lck_", "LCK_"),
        format!(" {good}"),
        good.replace('7', "+"),
        // The last character holds four bits: this spells the same bytes in a second way.
        format!("{}B", &good[..46]),
        "x".repeat(1_000_000),
    ];
    for text in bad {
        let found = bench.cache.authenticate(&text).await.unwrap();
        assert_eq!(
            found,
            None,
            "{:?}",
            text.chars().take(60).collect::<String>()
        );
    }
    assert_eq!(bench.asked(), 0);
    assert_eq!(bench.cache.authenticate(&good).await.unwrap(), None);
    assert_eq!(bench.asked(), 1);
}

/// Fifty callers of one key, waiting behind the closed gate.
async fn fifty_wait(
    bench: &Bench,
    key: &ApiKey,
) -> Vec<tokio::task::JoinHandle<Result<bool, StoreError>>> {
    bench.store.gate.forget_permits(100_000);
    let callers = (0..50)
        .map(|_| {
            let (cache, key) = (Arc::clone(&bench.cache), key.clone());
            tokio::spawn(async move {
                cache
                    .authenticate(key.reveal())
                    .await
                    .map(|found| found.is_some())
            })
        })
        .collect();
    // On one thread, each has run up to where it waits.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    callers
}

#[tokio::test]
async fn fifty_callers_ask_once() {
    let bench = Bench::new(100).await;
    let (_, key) = bench.key("alice").await;
    let callers = fifty_wait(&bench, &key).await;
    bench.store.gate.add_permits(1);
    for caller in callers {
        assert!(caller.await.unwrap().unwrap());
    }
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_wait_and_forgotten() {
    let bench = Bench::new(100).await;
    let (_, key) = bench.key("alice").await;
    bench.store.down.store(true, Ordering::SeqCst);
    let callers = fifty_wait(&bench, &key).await;
    bench.store.gate.add_permits(1);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(Watch::outage()));
    }
    assert_eq!((bench.asked(), bench.cache.remembered()), (1, 0));
    bench.store.down.store(false, Ordering::SeqCst);
    bench.store.gate.add_permits(1);
    assert!(bench.opens(&key).await);
}

#[tokio::test]
async fn a_caller_who_leaves_takes_nobody_along() {
    let bench = Bench::new(100).await;
    let (_, key) = bench.key("alice").await;
    let mut callers = fifty_wait(&bench, &key).await;
    // The first started the look-up.
    callers.remove(0).abort();
    bench.store.gate.add_permits(2);
    for caller in callers {
        assert!(caller.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn made_up_keys_do_not_fill_the_memory() {
    let bench = Bench::new(16).await;
    let (_, key) = bench.key("alice").await;
    for number in 0..1000 {
        assert!(!bench.opens(&made_up(number)).await);
        assert!(bench.cache.remembered() <= 16);
    }
    assert!(bench.opens(&key).await);
}

#[tokio::test]
async fn a_use_is_noted_and_noting_it_may_fail() {
    let bench = Bench::new(100).await;
    let (_, key) = bench.key("alice").await;
    assert!(bench.opens(&key).await);
    let record = bench.store.find_key(&key.hash()).await.unwrap().unwrap();
    assert_eq!(record.last_used_at, Some(NOW));

    bench.store.touches_fail.store(true, Ordering::SeqCst);
    bench.clock.advance(KEY_CACHE_LIFETIME);
    assert!(bench.opens(&key).await);
}
