//! The key look-up in front of every request: bounded, short-lived, one query a key at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::{ApiKey, Clock, KeyHash, KeyRecord, Store, StoreError};

/// How long an answer from the database counts, counted from when it was asked. A revoked key stops
/// within this time on every node; a new key refused a moment ago starts within it.
pub const KEY_CACHE_LIFETIME: Duration = Duration::from_secs(3);

/// Most look-ups remembered at once: some 400 bytes each.
pub const KEY_CACHE_CAPACITY: usize = 10_000;

type LookUp = Result<Option<Arc<KeyRecord>>, StoreError>;

/// One look-up: running, or answered.
struct Entry {
    asked_at: Duration,
    answer: OnceCell<LookUp>,
}

/// Says which key a client holds, asking the database at most once in 3 s for each key.
pub struct KeyCache {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    capacity: usize,
    entries: Mutex<HashMap<KeyHash, Arc<Entry>>>,
}

impl KeyCache {
    /// A cache in front of `store` with [`KEY_CACHE_CAPACITY`].
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(store, clock, KEY_CACHE_CAPACITY)
    }

    /// A cache in front of `store` that remembers at most `capacity` look-ups (at least one).
    pub fn with_capacity(store: Arc<dyn Store>, clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            store,
            clock,
            capacity: capacity.max(1),
            entries: Mutex::new(HashMap::new()),
        }
    }

    /// The live key that `text` is, if it is one; notes its use.
    ///
    /// A text without a key's form never reaches the database, an expiry counts to the millisecond
    /// even between two look-ups. Errors: [`StoreError::Unavailable`]; failures aren't remembered.
    pub async fn authenticate(&self, text: &str) -> Result<Option<Arc<KeyRecord>>, StoreError> {
        let Some(key) = ApiKey::parse(text) else {
            return Ok(None);
        };
        let hash = key.hash();
        let entry = self.entry(hash);
        let answer = entry.answer.get_or_init(|| self.look_up(&hash)).await;
        if answer.is_err() {
            self.forget(&hash, &entry);
        }
        let now = self.clock.now();
        Ok(answer.clone()?.filter(|record| record.is_live(now)))
    }

    /// How many look-ups are remembered: never more than the capacity.
    pub fn remembered(&self) -> usize {
        self.entries().len()
    }

    async fn look_up(&self, hash: &KeyHash) -> LookUp {
        let found = self.store.find_key(hash).await?;
        let now = self.clock.now();
        if let Some(record) = found.as_ref().filter(|record| record.is_live(now))
            && let Err(error) = self.store.touch_key(&record.id, now).await
        {
            // When a key was last used is a courtesy: no reason to turn its holder away.
            tracing::warn!(key = %record.id, %error, "could not note that the key was used");
        }
        Ok(found.map(Arc::new))
    }

    /// The look-up to wait for or to take the answer from; a new one when there is none or it is old.
    fn entry(&self, hash: KeyHash) -> Arc<Entry> {
        let now = self.clock.monotonic();
        let fresh = |entry: &Entry| now.saturating_sub(entry.asked_at) < KEY_CACHE_LIFETIME;
        let mut entries = self.entries();
        if let Some(entry) = entries.get(&hash).filter(|entry| fresh(entry)) {
            return Arc::clone(entry);
        }
        if entries.len() >= self.capacity {
            entries.retain(|_, entry| fresh(entry));
            // Still crowded, so a flood of made-up keys: start afresh rather than look for room each time.
            if entries.len() > self.capacity / 2 {
                entries.clear();
            }
        }
        let entry = Arc::new(Entry {
            asked_at: now,
            answer: OnceCell::new(),
        });
        entries.insert(hash, Arc::clone(&entry));
        entry
    }

    fn forget(&self, hash: &KeyHash, failed: &Arc<Entry>) {
        let mut entries = self.entries();
        if entries
            .get(hash)
            .is_some_and(|entry| Arc::ptr_eq(entry, failed))
        {
            entries.remove(hash);
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<KeyHash, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
