//! A store in front of another, for tests that count calls, hold them up or let them fail.

use std::{ops::Deref, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    ApiKey, ImageKey, ImageMac, ImageState, KeyChange, KeyHash, KeyId, KeyRecord, KeySelector,
    KeyStore, NewKey, Rate, RateDecision, RateStore, ReplayStore, SessionState, SessionStore,
    SessionToken, Store, StoreError, StoredKey, Timestamp, TokenHash,
};

/// What happens before a call.
#[async_trait]
pub trait Hook: Send + Sync + 'static {
    /// The call of this name may go on to the store behind, or fails.
    async fn before(&self, call: &'static str) -> Result<(), StoreError>;
}

/// A store that asks its hook before each call.
pub struct Hooked<H> {
    store: Arc<dyn Store>,
    hook: H,
}

impl<H: Hook> Hooked<H> {
    /// In front of `store`.
    pub fn new(store: Arc<dyn Store>, hook: H) -> Self {
        Self { store, hook }
    }
}

impl<H> Deref for Hooked<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.hook
    }
}

/// Writes out a trait whose methods ask the hook and then do what the store behind does.
macro_rules! forward {
    ($Trait:ident { $($call:ident($($name:ident: $Type:ty),*) -> $Answer:ty;)+ }) => {
        #[async_trait]
        impl<H: Hook> $Trait for Hooked<H> {
            $(async fn $call(&self, $($name: $Type),*) -> Result<$Answer, StoreError> {
                self.hook.before(stringify!($call)).await?;
                self.store.$call($($name),*).await
            })+
        }
    };
}

#[async_trait]
impl<H: Hook> Store for Hooked<H> {
    fn address(&self) -> &str {
        self.store.address()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.hook.before("ping").await?;
        self.store.ping().await
    }
}

forward!(KeyStore {
    create_key(key: NewKey, now: Timestamp) -> (KeyRecord, ApiKey);
    find_key(hash: &KeyHash) -> Option<KeyRecord>;
    list_keys() -> Vec<KeyRecord>;
    revoke_key(which: &KeySelector, now: Timestamp) -> Vec<KeyRecord>;
    rotate_key(which: &KeySelector, grace: Option<Duration>, now: Timestamp) -> (KeyRecord, ApiKey);
    change_key(which: &KeySelector, change: &KeyChange) -> Vec<KeyRecord>;
    prune_keys(before: Timestamp) -> Vec<KeyRecord>;
    export_keys() -> Vec<StoredKey>;
    import_keys(keys: &[StoredKey]) -> ();
    touch_key(key: &KeyId, now: Timestamp) -> ();
});

forward!(SessionStore {
    create_session(key: &KeyId, uses: u32, expires_at: Timestamp) -> SessionToken;
    peek_session(token: &TokenHash, key: &KeyId, now: Timestamp) -> SessionState;
    take_use(token: &TokenHash, key: &KeyId, now: Timestamp) -> SessionState;
    return_use(token: &TokenHash, key: &KeyId) -> ();
    count_sessions(key: &KeyId, now: Timestamp, most: u32) -> u32;
    purge_sessions(now: Timestamp) -> u64;
});

forward!(RateStore {
    take_rate(key: &KeyId, rate: Rate, now: Timestamp) -> RateDecision;
    take_session_rate(key: &KeyId, rate: Rate, now: Timestamp) -> RateDecision;
});

forward!(ReplayStore {
    remember_image(key: &KeyId, image: &ImageMac, now: Timestamp, until: Timestamp) -> ImageState;
    renew_image(key: &KeyId, image: &ImageMac, until: Timestamp) -> ();
    forget_image(key: &KeyId, image: &ImageMac, until: Timestamp) -> ();
    purge_images(now: Timestamp) -> u64;
    image_key() -> ImageKey;
});
