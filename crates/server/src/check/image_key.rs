//! The secret that images are hashed with: the one of the settings, else one that the nodes share
//! through their database. Asked for only when a feature needs it.

use livecheck_store::{IMAGE_KEY_BYTES, ImageKey, Store, StoreError};
use tokio::sync::OnceCell;

use crate::config::AccessConfig;
use crate::startup::ServerError;

pub(crate) struct SharedImageKey(OnceCell<ImageKey>);

impl SharedImageKey {
    /// # Errors
    /// A file that cannot be read or holds no key.
    pub(crate) fn new(access: &AccessConfig) -> Result<Self, ServerError> {
        Ok(Self(OnceCell::new_with(configured(access)?)))
    }

    /// # Errors
    /// The store is away, and has not been asked before.
    pub(crate) async fn get(&self, store: &dyn Store) -> Result<&ImageKey, StoreError> {
        self.0
            .get_or_try_init(|| async {
                let key = store.image_key().await?;
                tracing::info!(
                    fingerprint = key.fingerprint(),
                    "images are hashed with the database's key"
                );
                Ok(key)
            })
            .await
    }
}

/// The key of the settings; `None`: the database's counts.
///
/// # Errors
/// [`ServerError::ImageKey`]: the file cannot be read or holds no key.
pub fn configured(access: &AccessConfig) -> Result<Option<ImageKey>, ServerError> {
    if let Some(key) = &access.image_key {
        return Ok(Some(ImageKey::new(*key.reveal())));
    }
    let Some(path) = &access.image_key_file else {
        return Ok(None);
    };
    let wrong = |reason: String| ServerError::ImageKey(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let text = zeroize::Zeroizing::new(text);
    let key = crate::config::HexKey::from_hex(text.trim());
    // The text is a secret, perhaps a mistyped one: not repeated.
    let key = key.ok_or_else(|| {
        wrong(format!(
            "it must contain {} hexadecimal digits and nothing else",
            2 * IMAGE_KEY_BYTES
        ))
    })?;
    Ok(Some(ImageKey::new(*key.reveal())))
}
