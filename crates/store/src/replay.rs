//! Images that were judged, known again by a keyed hash (HMAC-SHA256): whoever has the database but
//! not the key can't tell which image a hash stands for.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

/// Bytes of an [`ImageKey`]: as many as the hash has.
pub const IMAGE_KEY_BYTES: usize = 32;
/// Bytes of the hash that name an [`ImageKey`].
const FINGERPRINT_BYTES: usize = 4;

/// What happens to an image whose very bytes were judged before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub enum ReplayPolicy {
    /// Nothing: images aren't remembered.
    #[default]
    Off,
    /// It is judged again; the details say so.
    Flag,
    /// It is refused.
    Refuse,
}

impl ReplayPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Off, Self::Flag, Self::Refuse];

    /// `off`, `flag` or `refuse`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Flag => "flag",
            Self::Refuse => "refuse",
        }
    }

    /// The policy of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

/// The secret that images are hashed with; the same on every node.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageKey([u8; IMAGE_KEY_BYTES]);

impl Drop for ImageKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ImageKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; IMAGE_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The hash of an image file.
    #[must_use]
    pub fn mac(&self, file: &[u8]) -> ImageMac {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(file);
        ImageMac(mac.finalize().into_bytes().into())
    }

    /// Another key that comes of this one, for something else than images.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        Self(self.mac(format!("livecheck {purpose}").as_bytes()).0)
    }

    /// Eight hexadecimal digits that tell keys apart and say nothing else about them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"livecheck image key ");
        hash.update(self.0);
        hex::encode(&hash.finalize()[..FINGERPRINT_BYTES])
    }
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// HMAC-SHA256 of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageMac([u8; 32]);

impl ImageMac {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ImageMac {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Whether an image was judged before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// It wasn't, as far as is remembered. It is remembered now.
    New,
    /// It was.
    Seen,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 1 with its key padded to the block by zeros, which HMAC does itself.
    #[test]
    fn the_hash_is_hmac_sha256() {
        let mut key = [0; IMAGE_KEY_BYTES];
        key[..20].fill(0x0b);
        assert_eq!(
            ImageKey::new(key).mac(b"Hi There").to_string(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn a_key_shows_its_fingerprint_alone() {
        let key = ImageKey::new([7; IMAGE_KEY_BYTES]);
        assert_eq!(format!("{key:?}"), "[redacted]");
        assert_eq!(key.fingerprint().len(), 2 * FINGERPRINT_BYTES);
        assert_ne!(
            key.fingerprint(),
            ImageKey::new([8; IMAGE_KEY_BYTES]).fingerprint()
        );
    }

    #[test]
    fn policies_have_names() {
        for policy in ReplayPolicy::ALL {
            assert_eq!(ReplayPolicy::named(policy.as_str()), Some(policy));
        }
        assert_eq!(ReplayPolicy::named("Refuse"), None);
    }
}
