//! What differs between databases.

use async_trait::async_trait;

use super::query::{Row, Statement};
use crate::error::StoreError;

/// `$2` is the most rows. `$locking` keeps two nodes from waiting for each other's rows.
macro_rules! purge_sessions {
    ($locking:literal) => {
        concat!(
            "DELETE FROM livecheck_session WHERE token_hash IN (SELECT token_hash \
             FROM livecheck_session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
            $locking,
            ")"
        )
    };
}

/// As [`purge_sessions`].
macro_rules! purge_images {
    ($locking:literal) => {
        concat!(
            "DELETE FROM livecheck_image WHERE (key_id, mac) IN (SELECT key_id, mac \
             FROM livecheck_image WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
            $locking,
            ")"
        )
    };
}

pub(crate) use {purge_images, purge_sessions};

/// A database that runs statements.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// [`purge_sessions`] as this database runs it.
    const PURGE_SESSIONS: &'static str;

    /// [`purge_images`] as this database runs it.
    const PURGE_IMAGES: &'static str;

    /// Which database this is: a path, or scheme, host and port.
    fn address(&self) -> &str;

    /// That the database is still where its address says.
    async fn is_in_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether an error code of this database means that it may work again later.
    fn is_outage(code: &str) -> bool;

    /// Runs a statement that changes nothing.
    async fn read(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error>;

    /// Runs a statement that changes something; returns once the change is durable.
    async fn write(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error>;

    /// Runs a statement that changes something and returns nothing; how many rows it changed.
    async fn execute(&self, statement: Statement<'_>) -> Result<u64, sqlx::Error>;

    /// Runs statements in one transaction, never two of these at once; returns the last one's rows.
    async fn administer(&self, statements: &[Statement<'_>]) -> Result<Vec<Row>, sqlx::Error>;
}

/// Says whether an error is an outage. The texts come from the driver and from the database; neither
/// repeats passwords or bound values.
pub(crate) fn translate<B: Backend>(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => {
            let text = error.message().to_owned();
            if error.code().is_some_and(|code| B::is_outage(&code)) {
                StoreError::Unavailable(text)
            } else {
                StoreError::Failed(text)
            }
        }
        sqlx::Error::PoolTimedOut => {
            StoreError::Unavailable("no connection was available in time".to_owned())
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StoreError::Unavailable(error.to_string()),
        other => StoreError::Failed(other.to_string()),
    }
}
