//! API keys and session tokens: made here, shown once, kept only as SHA-256.
//!
//! In clear they are overwritten when they are dropped.
//!
//! The secrets are random (256 and 192 bits), so a plain hash is enough: there is nothing to guess.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize as _;

use crate::StoreError;

/// What every API key starts with, so that secret scanners can find a leaked one.
const KEY_PREFIX: &str = "lck_";
/// What a sandbox key starts with.
const SANDBOX_PREFIX: &str = "lck_test_";
/// Random bytes in a key: 256 bits.
const KEY_BYTES: usize = 32;
/// Characters that spell them.
const KEY_CHARS: usize = (KEY_BYTES * 8).div_ceil(6);
/// Random bytes in a session token: 192 bits, 32 characters.
const TOKEN_BYTES: usize = 24;
/// Characters after the prefix that are kept and shown, to tell keys apart: 24 bits.
const SHOWN_CHARS: usize = 4;

/// An API key in clear: `lck_`, or `lck_test_` for a sandbox key, and 43 characters of base64url.
///
/// Not printable by accident: `Debug` says `[redacted]`, there is no `Display`.
///
/// ```
/// use livecheck_store::ApiKey;
///
/// let text = format!("lck_{}", "A".repeat(43));
/// let key = ApiKey::parse(&text).expect("the form of a key");
/// assert!(key.shown().starts_with("lck_"));
/// assert!(ApiKey::parse("lck_too-short").is_none());
/// ```
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    pub(crate) fn random(sandbox: bool) -> Result<Self, StoreError> {
        let prefix = if sandbox { SANDBOX_PREFIX } else { KEY_PREFIX };
        Ok(Self(format!(
            "{prefix}{}",
            URL_SAFE_NO_PAD.encode(random_bytes::<KEY_BYTES>()?)
        )))
    }

    /// The key a client sent, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        [KEY_PREFIX, SANDBOX_PREFIX]
            .into_iter()
            .filter_map(|prefix| text.strip_prefix(prefix))
            .any(|body| has_form(body, KEY_BYTES))
            .then(|| Self(text.to_owned()))
    }

    /// Whether the text holds what every key starts with.
    pub fn is_part_of(text: &str) -> bool {
        text.contains(KEY_PREFIX)
    }

    /// The key in clear, for the one moment in which it is handed over.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the store knows of the key.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(&self.0).into())
    }

    /// The first characters, for people to tell keys apart.
    pub fn shown(&self) -> &str {
        let random = self.0.len() - KEY_CHARS;
        &self.0[..random + SHOWN_CHARS]
    }
}

impl Drop for ApiKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A session token in clear: 32 characters of base64url.
///
/// Not printable by accident: `Debug` says `[redacted]`, there is no `Display`.
#[derive(Clone)]
pub struct SessionToken(String);

impl SessionToken {
    pub(crate) fn random() -> Result<Self, StoreError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random_bytes::<TOKEN_BYTES>()?)))
    }

    /// The token a client sent, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        has_form(text, TOKEN_BYTES).then(|| Self(text.to_owned()))
    }

    /// The token in clear, for the one moment in which it is handed over.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the store knows of the token.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(&self.0).into())
    }
}

impl Drop for SessionToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// SHA-256 of an API key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// 64 hexadecimal digits, for moving keys between stores. They open no door.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// From [`KeyHash::to_hex`].
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok()?;
        Some(Self(hash))
    }

    /// Whether `stored` is this hash, in a time that doesn't tell where they differ.
    pub(crate) fn is(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// SHA-256 of a session token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash no token has (as far as anyone knows).
    pub(crate) const OF_NOTHING: Self = Self([0; 32]);

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        StoreError::Failed(format!("the system returned no random numbers: {error}"))
    })?;
    Ok(bytes)
}

/// Whether `text` is the one base64url spelling of `bytes` bytes.
fn has_form(text: &str, bytes: usize) -> bool {
    URL_SAFE_NO_PAD
        .decode(text)
        .is_ok_and(|decoded| decoded.len() == bytes)
}
