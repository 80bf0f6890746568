//! API keys, sessions, rate limits and images seen before: one trait, SQLite and PostgreSQL.
//!
//! [`open`] gives a [`Store`]; [`KeyCache`] stands in front of its key look-ups. Everything that
//! depends on the time takes it as an argument, see [`Clock`]. Keys and tokens are stored only as
//! hashes and appear in clear exactly once, see [`ApiKey`] and [`SessionToken`].
//!
//! All counts are kept by single statements in the database: they hold for any number of requests
//! at once and of nodes on one database, and a count that was answered survives the process.
#![forbid(unsafe_code)]

mod cache;
mod clock;
mod error;
mod key;
mod migrate;
mod postgres;
mod rate;
mod replay;
mod secret;
mod sql;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use cache::{KEY_CACHE_CAPACITY, KEY_CACHE_LIFETIME, KeyCache};
pub use clock::{Clock, SystemClock, TestClock, Timestamp};
pub use error::StoreError;
pub use key::{
    KeyChange, KeyId, KeyRecord, KeySelector, KeyThresholds, NewKey, StoredKey, Threshold,
};
pub use rate::{Rate, RateDecision};
pub use replay::{IMAGE_KEY_BYTES, ImageKey, ImageMac, ImageState, ReplayPolicy};
pub use secret::{ApiKey, KeyHash, SessionToken, TokenHash};

/// Most rows that one call of [`Store::purge_sessions`] or [`Store::purge_images`] deletes.
pub const PURGE_BATCH: u64 = sql::PURGE_BATCH as u64;

/// Opens the store at `address` and brings its tables up to date.
///
/// `address` is a file path or `sqlite://PATH` (made when missing), `sqlite::memory:` (gone with the
/// process), or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
///
/// Errors: [`StoreError::BadAddress`], [`StoreError::Unavailable`], [`StoreError::SchemaTooNew`].
pub async fn open(address: &str) -> Result<Arc<dyn Store>, StoreError> {
    if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        return Ok(Arc::new(postgres::open(address).await?));
    }
    let path = address
        .strip_prefix("sqlite://")
        .or_else(|| address.strip_prefix("sqlite:"))
        .unwrap_or(address);
    if path == ":memory:" {
        return Ok(Arc::new(sqlite::open_memory().await?));
    }
    // Only the scheme is repeated: what follows may hold a password.
    if let Some((scheme, _)) = path.split_once("://") {
        let text = format!("there is no backend for {scheme}://");
        return Err(StoreError::BadAddress(text));
    }
    if path.len() < address.len() && path.contains('?') {
        let text = "options after ? are for PostgreSQL only".to_owned();
        return Err(StoreError::BadAddress(text));
    }
    if path.is_empty() {
        return Err(StoreError::BadAddress("it is empty".to_owned()));
    }
    Ok(Arc::new(sqlite::open_file(Path::new(path)).await?))
}

/// The file that [`open`] would make: `address` names a file of SQLite, and it does not exist.
#[must_use]
pub fn missing_file(address: &str) -> Option<&Path> {
    let path = address
        .strip_prefix("sqlite://")
        .or_else(|| address.strip_prefix("sqlite:"))
        .unwrap_or(address);
    let is_file = !path.is_empty() && path != ":memory:" && !path.contains("://");
    let path = Path::new(path);
    // What may not be looked at may exist.
    (is_file && path.try_exists().is_ok_and(|exists| !exists)).then_some(path)
}

/// What is wrong when `address` names a PostgreSQL on another machine whose certificate is not checked;
/// whoever is between the two can then read and answer in its place. `None`: nothing.
#[must_use]
pub fn unchecked_certificate(address: &str) -> Option<String> {
    postgres::unchecked_certificate(address)
}

/// Keys, sessions, rate limits and images seen before.
///
/// Every method may fail with [`StoreError::Unavailable`] while the database is away; it answers
/// within a few seconds and works again, without a restart, once the database is back.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Which database this is, for people: a path, or scheme, host and port.
    fn address(&self) -> &str;

    /// Whether the database answers and can be written to.
    async fn ping(&self) -> Result<(), StoreError>;

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
    /// force on every node within [`KEY_CACHE_LIFETIME`]. Returns the keys as they are now, oldest
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

    /// All keys with their hashes, oldest first, for [`Store::import_keys`] of another store.
    async fn export_keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Takes over keys of another store: all, or none when there is an error. Keys whose ids are
    /// here stay as they are.
    ///
    /// Errors: [`StoreError::BadName`], [`StoreError::ImportClash`].
    async fn import_keys(&self, keys: &[StoredKey]) -> Result<(), StoreError>;

    /// Notes that the key was used, to the minute: most calls write nothing.
    async fn touch_key(&self, key: &KeyId, now: Timestamp) -> Result<(), StoreError>;

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

    /// Counts a request against the key's rate limit. A refused request costs nothing.
    async fn take_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError>;

    /// Sessions of the key that have not ended, counted up to `most`.
    async fn count_sessions(
        &self,
        key: &KeyId,
        now: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError>;

    /// As [`Store::take_rate`], for the sessions that the key opens.
    async fn take_session_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError>;

    /// Forgets at most [`PURGE_BATCH`] sessions that ended more than a day ago, the oldest first, and
    /// says how many: as long as it is that many, there are more. The day is there so that a clock set
    /// ahead for a moment doesn't cost anyone a session.
    async fn purge_sessions(&self, now: Timestamp) -> Result<u64, StoreError>;

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

    /// Takes back what [`Store::remember_image`] remembered until `until`: the image wasn't judged
    /// after all. Does nothing when its memory was prolonged since.
    async fn forget_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Forgets images whose memory ended more than a day ago, as [`Store::purge_sessions`] does.
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
