//! What a store can do: a trait for each noun, and [`Store`], which is all of them.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    clock::Timestamp,
    error::StoreError,
    key::{KeyChange, KeyId, KeyRecord, KeySelector, NewKey, StoredKey},
    rate::{Rate, RateDecision},
    replay::{ImageKey, ImageMac, ImageState},
    secret::{ApiKey, KeyHash, SessionToken, TokenHash},
};

/// Keys, sessions, rate limits and images seen before, in one database.
///
/// Every method may fail with [`StoreError::Unavailable`] while the database is away; it answers
/// within a few seconds and works again, without a restart, once the database is back.
#[async_trait]
pub trait Store: KeyStore + SessionStore + RateStore + ReplayStore {
    /// Which database this is, for people: a path, or scheme, host and port.
    fn address(&self) -> &str;

    /// Whether the database answers and can be written to.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// API keys. Fails as [`Store`] does.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Makes a key. The key in clear is never to be had again.
    ///
    /// Errors: [`StoreError::BadName`], [`StoreError::NameTaken`].
    async fn create_key(
        &self,
        key: NewKey,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError>;

    /// The key with this hash, live or not: see [`KeyRecord::is_live`].
    async fn find_key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError>;

    /// All keys, oldest first, with the revoked and the expired ones.
    async fn list_keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Revokes the key with an id, or every key of a name (a rotated key's predecessors too, so
    /// that afterwards nothing of that name opens the door). Returns what was revoked.
    ///
    /// Errors: [`StoreError::KeyNotFound`] when there was nothing to revoke.
    async fn revoke_key(
        &self,
        which: &KeySelector,
        now: Timestamp,
    ) -> Result<Vec<KeyRecord>, StoreError>;

    /// Makes a successor with the same name, settings and lifetime. The old key lives on until it is
    /// revoked, or for `grace`.
    ///
    /// Errors: [`StoreError::KeyNotFound`] when no live key is meant,
    /// [`StoreError::AlreadyRotated`] when the key has a successor.
    async fn rotate_key(
        &self,
        which: &KeySelector,
        grace: Option<Duration>,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError>;

    /// Changes the settings of the key with an id, or of every key of a name that isn't revoked. In
    /// force on every node within [`KEY_CACHE_LIFETIME`](crate::KEY_CACHE_LIFETIME). Returns the keys as they are now, oldest
    /// first.
    ///
    /// Errors: [`StoreError::KeyNotFound`] when there is no such key.
    async fn change_key(
        &self,
        which: &KeySelector,
        change: &KeyChange,
    ) -> Result<Vec<KeyRecord>, StoreError>;

    /// Deletes the keys that were revoked or had expired at `before`, with their sessions, rates and
    /// images. Returns what was deleted, oldest first.
    async fn prune_keys(&self, before: Timestamp) -> Result<Vec<KeyRecord>, StoreError>;

    /// All keys with their hashes, oldest first, for [`KeyStore::import_keys`] of another store.
    async fn export_keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Takes over keys of another store: all, or none when there is an error. Keys whose ids are
    /// here stay as they are.
    ///
    /// Errors: [`StoreError::BadName`], [`StoreError::ImportClash`].
    async fn import_keys(&self, keys: &[StoredKey]) -> Result<(), StoreError>;

    /// Notes that the key was used, to the minute: most calls write nothing.
    async fn touch_key(&self, key: &KeyId, now: Timestamp) -> Result<(), StoreError>;
}

/// Sessions: tokens that are good for a number of uses. Fails as [`Store`] does.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Opens a session of the key: a token good for `uses` uses before `expires_at`.
    ///
    /// Errors: [`StoreError::KeyNotFound`].
    async fn create_session(
        &self,
        key: &KeyId,
        uses: u32,
        expires_at: Timestamp,
    ) -> Result<SessionToken, StoreError>;

    /// How the session stands, without taking a use.
    async fn peek_session(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError>;

    /// Takes one use, if there is one: exactly as many calls succeed as the session has uses,
    /// however many come at once and from however many nodes. `Ready` holds what is left after this.
    async fn take_use(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError>;

    /// Gives one use back. Never beyond what the session was opened with.
    async fn return_use(&self, token: &TokenHash, key: &KeyId) -> Result<(), StoreError>;

    /// Sessions of the key that have not ended, counted up to `most`.
    async fn count_sessions(
        &self,
        key: &KeyId,
        now: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError>;

    /// Forgets at most [`PURGE_BATCH`](crate::PURGE_BATCH) sessions that ended more than a day ago, the oldest first, and
    /// says how many: as long as it is that many, there are more. The day is there so that a clock set
    /// ahead for a moment doesn't cost anyone a session.
    async fn purge_sessions(&self, now: Timestamp) -> Result<u64, StoreError>;
}

/// Rate limits, counted over all nodes. Fails as [`Store`] does.
#[async_trait]
pub trait RateStore: Send + Sync + 'static {
    /// Counts a request against the key's rate limit. A refused request costs nothing.
    async fn take_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError>;

    /// As [`RateStore::take_rate`], for the sessions that the key opens.
    async fn take_session_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError>;
}

/// Images that were judged before. Fails as [`Store`] does.
#[async_trait]
pub trait ReplayStore: Send + Sync + 'static {
    /// Remembers until `until` that the key has an image judged, unless it is remembered already:
    /// of any number of calls at once, on any number of nodes, exactly one is told
    /// [`ImageState::New`].
    async fn remember_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<ImageState, StoreError>;

    /// Prolongs the memory of an image, never shortens it.
    async fn renew_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Takes back what [`ReplayStore::remember_image`] remembered until `until`: the image wasn't judged
    /// after all. Does nothing when its memory was prolonged since.
    async fn forget_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Forgets images whose memory ended more than a day ago, as [`SessionStore::purge_sessions`] does.
    async fn purge_images(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// The key that images are hashed with where none is set: made once, the same for all nodes.
    async fn image_key(&self) -> Result<ImageKey, StoreError>;
}

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// No such session: unknown, ended, or another key's.
    NotFound,
    /// All its uses are taken.
    Exhausted,
    /// It can be used.
    Ready {
        /// Uses that are left.
        remaining: u32,
    },
}
