//! A store that can be switched off, as if its database were away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use livecheck_store::{
    ApiKey, KeyHash, KeyId, KeyRecord, KeySelector, NewKey, Rate, RateDecision, SessionState,
    SessionToken, Store, StoreError, Timestamp, TokenHash,
};

pub struct Flaky {
    inner: Arc<dyn Store>,
    away: AtomicBool,
}

impl Flaky {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
        }
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
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

    async fn create_key(
        &self,
        key: NewKey,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        self.store()?.create_key(key, now).await
    }

    async fn find_key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
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

    async fn touch_key(&self, key: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.store()?.touch_key(key, now).await
    }

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
        self.store()?.peek_session(token, key, now).await
    }

    async fn take_use(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        self.store()?.take_use(token, key, now).await
    }

    async fn return_use(&self, token: &TokenHash, key: &KeyId) -> Result<(), StoreError> {
        self.store()?.return_use(token, key).await
    }

    async fn take_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        self.store()?.take_rate(key, rate, now).await
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store()?.purge_sessions(now).await
    }
}
