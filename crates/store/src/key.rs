//! What is known of an API key.

use std::fmt;

use crate::{KeyHash, Rate, ReplayPolicy, StoreError, Timestamp};

/// Longest name a key can have, in bytes.
const MAX_NAME_LEN: usize = 64;
/// A key's id is this letter and 16 hexadecimal digits.
const ID_LETTER: char = 'k';
const ID_DIGITS: usize = 16;

/// A key's id: no secret, safe in logs and in metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    pub(crate) fn random() -> Result<Self, StoreError> {
        let number = u64::from_be_bytes(crate::secret::random_bytes()?);
        Ok(Self(format!("{ID_LETTER}{number:016x}")))
    }

    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The id that a text spells; `None` when it spells none.
    pub fn parse(text: &str) -> Option<Self> {
        Self::has_form(text).then(|| Self(text.to_owned()))
    }

    /// The id as text: `k` and 16 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn has_form(text: &str) -> bool {
        text.strip_prefix(ID_LETTER).is_some_and(|digits| {
            digits.len() == ID_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit())
        })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which key an operator means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySelector {
    /// Exactly this key.
    Id(KeyId),
    /// Keys of this name: the current one, and for revocation also its predecessors.
    Name(String),
}

impl From<&str> for KeySelector {
    /// What looks like an id is one; names can't look like ids.
    fn from(text: &str) -> Self {
        KeyId::parse(text).map_or_else(|| Self::Name(text.to_owned()), Self::Id)
    }
}

impl fmt::Display for KeySelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A threshold of a key's own: 0 to 1, kept to six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u32);

impl Threshold {
    const MILLION: f64 = 1e6;

    /// Errors: [`StoreError::BadThreshold`] outside 0 to 1.
    pub fn new(value: f32) -> Result<Self, StoreError> {
        if !(0.0..=1.0).contains(&value) {
            return Err(StoreError::BadThreshold(value.to_string()));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked above"
        )]
        let millionths = (f64::from(value) * Self::MILLION).round() as u32;
        Ok(Self(millionths))
    }

    /// 0 to 1.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to the nearest")]
    pub fn value(self) -> f32 {
        (f64::from(self.0) / Self::MILLION) as f32
    }

    pub(crate) fn to_stored(self) -> i64 {
        self.0.into()
    }

    pub(crate) fn from_stored(millionths: i64) -> Option<Self> {
        u32::try_from(millionths)
            .ok()
            .filter(|&millionths| f64::from(millionths) <= Self::MILLION)
            .map(Self)
    }
}

/// Where decisions flip for one key; `None`: as the server is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyThresholds {
    /// A named set of thresholds; those below win over it. The store knows no names of presets.
    pub preset: Option<String>,
    /// Score from which a face is live.
    pub liveness: Option<Threshold>,
    /// Score from which a candidate counts as a face.
    pub face: Option<Threshold>,
    /// Minimum score for a face to count as covered.
    pub mask: Option<Threshold>,
    /// Score from which a face that isn't live is for people to review.
    pub review: Option<Threshold>,
}

/// Changes to a key; `None` leaves as it is, `Some(None)` goes back to the server's setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyChange {
    /// See [`NewKey::expires_at`]. A rotated key keeps its end.
    pub expires_at: Option<Option<Timestamp>>,
    /// See [`NewKey::require_session`].
    pub require_session: Option<bool>,
    /// See [`NewKey::rate`].
    pub rate: Option<Option<Rate>>,
    /// See [`NewKey::replay`].
    pub replay: Option<Option<ReplayPolicy>>,
    /// See [`KeyThresholds::preset`].
    pub preset: Option<Option<String>>,
    /// See [`KeyThresholds::liveness`].
    pub liveness: Option<Option<Threshold>>,
    /// See [`KeyThresholds::face`].
    pub face: Option<Option<Threshold>>,
    /// See [`KeyThresholds::mask`].
    pub mask: Option<Option<Threshold>>,
    /// See [`KeyThresholds::review`].
    pub review: Option<Option<Threshold>>,
}

impl KeyChange {
    /// The thresholds of a key that is made with it.
    #[must_use]
    pub fn thresholds(&self) -> KeyThresholds {
        KeyThresholds {
            preset: self.preset.clone().flatten(),
            liveness: self.liveness.flatten(),
            face: self.face.flatten(),
            mask: self.mask.flatten(),
            review: self.review.flatten(),
        }
    }
}

/// A key to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// Whose key it is: 1 to 64 letters, digits, spaces or `._@-`; no other
    /// key that is neither revoked nor rotated may have it.
    pub name: String,
    /// First moment at which the key no longer works; `None`: it works until revoked.
    pub expires_at: Option<Timestamp>,
    /// Whether liveness checks with this key require a session token.
    pub require_session: bool,
    /// The key's own rate limit; `None`: the server's default counts.
    pub rate: Option<Rate>,
    /// What happens to images that come again; `None`: the server's default counts.
    pub replay: Option<ReplayPolicy>,
    /// Its own thresholds.
    pub thresholds: KeyThresholds,
    /// Whether it is for integration tests: it begins with `lck_test_` and judges no photo.
    pub sandbox: bool,
}

impl NewKey {
    /// A key that doesn't expire, needs no sessions and has the server's defaults.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            expires_at: None,
            require_session: false,
            rate: None,
            replay: None,
            thresholds: KeyThresholds::default(),
            sandbox: false,
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_name(&self.name)
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), StoreError> {
    let usable = |c: char| c.is_alphanumeric() || " ._@-".contains(c);
    let fits = (1..=MAX_NAME_LEN).contains(&name.len())
        && name.trim() == name
        && name.chars().all(usable)
        && !KeyId::has_form(name);
    if fits {
        Ok(())
    } else {
        Err(StoreError::BadName(name.chars().take(80).collect()))
    }
}

/// A key as the store knows it: everything but the key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRecord {
    /// The key's id.
    pub id: KeyId,
    /// Whose key it is.
    pub name: String,
    /// The first characters of the key, to tell keys apart: the prefix and 4 more.
    pub shown: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// First moment at which it no longer works.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that took its place in a rotation.
    pub successor: Option<KeyId>,
    /// Whether liveness checks with it need a session token.
    pub require_session: bool,
    /// Its own rate limit.
    pub rate: Option<Rate>,
    /// Its own policy for images that come again.
    pub replay: Option<ReplayPolicy>,
    /// Its own thresholds.
    pub thresholds: KeyThresholds,
    /// Whether it is for integration tests, and judges no photo.
    pub sandbox: bool,
}

/// A key with its hash, on its way from one store to another.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// What the store finds it by.
    pub hash: KeyHash,
}

impl KeyRecord {
    /// Whether the key opens the door at `now`: not revoked, and `now` before its expiry.
    ///
    /// A revocation counts at once, whatever the clock says: clocks step back, revocations don't.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
