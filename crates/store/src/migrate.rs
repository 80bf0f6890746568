//! What bringing the tables up to date has in common on both databases.

use crate::StoreError;
use crate::sql::{Backend, translate};

/// Why the tables could not be brought up to date.
pub(crate) enum MigrateError {
    Sql(sqlx::Error),
    TooNew(StoreError),
}

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl MigrateError {
    /// The error for whoever opened the database at `address`.
    pub(crate) fn explain<B: Backend>(self, address: &str) -> StoreError {
        let error = match self {
            Self::Sql(error) => translate::<B>(&error),
            Self::TooNew(error) => error,
        };
        match error {
            StoreError::Unavailable(text) => StoreError::Unavailable(format!("{address}: {text}")),
            StoreError::Failed(text) => StoreError::BadAddress(format!("{address}: {text}")),
            other => other,
        }
    }
}

/// The migrations that are left to do on tables of version `found`; `migrations[i]` leads from
/// version `i` to `i + 1`.
pub(crate) fn pending<'m>(
    migrations: &'m [&'static str],
    found: i64,
) -> Result<&'m [&'static str], MigrateError> {
    usize::try_from(found)
        .ok()
        .and_then(|done| migrations.get(done..))
        .ok_or_else(|| {
            MigrateError::TooNew(StoreError::SchemaTooNew {
                found,
                known: migrations.len() as i64,
            })
        })
}
