//! Keys on their way from one database to another, a line of JSON each.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::ArgMatches;
use livecheck_store::{
    KeyHash, KeyId, KeyRecord, KeyThresholds, Rate, ReplayPolicy, Store, StoredKey, Threshold,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::stdout;

/// A key on its way from one database to another.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedKey {
    id: String,
    name: String,
    key: String,
    sha256: String,
    created_ms: i64,
    last_used_ms: Option<i64>,
    expires_ms: Option<i64>,
    revoked_ms: Option<i64>,
    successor: Option<String>,
    require_session: bool,
    rate_per_second: Option<f64>,
    rate_burst: Option<u32>,
    replay: Option<String>,
    sandbox: bool,
    preset: Option<String>,
    liveness_threshold: Option<f32>,
    face_threshold: Option<f32>,
    mask_threshold: Option<f32>,
    review_threshold: Option<f32>,
}

impl From<&StoredKey> for ExportedKey {
    fn from(key: &StoredKey) -> Self {
        let StoredKey { record, hash } = key;
        let own = |threshold: Option<Threshold>| threshold.map(Threshold::value);
        let KeyThresholds {
            preset,
            liveness,
            face,
            mask,
            review,
        } = record.thresholds.clone();
        Self {
            id: record.id.to_string(),
            name: record.name.clone(),
            key: record.shown.clone(),
            sha256: hash.to_hex(),
            created_ms: record.created_at.as_millis(),
            last_used_ms: record.last_used_at.map(Timestamp::as_millis),
            expires_ms: record.expires_at.map(Timestamp::as_millis),
            revoked_ms: record.revoked_at.map(Timestamp::as_millis),
            successor: record.successor.as_ref().map(ToString::to_string),
            require_session: record.require_session,
            rate_per_second: record.rate.map(Rate::per_second),
            rate_burst: record.rate.map(Rate::burst),
            replay: record.replay.map(|policy| policy.as_str().to_owned()),
            sandbox: record.sandbox,
            preset,
            liveness_threshold: own(liveness),
            face_threshold: own(face),
            mask_threshold: own(mask),
            review_threshold: own(review),
        }
    }
}

impl ExportedKey {
    fn into_stored(self) -> Result<StoredKey> {
        let id =
            |text: &str| KeyId::parse(text).with_context(|| format!("{text:?} is not a key id"));
        let own = |value: Option<f32>| value.map(Threshold::new).transpose();
        let rate = match (self.rate_per_second, self.rate_burst) {
            (Some(per_second), Some(burst)) => Some(Rate::new(per_second, burst)?),
            _ => None,
        };
        let replay = |name: &String| {
            let policy = ReplayPolicy::named(name);
            policy.with_context(|| format!("{name:?} is not a replay policy"))
        };
        Ok(StoredKey {
            record: KeyRecord {
                id: id(&self.id)?,
                name: self.name,
                shown: self.key,
                created_at: Timestamp::from_millis(self.created_ms),
                last_used_at: self.last_used_ms.map(Timestamp::from_millis),
                expires_at: self.expires_ms.map(Timestamp::from_millis),
                revoked_at: self.revoked_ms.map(Timestamp::from_millis),
                successor: self.successor.as_deref().map(id).transpose()?,
                require_session: self.require_session,
                rate,
                replay: self.replay.as_ref().map(replay).transpose()?,
                thresholds: KeyThresholds {
                    preset: self.preset,
                    liveness: own(self.liveness_threshold)?,
                    face: own(self.face_threshold)?,
                    mask: own(self.mask_threshold)?,
                    review: own(self.review_threshold)?,
                },
                sandbox: self.sandbox,
            },
            hash: KeyHash::from_hex(&self.sha256).context("sha256 is not 64 hexadecimal digits")?,
        })
    }
}

pub(super) async fn export(store: &Arc<dyn Store>) -> Result<()> {
    let keys = store.export_keys().await?;
    for key in &keys {
        let line = serde_json::to_string(&ExportedKey::from(key))?;
        stdout::write(format!("{line}\n"))?;
    }
    eprintln!("keys exported: {}", keys.len());
    Ok(())
}

pub(super) async fn import(store: &Arc<dyn Store>, matches: &ArgMatches) -> Result<()> {
    let path = matches.get_one::<PathBuf>("file").context("a default")?;
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    }
    .with_context(|| format!("{} cannot be read", path.display()))?;
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let key = serde_json::from_str(line)
            .map_err(anyhow::Error::from)
            .and_then(ExportedKey::into_stored)
            .with_context(|| format!("line {} is not an exported key", number + 1))?;
        keys.push(key);
    }
    let before = store.list_keys().await?.len();
    store.import_keys(&keys).await?;
    let imported = store.list_keys().await?.len() - before;
    eprintln!(
        "keys imported: {imported}; already there: {}",
        keys.len().saturating_sub(imported)
    );
    Ok(())
}
