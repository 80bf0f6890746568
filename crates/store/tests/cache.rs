//! The key look-up in front of every request: how long it remembers, how often it asks.
#![expect(clippy::unwrap_used, reason = "a test stops where the store fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use livecheck_store::{
    ApiKey, Clock, ImageKey, ImageMac, ImageState, KEY_CACHE_LIFETIME, KeyCache, KeyChange,
    KeyHash, KeyId, KeyRecord, KeySelector, KeyStore, NewKey, Rate, RateDecision, RateStore,
    ReplayStore, SessionState, SessionStore, SessionToken, Store, StoreError, StoredKey, TestClock,
    Timestamp, TokenHash, open,
};
use tokio::sync::Semaphore;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A store that counts the look-ups, lets them through one permit at a time, and fails on demand.
struct Watched {
    inner: Arc<dyn Store>,
    asked: AtomicU32,
    gate: Semaphore,
    down: AtomicBool,
    touches_fail: AtomicBool,
}

impl Watched {
    fn outage() -> StoreError {
        StoreError::Unavailable("unplugged".to_owned())
    }
}

#[async_trait]
impl Store for Watched {
    fn address(&self) -> &str {
        self.inner.address()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

#[async_trait]
impl KeyStore for Watched {
    async fn create_key(
        &self,
        key: NewKey,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        self.inner.create_key(key, now).await
    }

    async fn find_key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        if self.down.load(Ordering::SeqCst) {
            return Err(Self::outage());
        }
        self.inner.find_key(hash).await
    }

    async fn list_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.inner.list_keys().await
    }

    async fn revoke_key(
        &self,
        which: &KeySelector,
        now: Timestamp,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        self.inner.revoke_key(which, now).await
    }

    async fn rotate_key(
        &self,
        which: &KeySelector,
        grace: Option<Duration>,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        self.inner.rotate_key(which, grace, now).await
    }

    async fn change_key(
        &self,
        which: &KeySelector,
        change: &KeyChange,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        self.inner.change_key(which, change).await
    }

    async fn prune_keys(&self, before: Timestamp) -> Result<Vec<KeyRecord>, StoreError> {
        self.inner.prune_keys(before).await
    }

    async fn export_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.inner.export_keys().await
    }

    async fn import_keys(&self, keys: &[StoredKey]) -> Result<(), StoreError> {
        self.inner.import_keys(keys).await
    }

    async fn touch_key(&self, key: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        if self.touches_fail.load(Ordering::SeqCst) {
            return Err(Self::outage());
        }
        self.inner.touch_key(key, now).await
    }
}

#[async_trait]
impl SessionStore for Watched {
    async fn create_session(
        &self,
        key: &KeyId,
        uses: u32,
        expires_at: Timestamp,
    ) -> Result<SessionToken, StoreError> {
        self.inner.create_session(key, uses, expires_at).await
    }

    async fn peek_session(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        self.inner.peek_session(token, key, now).await
    }

    async fn take_use(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        self.inner.take_use(token, key, now).await
    }

    async fn return_use(&self, token: &TokenHash, key: &KeyId) -> Result<(), StoreError> {
        self.inner.return_use(token, key).await
    }

    async fn count_sessions(
        &self,
        key: &KeyId,
        now: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        self.inner.count_sessions(key, now, most).await
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.purge_sessions(now).await
    }
}

#[async_trait]
impl RateStore for Watched {
    async fn take_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        self.inner.take_rate(key, rate, now).await
    }

    async fn take_session_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        self.inner.take_session_rate(key, rate, now).await
    }
}

#[async_trait]
impl ReplayStore for Watched {
    async fn remember_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<ImageState, StoreError> {
        self.inner.remember_image(key, image, now, until).await
    }

    async fn renew_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.renew_image(key, image, until).await
    }

    async fn forget_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.forget_image(key, image, until).await
    }

    async fn purge_images(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.purge_images(now).await
    }

    async fn image_key(&self) -> Result<ImageKey, StoreError> {
        self.inner.image_key().await
    }
}

struct Bench {
    store: Arc<Watched>,
    clock: Arc<TestClock>,
    cache: Arc<KeyCache>,
}

impl Bench {
    async fn new(capacity: usize) -> Self {
        let store = Arc::new(Watched {
            inner: open("sqlite::memory:").await.unwrap(),
            asked: AtomicU32::new(0),
            gate: Semaphore::new(100_000),
            down: AtomicBool::new(false),
            touches_fail: AtomicBool::new(false),
        });
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
        assert_eq!(caller.await.unwrap(), Err(Watched::outage()));
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
