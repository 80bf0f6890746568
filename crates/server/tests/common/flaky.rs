//! A store that can be switched off, as if its database were away, that can keep those waiting who
//! take a use of a session, and that says what it was asked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use livecheck_store::{
    ApiKey, ImageKey, ImageMac, ImageState, KeyChange, KeyHash, KeyId, KeyRecord, KeySelector,
    KeyStore, NewKey, Rate, RateDecision, RateStore, ReplayStore, SessionState, SessionStore,
    SessionToken, Store, StoreError, StoredKey, Timestamp, TokenHash,
};
use tokio::sync::Semaphore;

pub struct Flaky {
    inner: Arc<dyn Store>,
    away: AtomicBool,
    /// One permit a use that is handed out at once.
    uses: Semaphore,
    asked: AtomicUsize,
    looked_up: Mutex<Vec<&'static str>>,
}

impl Flaky {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
            uses: Semaphore::new(Semaphore::MAX_PERMITS),
            asked: AtomicUsize::new(0),
            looked_up: Mutex::default(),
        }
    }

    /// From now on nobody gets a use until [`Flaky::give_uses`].
    pub fn hold_uses(&self) {
        self.uses.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Those who have asked for a use, with or without success.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn give_uses(&self) {
        self.uses.add_permits(1000);
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// The look-ups since the last call.
    pub fn looked_up(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.looked_up.lock().unwrap())
    }

    fn note(&self, call: &'static str) {
        self.looked_up.lock().unwrap().push(call);
    }

    fn store(&self) -> Result<&dyn Store, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("switched off".to_owned()));
        }
        Ok(&*self.inner)
    }
}

#[async_trait]
impl Store for Flaky {
    fn address(&self) -> &str {
        self.inner.address()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store()?.ping().await
    }
}

#[async_trait]
impl KeyStore for Flaky {
    async fn create_key(
        &self,
        key: NewKey,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        self.store()?.create_key(key, now).await
    }

    async fn find_key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        self.note("find_key");
        self.store()?.find_key(hash).await
    }

    async fn list_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.store()?.list_keys().await
    }

    async fn revoke_key(
        &self,
        which: &KeySelector,
        now: Timestamp,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        self.store()?.revoke_key(which, now).await
    }

    async fn rotate_key(
        &self,
        which: &KeySelector,
        grace: Option<Duration>,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        self.store()?.rotate_key(which, grace, now).await
    }

    async fn change_key(
        &self,
        which: &KeySelector,
        change: &KeyChange,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        self.store()?.change_key(which, change).await
    }

    async fn prune_keys(&self, before: Timestamp) -> Result<Vec<KeyRecord>, StoreError> {
        self.store()?.prune_keys(before).await
    }

    async fn export_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.store()?.export_keys().await
    }

    async fn import_keys(&self, keys: &[StoredKey]) -> Result<(), StoreError> {
        self.store()?.import_keys(keys).await
    }

    async fn touch_key(&self, key: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.store()?.touch_key(key, now).await
    }
}

#[async_trait]
impl SessionStore for Flaky {
    async fn create_session(
        &self,
        key: &KeyId,
        uses: u32,
        expires_at: Timestamp,
    ) -> Result<SessionToken, StoreError> {
        self.store()?.create_session(key, uses, expires_at).await
    }

    async fn peek_session(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        self.note("peek_session");
        self.store()?.peek_session(token, key, now).await
    }

    async fn take_use(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.uses.acquire().await.expect("never closed").forget();
        self.store()?.take_use(token, key, now).await
    }

    async fn return_use(&self, token: &TokenHash, key: &KeyId) -> Result<(), StoreError> {
        self.store()?.return_use(token, key).await
    }

    async fn count_sessions(
        &self,
        key: &KeyId,
        now: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        self.store()?.count_sessions(key, now, most).await
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store()?.purge_sessions(now).await
    }
}

#[async_trait]
impl RateStore for Flaky {
    async fn take_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        self.store()?.take_rate(key, rate, now).await
    }

    async fn take_session_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        self.store()?.take_session_rate(key, rate, now).await
    }
}

#[async_trait]
impl ReplayStore for Flaky {
    async fn remember_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<ImageState, StoreError> {
        self.store()?.remember_image(key, image, now, until).await
    }

    async fn renew_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.store()?.renew_image(key, image, until).await
    }

    async fn forget_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.store()?.forget_image(key, image, until).await
    }

    async fn purge_images(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store()?.purge_images(now).await
    }

    async fn image_key(&self) -> Result<ImageKey, StoreError> {
        self.store()?.image_key().await
    }
}
