//! API keys, sessions, rate limits and images seen before: a trait for each noun, on SQLite and
//! PostgreSQL.
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
mod store;
#[cfg(feature = "testing")]
pub mod testing;

use std::path::Path;
use std::sync::Arc;

pub use cache::{KEY_CACHE_CAPACITY, KEY_CACHE_LIFETIME, KeyCache};
pub use clock::{Clock, SystemClock, TestClock, Timestamp};
pub use error::StoreError;
pub use key::{
    KeyChange, KeyId, KeyRecord, KeySelector, KeyThresholds, NewKey, StoredKey, Threshold,
};
pub use rate::{Rate, RateDecision};
pub use replay::{IMAGE_KEY_BYTES, ImageKey, ImageMac, ImageState, ReplayPolicy};
pub use secret::{ApiKey, KeyHash, SessionToken, TokenHash};
pub use store::{KeyStore, RateStore, ReplayStore, SessionState, SessionStore, Store};

/// Most rows that one call of [`SessionStore::purge_sessions`] or [`ReplayStore::purge_images`] deletes.
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
