//! The store in SQL that SQLite and PostgreSQL both speak. What differs between them (connections,
//! transactions, migrations) is behind [`Backend`]: `sqlite.rs` and `postgres.rs`.

mod backend;
mod keys;
mod query;
mod rates;
mod replay;
mod sessions;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::{clock::Timestamp, error::StoreError, secret::TokenHash, store::Store};

pub(crate) use backend::{Backend, purge_images, purge_sessions, translate};
pub(crate) use query::{Row, Statement, bind, run};

use query::{Value, statement};

/// Longest time one call may take before the database counts as not available.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Most rows that one call of the purges deletes: others wait for it no longer than a moment.
pub(crate) const PURGE_BATCH: u32 = 1000;

/// Finds no row and writes nothing, but fails on a standby server.
const PING: &str = "UPDATE livecheck_session SET uses_left = 0 WHERE token_hash = $1";

/// Writes, whatever is there: a full or read-only disk shows. The row is no key's.
const PROBE: &str = "INSERT INTO livecheck_rate (key_id, arrival) VALUES ('', 0) \
     ON CONFLICT (key_id) DO UPDATE SET arrival = 1 - livecheck_rate.arrival";

/// A [`Store`] on a [`Backend`].
pub(crate) struct SqlStore<B> {
    backend: B,
    /// A write has failed, and no probe has succeeded since.
    write_failed: AtomicBool,
}

impl<B: Backend> SqlStore<B> {
    pub(crate) fn new(backend: B) -> Self {
        Self {
            backend,
            write_failed: AtomicBool::new(false),
        }
    }

    async fn read(&self, statement: Statement<'_>) -> Result<Vec<Row>, Failure> {
        limited::<B, _>(self.backend.read(statement)).await
    }

    async fn write(&self, statement: Statement<'_>) -> Result<Vec<Row>, Failure> {
        let outcome = limited::<B, _>(self.backend.write(statement)).await;
        if matches!(outcome, Err(Failure::Other(_))) {
            self.write_failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Deletes at most [`PURGE_BATCH`] rows whose time ended at `ended` or before.
    async fn purge(&self, sql: &'static str, ended: Timestamp) -> Result<u64, StoreError> {
        let statement = statement!(sql, ended, i64::from(PURGE_BATCH));
        let outcome = limited::<B, _>(self.backend.execute(statement)).await;
        if matches!(outcome, Err(Failure::Other(_))) {
            self.write_failed.store(true, Ordering::Relaxed);
        }
        Ok(outcome?)
    }

    async fn administer(&self, statements: &[Statement<'_>]) -> Result<Vec<Row>, Failure> {
        limited::<B, _>(self.backend.administer(statements)).await
    }
}

/// Why a statement failed.
enum Failure {
    /// A row of this kind exists.
    Duplicate,
    /// The row it refers to doesn't.
    Dangling,
    /// Anything else.
    Other(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Duplicate => Self::Failed("such a row exists already".to_owned()),
            Failure::Dangling => Self::Failed("the row this refers to doesn't exist".to_owned()),
            Failure::Other(error) => error,
        }
    }
}

async fn limited<B: Backend, T>(
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    let Ok(answer) = tokio::time::timeout(CALL_TIMEOUT, call).await else {
        return Err(Failure::Other(StoreError::Unavailable(format!(
            "no response within {} s",
            CALL_TIMEOUT.as_secs()
        ))));
    };
    answer.map_err(|error| match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => Failure::Duplicate,
        sqlx::Error::Database(error) if error.is_foreign_key_violation() => Failure::Dangling,
        other => Failure::Other(translate::<B>(&other)),
    })
}

#[async_trait]
impl<B: Backend> Store for SqlStore<B> {
    fn address(&self) -> &str {
        self.backend.address()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.backend.is_in_place().await?;
        // A write for each question would let anybody wear out the disk: only where one has failed.
        if self.write_failed.load(Ordering::Relaxed) {
            self.write(statement!(PROBE)).await?;
            self.write_failed.store(false, Ordering::Relaxed);
        } else {
            self.write(statement!(PING, &TokenHash::OF_NOTHING)).await?;
        }
        Ok(())
    }
}
