//! The store in SQL that SQLite and PostgreSQL both speak. What differs between them (connections,
//! transactions, migrations) is behind [`Backend`]: `sqlite.rs` and `postgres.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::{ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row as _, Type};
use sqlx::{TypeInfo as _, ValueRef as _};

use crate::key::check_name;
use crate::rate::{CLOCK_TOLERANCE, micros};
use crate::{
    ApiKey, IMAGE_KEY_BYTES, ImageKey, ImageMac, ImageState, KeyChange, KeyHash, KeyId, KeyRecord,
    KeySelector, KeyThresholds, NewKey, Rate, RateDecision, ReplayPolicy, SessionState,
    SessionToken, Store, StoreError, StoredKey, Threshold, Timestamp, TokenHash,
};

/// Longest time one call may take before the database counts as not available.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How exactly the last use of a key is kept.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// How long a session is kept after its end.
const KEEP_ENDED_SESSIONS: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an image is kept after its memory has ended, for the same reason.
const KEEP_ENDED_IMAGES: Duration = KEEP_ENDED_SESSIONS;
/// Under which name the key of images is kept.
const IMAGE_KEY: &str = "image-hmac";

/// Most rows that one call of the purges deletes: others wait for it no longer than a moment.
pub(crate) const PURGE_BATCH: u32 = 1000;

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

/// A statement and its values, `$1` first.
pub(crate) struct Statement<'v> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value<'v>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Value<'v> {
    Int(Option<i64>),
    Text(Option<&'v str>),
    Bytes(&'v [u8]),
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        i64::from(yes).into()
    }
}

impl From<Option<Threshold>> for Value<'_> {
    fn from(threshold: Option<Threshold>) -> Self {
        threshold.map(Threshold::to_stored).into()
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(moment: Timestamp) -> Self {
        moment.as_millis().into()
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(moment: Option<Timestamp>) -> Self {
        moment.map(Timestamp::as_millis).into()
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text)
    }
}

impl<'v> From<&'v KeyId> for Value<'v> {
    fn from(id: &'v KeyId) -> Self {
        Self::Text(Some(id.as_str()))
    }
}

impl<'v> From<&'v KeyHash> for Value<'v> {
    fn from(hash: &'v KeyHash) -> Self {
        Self::Bytes(hash.as_bytes())
    }
}

impl<'v> From<&'v TokenHash> for Value<'v> {
    fn from(hash: &'v TokenHash) -> Self {
        Self::Bytes(hash.as_bytes())
    }
}

impl<'v> From<&'v ImageMac> for Value<'v> {
    fn from(mac: &'v ImageMac) -> Self {
        Self::Bytes(mac.as_bytes())
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// `statement!(SQL, value, …)`
macro_rules! statement {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        Statement { sql: $sql, values: vec![$(Value::from($value)),*] }
    };
}

/// One row of an answer.
pub(crate) struct Row(Vec<Cell>);

enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Runs one statement to its end. (Not only to its first row: SQLite commits, and tells whether that
/// worked, at the end.)
pub(crate) async fn run<'e, DB, E>(
    executor: E,
    statement: &Statement<'_>,
) -> Result<Vec<Row>, sqlx::Error>
where
    DB: Database,
    E: Executor<'e, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Decode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> String: Decode<'q, DB> + Type<DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let cell = |row: &DB::Row, index: usize| {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        match value.type_info().name() {
            "INTEGER" | "INT8" => row.try_get(index).map(Cell::Int),
            "TEXT" => row.try_get(index).map(Cell::Text),
            "BLOB" | "BYTEA" => row.try_get(index).map(Cell::Bytes),
            other => Err(sqlx::Error::TypeNotFound {
                type_name: other.to_owned(),
            }),
        }
    };
    let rows = bind(statement).fetch_all(executor).await?;
    rows.iter()
        .map(|row| (0..row.len()).map(|index| cell(row, index)).collect())
        .map(|cells: Result<_, _>| cells.map(Row))
        .collect()
}

/// A statement with its values.
pub(crate) fn bind<DB>(statement: &Statement<'_>) -> Query<'static, DB, DB::Arguments>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Type<DB>,
{
    let mut query = sqlx::query(statement.sql);
    for value in &statement.values {
        query = match *value {
            Value::Int(number) => query.bind(number),
            Value::Text(text) => query.bind(text.map(str::to_owned)),
            Value::Bytes(bytes) => query.bind(bytes.to_vec()),
        };
    }
    query
}

impl Row {
    pub(crate) fn int(&self, index: usize) -> Result<i64, StoreError> {
        self.maybe_int(index)?
            .ok_or_else(|| unexpected_column(index))
    }

    fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(index) {
            Some(Cell::Int(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            _ => Err(unexpected_column(index)),
        }
    }

    fn count(&self, index: usize) -> Result<u32, StoreError> {
        u32::try_from(self.int(index)?).map_err(|_| unexpected_column(index))
    }

    fn moment(&self, index: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.maybe_int(index)?.map(Timestamp::from_millis))
    }

    fn maybe_text(&self, index: usize) -> Result<Option<String>, StoreError> {
        match self.0.get(index) {
            Some(Cell::Text(text)) => Ok(Some(text.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(unexpected_column(index)),
        }
    }

    fn text(&self, index: usize) -> Result<String, StoreError> {
        self.maybe_text(index)?
            .ok_or_else(|| unexpected_column(index))
    }

    fn bytes(&self, index: usize) -> Result<&[u8], StoreError> {
        match self.0.get(index) {
            Some(Cell::Bytes(bytes)) => Ok(bytes),
            _ => Err(unexpected_column(index)),
        }
    }

    /// A row of [`key_columns`].
    fn key(&self) -> Result<KeyRecord, StoreError> {
        let rate = match (self.maybe_int(9)?, self.maybe_int(10)?) {
            (Some(per_kilosecond), Some(burst)) => Rate::from_stored(per_kilosecond, burst),
            _ => None,
        };
        Ok(KeyRecord {
            id: KeyId::from_stored(self.text(0)?),
            name: self.text(1)?,
            shown: self.text(2)?,
            created_at: Timestamp::from_millis(self.int(3)?),
            last_used_at: self.moment(4)?,
            expires_at: self.moment(5)?,
            revoked_at: self.moment(6)?,
            successor: self.maybe_text(7)?.map(KeyId::from_stored),
            require_session: self.int(8)? != 0,
            rate,
            // An unknown policy comes from a newer release: the server's default counts.
            replay: self
                .maybe_text(11)?
                .and_then(|name| ReplayPolicy::named(&name)),
            thresholds: KeyThresholds {
                preset: self.maybe_text(12)?,
                liveness: self.threshold(13)?,
                face: self.threshold(14)?,
                mask: self.threshold(15)?,
                review: self.threshold(16)?,
            },
            sandbox: self.int(17)? != 0,
        })
    }

    fn threshold(&self, index: usize) -> Result<Option<Threshold>, StoreError> {
        let Some(stored) = self.maybe_int(index)? else {
            return Ok(None);
        };
        let threshold = Threshold::from_stored(stored);
        threshold.ok_or_else(|| unexpected_column(index)).map(Some)
    }

    /// A row of [`key_columns`] and the hash.
    fn stored_key(&self) -> Result<StoredKey, StoreError> {
        let hash = KeyHash::from_stored(self.bytes(HASH_COLUMN)?);
        Ok(StoredKey {
            record: self.key()?,
            hash: hash.ok_or_else(|| unexpected_column(HASH_COLUMN))?,
        })
    }
}

fn unexpected_column(index: usize) -> StoreError {
    StoreError::Failed(format!(
        "column {index} of an answer isn't of the expected kind: was the database changed by hand?"
    ))
}

/// The columns [`Row::key`] reads, inside a longer statement.
macro_rules! key_columns {
    ($($before:literal)? .. $($after:literal)?) => {
        concat!(
            $($before,)?
            " id, name, shown, created_at, last_used_at, expires_at, revoked_at, successor, \
             require_session, rate_per_kilosecond, rate_burst, replay, preset, \
             liveness_threshold, face_threshold, mask_threshold, review_threshold, sandbox",
            $($after)?
        )
    };
}

/// Where the hash stands in statements that add it to [`key_columns`].
const HASH_COLUMN: usize = 18;

/// Finds no row and writes nothing, but fails on a standby server.
const PING: &str = "UPDATE livecheck_session SET uses_left = 0 WHERE token_hash = $1";

/// Writes, whatever is there: a full or read-only disk shows. The row is no key's.
const PROBE: &str = "INSERT INTO livecheck_rate (key_id, arrival) VALUES ('', 0) \
     ON CONFLICT (key_id) DO UPDATE SET arrival = 1 - livecheck_rate.arrival";

const INSERT_KEY: &str = key_columns!(
    "INSERT INTO livecheck_key (id, name, shown, hash, created_at, expires_at, require_session, \
     rate_per_kilosecond, rate_burst, replay, preset, liveness_threshold, face_threshold, \
     mask_threshold, review_threshold, sandbox) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING"..
);

const FIND_KEY: &str = key_columns!("SELECT"..", hash FROM livecheck_key WHERE hash = $1");

const EXPORT_KEYS: &str =
    key_columns!("SELECT"..", hash FROM livecheck_key ORDER BY created_at, id");

/// Keys that are here already, by their ids, stay as they are.
const IMPORT_KEY: &str = "INSERT INTO livecheck_key (id, name, shown, hash, created_at, \
     last_used_at, expires_at, revoked_at, successor, require_session, rate_per_kilosecond, \
     rate_burst, replay, preset, liveness_threshold, face_threshold, mask_threshold, \
     review_threshold, sandbox) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
     ON CONFLICT (id) DO NOTHING";

/// Each setting after whether it changes; $19 is the id or $20 the name, the other is null.
const CHANGE_KEY: &str = key_columns!(
    "UPDATE livecheck_key SET \
     expires_at = CASE WHEN $1 = 1 AND successor IS NULL THEN $2 ELSE expires_at END, \
     require_session = CASE WHEN $3 IS NULL THEN require_session ELSE $3 END, \
     rate_per_kilosecond = CASE WHEN $4 = 1 THEN $5 ELSE rate_per_kilosecond END, \
     rate_burst = CASE WHEN $4 = 1 THEN $6 ELSE rate_burst END, \
     replay = CASE WHEN $7 = 1 THEN $8 ELSE replay END, \
     preset = CASE WHEN $9 = 1 THEN $10 ELSE preset END, \
     liveness_threshold = CASE WHEN $11 = 1 THEN $12 ELSE liveness_threshold END, \
     face_threshold = CASE WHEN $13 = 1 THEN $14 ELSE face_threshold END, \
     mask_threshold = CASE WHEN $15 = 1 THEN $16 ELSE mask_threshold END, \
     review_threshold = CASE WHEN $17 = 1 THEN $18 ELSE review_threshold END \
     WHERE (id = $19 OR name = $20) AND revoked_at IS NULL RETURNING"..
);

/// Keys that ended at $1 or before.
macro_rules! ended_keys {
    ($before:literal, $after:literal) => {
        concat!($before, "revoked_at <= $1 OR expires_at <= $1", $after)
    };
}

/// Most of what hangs on keys that ended, $2 rows at once: see [`PURGE_BATCH`].
const PRUNE_BATCHES: [&str; 2] = [
    ended_keys!(
        "DELETE FROM livecheck_session WHERE token_hash IN (SELECT token_hash \
         FROM livecheck_session WHERE key_id IN (SELECT id FROM livecheck_key WHERE ",
        ") LIMIT $2)"
    ),
    ended_keys!(
        "DELETE FROM livecheck_image WHERE (key_id, mac) IN (SELECT key_id, mac \
         FROM livecheck_image WHERE key_id IN (SELECT id FROM livecheck_key WHERE ",
        ") LIMIT $2)"
    ),
];

/// What keeps a key from being deleted, and then the key.
const PRUNE_KEYS: [&str; 5] = [
    ended_keys!(
        "DELETE FROM livecheck_session WHERE key_id IN (SELECT id FROM livecheck_key WHERE ",
        ")"
    ),
    ended_keys!(
        "DELETE FROM livecheck_image WHERE key_id IN (SELECT id FROM livecheck_key WHERE ",
        ")"
    ),
    ended_keys!(
        "DELETE FROM livecheck_rate WHERE key_id IN (SELECT id FROM livecheck_key WHERE ",
        ")"
    ),
    ended_keys!(
        "DELETE FROM livecheck_rate WHERE key_id IN (SELECT id || '/sessions' FROM livecheck_key WHERE ",
        ")"
    ),
    key_columns!(
        "DELETE FROM livecheck_key WHERE revoked_at <= $1 OR expires_at <= $1 RETURNING"..
    ),
];

const LIST_KEYS: &str = key_columns!("SELECT".." FROM livecheck_key ORDER BY created_at, id");

const REVOKE_KEY_BY_ID: &str = key_columns!(
    "UPDATE livecheck_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING"..
);

const REVOKE_KEYS_BY_NAME: &str = key_columns!(
    "UPDATE livecheck_key SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL RETURNING"..
);

const KEY_BY_ID: &str = key_columns!("SELECT".." FROM livecheck_key WHERE id = $1");

const CURRENT_KEY_BY_NAME: &str = key_columns!(
    "SELECT".." FROM livecheck_key WHERE name = $1 AND successor IS NULL AND revoked_at IS NULL"
);

/// $1 old id, $2 new id, $3 end of the grace period or null.
const RETIRE_KEY: &str = "UPDATE livecheck_key SET successor = $2, \
     expires_at = CASE WHEN $3 IS NULL OR expires_at <= $3 THEN expires_at ELSE $3 END \
     WHERE id = $1 AND successor IS NULL AND revoked_at IS NULL";

/// Only if the statement before it retired the predecessor ($1 is the new id).
const INSERT_SUCCESSOR: &str = key_columns!(
    "INSERT INTO livecheck_key (id, name, shown, hash, created_at, expires_at, require_session, \
     rate_per_kilosecond, rate_burst, replay, preset, liveness_threshold, face_threshold, \
     mask_threshold, review_threshold, sandbox) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 \
     WHERE EXISTS (SELECT 1 FROM livecheck_key WHERE successor = $1) RETURNING"..
);

/// $2 now, $3 a minute. Also when the last use lies in the future: the clock was set back.
const TOUCH_KEY: &str = "UPDATE livecheck_key SET last_used_at = $2 WHERE id = $1 \
     AND (last_used_at IS NULL OR last_used_at <= $2 - $3 OR last_used_at > $2 + $3)";

const INSERT_SESSION: &str = "INSERT INTO livecheck_session \
     (token_hash, key_id, uses_left, uses_total, expires_at) VALUES ($1, $2, $3, $3, $4)";

const PEEK_SESSION: &str = "SELECT uses_left FROM livecheck_session \
     WHERE token_hash = $1 AND key_id = $2 AND expires_at > $3";

const TAKE_USE: &str = "UPDATE livecheck_session SET uses_left = uses_left - 1 \
     WHERE token_hash = $1 AND key_id = $2 AND expires_at > $3 AND uses_left > 0 \
     RETURNING uses_left";

const RETURN_USE: &str = "UPDATE livecheck_session SET uses_left = uses_left + 1 \
     WHERE token_hash = $1 AND key_id = $2 AND uses_left < uses_total";

/// $2 now, $3 interval, $4 window, $5 clock tolerance, all in µs. No row comes back, and nothing is
/// written, when the request is refused. An arrival time beyond the tolerance was written by a clock
/// that has been set back since, and counts as an idle key's.
const TAKE_RATE: &str = "INSERT INTO livecheck_rate (key_id, arrival) VALUES ($1, $2 + $3) \
     ON CONFLICT (key_id) DO UPDATE SET arrival = $3 + \
     CASE WHEN livecheck_rate.arrival BETWEEN $2 AND $2 + $4 + $5 \
     THEN livecheck_rate.arrival ELSE $2 END \
     WHERE livecheck_rate.arrival + $3 <= $2 + $4 OR livecheck_rate.arrival > $2 + $4 + $5 \
     RETURNING arrival";

const PEEK_RATE: &str = "SELECT arrival FROM livecheck_rate WHERE key_id = $1";

/// $3 where to stop counting.
const COUNT_SESSIONS: &str = "SELECT count(*) FROM (SELECT 1 FROM livecheck_session \
     WHERE key_id = $1 AND expires_at > $2 LIMIT $3) AS open";

/// $3 now, $4 until when. No row comes back, and nothing is written, when it is remembered.
const REMEMBER_IMAGE: &str = "INSERT INTO livecheck_image (key_id, mac, expires_at) \
     VALUES ($1, $2, $4) ON CONFLICT (key_id, mac) DO UPDATE SET expires_at = $4 \
     WHERE livecheck_image.expires_at <= $3 RETURNING expires_at";

const RENEW_IMAGE: &str = "UPDATE livecheck_image SET expires_at = $3 \
     WHERE key_id = $1 AND mac = $2 AND expires_at < $3";

const FORGET_IMAGE: &str =
    "DELETE FROM livecheck_image WHERE key_id = $1 AND mac = $2 AND expires_at = $3";

const MAKE_SECRET: &str =
    "INSERT INTO livecheck_secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

const FIND_SECRET: &str = "SELECT value FROM livecheck_secret WHERE name = $1";

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

/// The values of [`INSERT_KEY`] and [`INSERT_SUCCESSOR`].
fn insert_key<'v>(
    sql: &'static str,
    id: &'v KeyId,
    new: &'v NewKey,
    key: &'v ApiKey,
    hash: &'v KeyHash,
    now: Timestamp,
) -> Statement<'v> {
    statement!(
        sql,
        id,
        new.name.as_str(),
        key.shown(),
        hash,
        now,
        new.expires_at,
        i64::from(new.require_session),
        new.rate.map(|rate| i64::from(rate.per_kilosecond())),
        new.rate.map(|rate| i64::from(rate.burst())),
        new.replay.map(ReplayPolicy::as_str),
        new.thresholds.preset.as_deref(),
        new.thresholds.liveness,
        new.thresholds.face,
        new.thresholds.mask,
        new.thresholds.review,
        new.sandbox,
    )
}

/// The values of [`IMPORT_KEY`].
fn import_key(key: &StoredKey) -> Statement<'_> {
    let StoredKey { record, hash } = key;
    statement!(
        IMPORT_KEY,
        &record.id,
        record.name.as_str(),
        record.shown.as_str(),
        hash,
        record.created_at,
        record.last_used_at,
        record.expires_at,
        record.revoked_at,
        record.successor.as_ref().map(KeyId::as_str),
        record.require_session,
        record.rate.map(|rate| i64::from(rate.per_kilosecond())),
        record.rate.map(|rate| i64::from(rate.burst())),
        record.replay.map(ReplayPolicy::as_str),
        record.thresholds.preset.as_deref(),
        record.thresholds.liveness,
        record.thresholds.face,
        record.thresholds.mask,
        record.thresholds.review,
        record.sandbox,
    )
}

/// Rows of [`key_columns`], oldest first.
fn keys_by_age(rows: &[Row]) -> Result<Vec<KeyRecord>, StoreError> {
    let mut keys = rows.iter().map(Row::key).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(keys)
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

    async fn create_key(
        &self,
        new: NewKey,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        new.check()?;
        let (id, key) = (KeyId::random()?, ApiKey::random(new.sandbox)?);
        let hash = key.hash();
        let insert = insert_key(INSERT_KEY, &id, &new, &key, &hash, now);
        match self.administer(&[insert]).await {
            Err(Failure::Duplicate) => Err(StoreError::NameTaken(new.name)),
            rows => Ok((only(rows?)?.key()?, key)),
        }
    }

    async fn find_key(&self, hash: &KeyHash) -> Result<Option<KeyRecord>, StoreError> {
        for row in self.read(statement!(FIND_KEY, hash)).await? {
            if hash.is(row.bytes(HASH_COLUMN)?) {
                return Ok(Some(row.key()?));
            }
        }
        Ok(None)
    }

    async fn list_keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = self.read(statement!(LIST_KEYS)).await?;
        rows.iter().map(Row::key).collect()
    }

    async fn revoke_key(
        &self,
        which: &KeySelector,
        now: Timestamp,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let revoke = match which {
            KeySelector::Id(id) => statement!(REVOKE_KEY_BY_ID, id, now),
            KeySelector::Name(name) => statement!(REVOKE_KEYS_BY_NAME, name.as_str(), now),
        };
        let rows = self.administer(&[revoke]).await?;
        if rows.is_empty() {
            return Err(StoreError::KeyNotFound(which.to_string()));
        }
        keys_by_age(&rows)
    }

    async fn rotate_key(
        &self,
        which: &KeySelector,
        grace: Option<Duration>,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        let find = match which {
            KeySelector::Id(id) => statement!(KEY_BY_ID, id),
            KeySelector::Name(name) => statement!(CURRENT_KEY_BY_NAME, name.as_str()),
        };
        let not_found = || StoreError::KeyNotFound(which.to_string());
        let old = match self.read(find).await?.first() {
            Some(row) => row.key()?,
            None => return Err(not_found()),
        };
        if !old.is_live(now) {
            return Err(not_found());
        }
        if old.successor.is_some() {
            return Err(StoreError::AlreadyRotated(which.to_string()));
        }
        let lifetime = |end: Timestamp| end.as_millis().saturating_sub(old.created_at.as_millis());
        let new = NewKey {
            name: old.name,
            expires_at: old
                .expires_at
                .map(|end| Timestamp::from_millis(now.as_millis().saturating_add(lifetime(end)))),
            require_session: old.require_session,
            rate: old.rate,
            replay: old.replay,
            thresholds: old.thresholds,
            sandbox: old.sandbox,
        };
        let (id, key) = (KeyId::random()?, ApiKey::random(new.sandbox)?);
        let hash = key.hash();
        let rows = self
            .administer(&[
                statement!(RETIRE_KEY, &old.id, &id, grace.map(|grace| now.plus(grace))),
                insert_key(INSERT_SUCCESSOR, &id, &new, &key, &hash, now),
            ])
            .await?;
        match rows.first() {
            Some(row) => Ok((row.key()?, key)),
            // Rotated or revoked since it was read.
            None => Err(StoreError::AlreadyRotated(which.to_string())),
        }
    }

    async fn change_key(
        &self,
        which: &KeySelector,
        change: &KeyChange,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let (id, name) = match which {
            KeySelector::Id(id) => (Some(id.as_str()), None),
            KeySelector::Name(name) => (None, Some(name.as_str())),
        };
        let rate = change.rate.flatten();
        let statement = statement!(
            CHANGE_KEY,
            change.expires_at.is_some(),
            change.expires_at.flatten(),
            change.require_session.map(i64::from),
            change.rate.is_some(),
            rate.map(|rate| i64::from(rate.per_kilosecond())),
            rate.map(|rate| i64::from(rate.burst())),
            change.replay.is_some(),
            change.replay.flatten().map(ReplayPolicy::as_str),
            change.preset.is_some(),
            change.preset.as_ref().and_then(Option::as_deref),
            change.liveness.is_some(),
            change.liveness.flatten(),
            change.face.is_some(),
            change.face.flatten(),
            change.mask.is_some(),
            change.mask.flatten(),
            change.review.is_some(),
            change.review.flatten(),
            id,
            name,
        );
        let rows = self.administer(&[statement]).await?;
        if rows.is_empty() {
            return Err(StoreError::KeyNotFound(which.to_string()));
        }
        keys_by_age(&rows)
    }

    async fn prune_keys(&self, before: Timestamp) -> Result<Vec<KeyRecord>, StoreError> {
        // First in small steps, so that nobody waits for a key's million sessions.
        for batch in PRUNE_BATCHES {
            while self.purge(batch, before).await? >= u64::from(PURGE_BATCH) {}
        }
        let statements = PRUNE_KEYS.map(|sql| statement!(sql, before));
        keys_by_age(&self.administer(&statements).await?)
    }

    async fn export_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = self.read(statement!(EXPORT_KEYS)).await?;
        rows.iter().map(Row::stored_key).collect()
    }

    async fn import_keys(&self, keys: &[StoredKey]) -> Result<(), StoreError> {
        for key in keys {
            check_name(&key.record.name)?;
        }
        let statements: Vec<_> = keys.iter().map(import_key).collect();
        match self.administer(&statements).await {
            Err(Failure::Duplicate) => Err(StoreError::ImportClash),
            imported => imported.map(drop).map_err(StoreError::from),
        }
    }

    async fn touch_key(&self, key: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        let minute = i64::try_from(TOUCH_EVERY.as_millis()).unwrap_or(i64::MAX);
        self.write(statement!(TOUCH_KEY, key, now, minute)).await?;
        Ok(())
    }

    async fn create_session(
        &self,
        key: &KeyId,
        uses: u32,
        expires_at: Timestamp,
    ) -> Result<SessionToken, StoreError> {
        let token = SessionToken::random()?;
        let hash = token.hash();
        let insert = statement!(INSERT_SESSION, &hash, key, i64::from(uses), expires_at);
        match self.write(insert).await {
            Err(Failure::Dangling) => Err(StoreError::KeyNotFound(key.to_string())),
            Err(failure) => Err(failure.into()),
            Ok(_) => Ok(token),
        }
    }

    async fn peek_session(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        let rows = self.read(statement!(PEEK_SESSION, token, key, now)).await?;
        Ok(match rows.first().map(|row| row.count(0)).transpose()? {
            None => SessionState::NotFound,
            Some(0) => SessionState::Exhausted,
            Some(remaining) => SessionState::Ready { remaining },
        })
    }

    async fn take_use(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        let rows = self.write(statement!(TAKE_USE, token, key, now)).await?;
        if let Some(row) = rows.first() {
            let remaining = row.count(0)?;
            return Ok(SessionState::Ready { remaining });
        }
        Ok(match self.peek_session(token, key, now).await? {
            SessionState::NotFound => SessionState::NotFound,
            // Also if a use came back in between: this call didn't get one.
            SessionState::Exhausted | SessionState::Ready { .. } => SessionState::Exhausted,
        })
    }

    async fn return_use(&self, token: &TokenHash, key: &KeyId) -> Result<(), StoreError> {
        self.write(statement!(RETURN_USE, token, key)).await?;
        Ok(())
    }

    async fn take_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        let tolerance = i64::try_from(CLOCK_TOLERANCE.as_micros()).unwrap_or(i64::MAX);
        let take = statement!(
            TAKE_RATE,
            key,
            micros(now),
            rate.interval(),
            rate.window(),
            tolerance
        );
        if let Some(row) = self.write(take).await?.first() {
            return Ok(rate.allowed(row.int(0)?, now));
        }
        let rows = self.read(statement!(PEEK_RATE, key)).await?;
        Ok(rate.refused(only(rows)?.int(0)?, now))
    }

    async fn count_sessions(
        &self,
        key: &KeyId,
        now: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        let count = statement!(COUNT_SESSIONS, key, now, i64::from(most));
        only(self.read(count).await?)?.count(0)
    }

    async fn take_session_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        // No key has such an id.
        let id = KeyId::from_stored(format!("{key}/sessions"));
        self.take_rate(&id, rate, now).await
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let ended = now.minus(KEEP_ENDED_SESSIONS);
        self.purge(B::PURGE_SESSIONS, ended).await
    }

    async fn remember_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<ImageState, StoreError> {
        let remember = statement!(REMEMBER_IMAGE, key, image, now, until);
        match self.write(remember).await {
            Err(Failure::Dangling) => Err(StoreError::KeyNotFound(key.to_string())),
            rows => Ok(if rows?.is_empty() {
                ImageState::Seen
            } else {
                ImageState::New
            }),
        }
    }

    async fn renew_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(statement!(RENEW_IMAGE, key, image, until))
            .await?;
        Ok(())
    }

    async fn forget_image(
        &self,
        key: &KeyId,
        image: &ImageMac,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(statement!(FORGET_IMAGE, key, image, until))
            .await?;
        Ok(())
    }

    async fn purge_images(&self, now: Timestamp) -> Result<u64, StoreError> {
        let ended = now.minus(KEEP_ENDED_IMAGES);
        self.purge(B::PURGE_IMAGES, ended).await
    }

    async fn image_key(&self) -> Result<ImageKey, StoreError> {
        let fresh: [u8; IMAGE_KEY_BYTES] = crate::secret::random_bytes()?;
        self.write(statement!(MAKE_SECRET, IMAGE_KEY, &fresh[..]))
            .await?;
        let row = only(self.read(statement!(FIND_SECRET, IMAGE_KEY)).await?)?;
        let bytes = row.bytes(0)?.try_into();
        Ok(ImageKey::new(bytes.map_err(|_| unexpected_column(0))?))
    }
}

fn only(rows: Vec<Row>) -> Result<Row, StoreError> {
    rows.into_iter()
        .next()
        .ok_or_else(|| StoreError::Failed("a response that can't be empty was".to_owned()))
}
