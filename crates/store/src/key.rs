//! What is known of an API key.

use std::fmt;

use crate::{Rate, ReplayPolicy, StoreError, Timestamp};

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
        if KeyId::has_form(text) {
            Self::Id(KeyId(text.to_owned()))
        } else {
            Self::Name(text.to_owned())
        }
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

/// A key to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// Whose key it is: 1 to 64 letters, digits, spaces or `._@-`; no other
    /// key that is neither revoked nor rotated may have it.
    pub name: String,
    /// First moment at which the key no longer works; `None`: it works until revoked.
    pub expires_at: Option<Timestamp>,
    /// Whether liveness checks with this key need a session token.
    pub require_session: bool,
    /// The key's own rate limit; `None`: the server's default counts.
    pub rate: Option<Rate>,
    /// What happens to images that come again; `None`: the server's default counts.
    pub replay: Option<ReplayPolicy>,
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
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let usable = |c: char| c.is_alphanumeric() || " ._@-".contains(c);
        let fits = (1..=MAX_NAME_LEN).contains(&self.name.len())
            && self.name.trim() == self.name
            && self.name.chars().all(usable)
            && !KeyId::has_form(&self.name);
        if fits {
            Ok(())
        } else {
            Err(StoreError::BadName(self.name.chars().take(80).collect()))
        }
    }
}

/// A key as the store knows it: everything but the key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRecord {
    /// The key's id.
    pub id: KeyId,
    /// Whose key it is.
    pub name: String,
    /// First 8 characters of the key, to tell keys apart.
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
}

impl KeyRecord {
    /// Whether the key opens the door at `now`: not revoked, and `now` before its expiry.
    ///
    /// A revocation counts at once, whatever the clock says: clocks step back, revocations don't.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
