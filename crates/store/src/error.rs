//! What can go wrong in the store. No text here ever holds a password, a key or a token.

/// Why the store could not do what it was asked.
///
/// `Clone`, so that requests waiting for one look-up can share its failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database can't be reached or doesn't answer now. It may work again without a restart:
    /// try later.
    #[error("the key and session database is not available: {0}")]
    Unavailable(String),

    /// The address of the database can't be used.
    #[error(
        "the store address can't be used: {0}; expected a file path, sqlite://PATH, \
         sqlite::memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    BadAddress(String),

    /// The database was written by a newer release.
    #[error(
        "the database has schema version {found}, this release supports up to {known}: \
         run the newer release, or restore the backup made before the upgrade"
    )]
    SchemaTooNew {
        /// Version found in the database.
        found: i64,
        /// Newest version this release knows.
        known: i64,
    },

    /// A key's name can't be used.
    #[error(
        "{0:?} can't be a key's name: use 1 to 64 letters, digits, spaces or ._@- and don't let it look like a key's id"
    )]
    BadName(String),

    /// A rate outside what the limiter can count.
    #[error(
        "a rate of {per_second} per second with a burst of {burst} can't be used: allowed are 0.001 to 1000000 per second and a burst of 1 to 1000000"
    )]
    BadRate {
        /// Requests per second that were asked for, as text.
        per_second: String,
        /// Burst that was asked for.
        burst: u32,
    },

    /// A threshold outside 0 to 1.
    #[error("a threshold of {0} can't be used: allowed is 0 to 1")]
    BadThreshold(String),

    /// A key of this name exists and isn't revoked.
    #[error("a key named {0:?} exists: revoke or rotate it, or choose another name")]
    NameTaken(String),

    /// Keys can't be imported: one of them has a name or a hash that a key here has.
    #[error(
        "nothing was imported: a key in this database has the name or the hash of one of them but another id; revoke or rotate it first"
    )]
    ImportClash,

    /// No live key has this id or name.
    #[error(
        "no valid key has the id or name {0:?}: the list of keys shows ids, names and which are revoked or expired"
    )]
    KeyNotFound(String),

    /// The key has a successor already.
    #[error("the key {0:?} was rotated before: rotate its successor, or revoke this one")]
    AlreadyRotated(String),

    /// The database answered with something that is not an outage: a defect, here or there.
    #[error("the key and session database failed: {0}")]
    Failed(String),
}
