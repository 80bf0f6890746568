//! What a key is to operators, in words and as JSON: shared by `livecheck keys` and the admin API.

use std::time::{Duration, SystemTime};

use livecheck_engine::{Preset, Thresholds};
use livecheck_store::{
    KeyChange, KeyId, KeyRecord, KeySelector, KeyThresholds, Rate, ReplayPolicy, Store, StoreError,
    Threshold, Timestamp,
};
use serde::Serialize;
use thiserror::Error;

/// The thresholds that photos of a key are judged with: its own, then its preset's, then the
/// server's. A preset says how strict liveness is; which photos can be judged at all stays as the
/// server has it.
#[must_use]
pub fn thresholds(server: &Thresholds, key: &KeyThresholds) -> Thresholds {
    // An unknown preset comes from a newer release: the server's threshold counts.
    let preset = key.preset.as_deref().and_then(Preset::from_name);
    let own = |threshold: Option<Threshold>| threshold.map(Threshold::value);
    Thresholds {
        face: own(key.face).unwrap_or(server.face),
        liveness: own(key.liveness)
            .or(preset.map(|preset| preset.thresholds().liveness))
            .unwrap_or(server.liveness),
        mask: own(key.mask).unwrap_or(server.mask),
        review: own(key.review).or(server.review),
    }
}

/// A key as `livecheck keys list --json` and the admin API show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyBody {
    /// Its id.
    pub id: String,
    /// Whose key it is.
    pub name: String,
    /// Its first characters.
    pub key: String,
    /// `live`, `rotated`, `expired` or `revoked`.
    pub state: &'static str,
    /// When it was made, RFC 3339 like the other times.
    pub created: String,
    /// When it was last used, to the minute.
    pub last_used: Option<String>,
    /// When it stops working.
    pub expires: Option<String>,
    /// Whether liveness checks with it need a session token.
    pub require_session: bool,
    /// Its own rate limit.
    pub rate: Option<String>,
    /// Its own policy for files that come again.
    pub replay: Option<&'static str>,
    /// Whether it is for integration tests.
    pub sandbox: bool,
    /// Its own preset.
    pub preset: Option<String>,
    /// Its own thresholds.
    pub liveness_threshold: Option<f32>,
    /// See [`KeyBody::liveness_threshold`].
    pub face_threshold: Option<f32>,
    /// See [`KeyBody::liveness_threshold`].
    pub mask_threshold: Option<f32>,
    /// See [`KeyBody::liveness_threshold`].
    pub review_threshold: Option<f32>,
}

impl KeyBody {
    /// The key as it stands at `now`.
    #[must_use]
    pub fn new(key: &KeyRecord, now: Timestamp) -> Self {
        let own = |threshold: Option<Threshold>| threshold.map(Threshold::value);
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            key: key.shown.clone(),
            state: state(key, now),
            created: show_time(key.created_at),
            last_used: key.last_used_at.map(show_time),
            expires: key.expires_at.map(show_time),
            require_session: key.require_session,
            rate: key.rate.map(show_rate),
            replay: key.replay.map(ReplayPolicy::as_str),
            sandbox: key.sandbox,
            preset: key.thresholds.preset.clone(),
            liveness_threshold: own(key.thresholds.liveness),
            face_threshold: own(key.thresholds.face),
            mask_threshold: own(key.thresholds.mask),
            review_threshold: own(key.thresholds.review),
        }
    }

    /// Its own preset and thresholds in one line; empty when it has none.
    #[must_use]
    pub fn thresholds(&self) -> String {
        let named = [
            ("liveness", self.liveness_threshold),
            ("face", self.face_threshold),
            ("mask", self.mask_threshold),
            ("review", self.review_threshold),
        ];
        let own = named
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {:.2}", value?)));
        let all: Vec<String> = self.preset.iter().cloned().chain(own).collect();
        all.join(", ")
    }
}

fn state(key: &KeyRecord, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if !key.is_live(now) {
        "expired"
    } else if key.successor.is_some() {
        "rotated"
    } else {
        "live"
    }
}

fn show_rate(rate: Rate) -> String {
    format!("{}/s, burst {}", rate.per_second(), rate.burst())
}

/// RFC 3339 in UTC, to the second.
#[must_use]
pub fn show_time(at: Timestamp) -> String {
    let since_epoch = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).map_or_else(
        || "-".to_owned(),
        |at| humantime::format_rfc3339_seconds(at).to_string(),
    )
}

/// The rate that `10/s`, `300/m` or `1000/h` means; without a burst that of one second.
///
/// # Errors
/// One sentence that says what is allowed.
pub fn parse_rate(text: &str, burst: Option<u32>) -> Result<Rate, String> {
    let parsed = text.split_once('/').and_then(|(count, unit)| {
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Some(count.parse::<f64>().ok()? / seconds)
    });
    let Some(per_second) = parsed else {
        return Err(format!(
            "{text:?} is not a rate; allowed is a number per second, minute or hour, such as 10/s, 300/m or 1000/h, from 0.001/s to 1000000/s"
        ));
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates; `Rate::new` checks the range"
    )]
    let one_second = per_second.ceil().max(1.0) as u32;
    Rate::new(per_second, burst.unwrap_or(one_second)).map_err(|error| error.to_string())
}

/// That a key's review threshold lies below its liveness threshold, as far as both are its own.
///
/// # Errors
/// One sentence with both.
pub fn check_band(key: &KeyThresholds) -> Result<(), String> {
    let preset = key.preset.as_deref().and_then(Preset::from_name);
    let liveness = key
        .liveness
        .map(Threshold::value)
        .or(preset.map(|preset| preset.thresholds().liveness));
    match (key.review.map(Threshold::value), liveness) {
        (Some(review), Some(liveness)) if review >= liveness => Err(format!(
            "the key's review threshold is {review}; it must be below its liveness threshold, which is {liveness}"
        )),
        _ => Ok(()),
    }
}

/// [`check_band`] on the keys that a change is for, as they will be.
///
/// # Errors
/// As there, and what the store says.
pub async fn check_change(
    store: &dyn Store,
    which: &KeySelector,
    change: &KeyChange,
) -> Result<(), ChangeError> {
    let meant = |key: &KeyRecord| {
        key.revoked_at.is_none()
            && match which {
                KeySelector::Id(id) => key.id == *id,
                KeySelector::Name(name) => key.name == *name,
            }
    };
    for key in store.list_keys().await?.iter().filter(|key| meant(key)) {
        let own = &key.thresholds;
        check_band(&KeyThresholds {
            preset: change.preset.clone().unwrap_or(own.preset.clone()),
            liveness: change.liveness.unwrap_or(own.liveness),
            face: change.face.unwrap_or(own.face),
            mask: change.mask.unwrap_or(own.mask),
            review: change.review.unwrap_or(own.review),
        })
        .map_err(ChangeError::Band)?;
    }
    Ok(())
}

/// Why a key cannot be changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Its thresholds would not go together.
    #[error("{0}")]
    Band(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key of a request, for the log and the metrics.
#[derive(Debug, Clone)]
pub(crate) struct RequestKey {
    pub(crate) id: KeyId,
    pub(crate) name: String,
    pub(crate) sandbox: bool,
}

impl From<&KeyRecord> for RequestKey {
    fn from(key: &KeyRecord) -> Self {
        Self {
            id: key.id.clone(),
            name: key.name.clone(),
            sandbox: key.sandbox,
        }
    }
}
