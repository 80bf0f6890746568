//! Images that were judged before, and the key that they are hashed with.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    Failure, SqlStore,
    backend::Backend,
    query::{Statement, Value, only, statement, unexpected_column},
};
use crate::{
    clock::Timestamp,
    error::StoreError,
    key::KeyId,
    replay::{IMAGE_KEY_BYTES, ImageKey, ImageMac, ImageState},
    store::ReplayStore,
};

/// How long an image is kept after its memory has ended, as sessions are.
const KEEP_ENDED_IMAGES: Duration = Duration::from_secs(24 * 60 * 60);

/// Under which name the key of images is kept.
const IMAGE_KEY: &str = "image-hmac";

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

#[async_trait]
impl<B: Backend> ReplayStore for SqlStore<B> {
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
