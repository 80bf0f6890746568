//! API keys.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    Failure, PURGE_BATCH, SqlStore,
    backend::Backend,
    query::{Row, Statement, Value, only, statement, unexpected_column},
};
use crate::{
    clock::Timestamp,
    error::StoreError,
    key::{
        KeyChange, KeyId, KeyRecord, KeySelector, KeyThresholds, NewKey, StoredKey, Threshold,
        check_name,
    },
    rate::Rate,
    replay::ReplayPolicy,
    secret::{ApiKey, KeyHash},
    store::KeyStore,
};

/// How exactly the last use of a key is kept.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

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

/// A statement that adds a row with the values of [`insert_key`]: what stands before and after them.
macro_rules! insert_key_sql {
    ($before:literal, $after:expr) => {
        concat!(
            key_columns!("INSERT INTO livecheck_key ("..", hash) "),
            $before,
            " $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19 ",
            $after
        )
    };
}

const INSERT_KEY: &str = insert_key_sql!("VALUES (", key_columns!(") RETURNING"..));

const FIND_KEY: &str = key_columns!("SELECT"..", hash FROM livecheck_key WHERE hash = $1");

const EXPORT_KEYS: &str =
    key_columns!("SELECT"..", hash FROM livecheck_key ORDER BY created_at, id");

/// Keys that are here already, by their ids, stay as they are.
const IMPORT_KEY: &str = insert_key_sql!("VALUES (", ") ON CONFLICT (id) DO NOTHING");

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
const INSERT_SUCCESSOR: &str = insert_key_sql!(
    "SELECT",
    key_columns!("WHERE EXISTS (SELECT 1 FROM livecheck_key WHERE successor = $1) RETURNING"..)
);

/// $2 now, $3 a minute. Also when the last use lies in the future: the clock was set back.
const TOUCH_KEY: &str = "UPDATE livecheck_key SET last_used_at = $2 WHERE id = $1 \
     AND (last_used_at IS NULL OR last_used_at <= $2 - $3 OR last_used_at > $2 + $3)";

/// The values of a row: the columns of [`key_columns`] and the hash.
fn insert_key<'v>(sql: &'static str, key: &'v KeyRecord, hash: &'v KeyHash) -> Statement<'v> {
    statement!(
        sql,
        &key.id,
        key.name.as_str(),
        key.shown.as_str(),
        key.created_at,
        key.last_used_at,
        key.expires_at,
        key.revoked_at,
        key.successor.as_ref().map(KeyId::as_str),
        key.require_session,
        key.rate.map(|rate| i64::from(rate.per_kilosecond())),
        key.rate.map(|rate| i64::from(rate.burst())),
        key.replay.map(ReplayPolicy::as_str),
        key.thresholds.preset.as_deref(),
        key.thresholds.liveness,
        key.thresholds.face,
        key.thresholds.mask,
        key.thresholds.review,
        key.sandbox,
        hash,
    )
}

/// Rows of [`key_columns`], oldest first.
fn keys_by_age(rows: &[Row]) -> Result<Vec<KeyRecord>, StoreError> {
    let mut keys = rows.iter().map(Row::key).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(keys)
}

impl Row {
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

#[async_trait]
impl<B: Backend> KeyStore for SqlStore<B> {
    async fn create_key(
        &self,
        new: NewKey,
        now: Timestamp,
    ) -> Result<(KeyRecord, ApiKey), StoreError> {
        new.check()?;
        let key = ApiKey::random(new.sandbox)?;
        let record = KeyRecord {
            id: KeyId::random()?,
            name: new.name,
            shown: key.shown().to_owned(),
            created_at: now,
            last_used_at: None,
            expires_at: new.expires_at,
            revoked_at: None,
            successor: None,
            require_session: new.require_session,
            rate: new.rate,
            replay: new.replay,
            thresholds: new.thresholds,
            sandbox: new.sandbox,
        };
        let hash = key.hash();
        let insert = insert_key(INSERT_KEY, &record, &hash);
        match self.administer(&[insert]).await {
            Err(Failure::Duplicate) => Err(StoreError::NameTaken(record.name)),
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
        let key = ApiKey::random(old.sandbox)?;
        let new = KeyRecord {
            id: KeyId::random()?,
            shown: key.shown().to_owned(),
            created_at: now,
            last_used_at: None,
            expires_at: old
                .expires_at
                .map(|end| Timestamp::from_millis(now.as_millis().saturating_add(lifetime(end)))),
            ..old.clone()
        };
        let (hash, end) = (key.hash(), grace.map(|grace| now.plus(grace)));
        let rows = self
            .administer(&[
                statement!(RETIRE_KEY, &old.id, &new.id, end),
                insert_key(INSERT_SUCCESSOR, &new, &hash),
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
        let statements: Vec<_> = keys
            .iter()
            .map(|key| insert_key(IMPORT_KEY, &key.record, &key.hash))
            .collect();
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
}
