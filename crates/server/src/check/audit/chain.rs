//! The chain that ties each line of the audit log to the one before: whoever lacks the secret cannot
//! change, remove, move or put in a line without breaking it.

use livecheck_store::ImageKey;

/// What stands between a line's fields and its chain value.
pub(super) const FIELD: &str = ",\"chain\":\"";

/// Keeps chain values and names of photos apart, which come from one secret.
const PURPOSE: &str = "audit chain";

/// The end of a log: what its next line is tied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    /// The line's chain value: fingerprint of the secret, colon, HMAC-SHA256.
    pub(super) chain: String,
}

/// Makes chain values.
pub(super) struct Chain {
    key: ImageKey,
    pub(super) fingerprint: String,
}

impl Chain {
    pub(super) fn new(secret: &ImageKey) -> Self {
        Self {
            key: secret.derive(PURPOSE),
            fingerprint: secret.fingerprint(),
        }
    }

    /// The value of a line: `covered` is its text up to [`FIELD`].
    pub(super) fn value(&self, previous: &str, covered: &str) -> String {
        let mac = self.key.mac(format!("{previous}\n{covered}").as_bytes());
        format!("{}:{mac}", self.fingerprint)
    }
}
