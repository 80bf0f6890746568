//! Why a body gives no image file.

use thiserror::Error;

/// Why a body gives no image file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UploadError {
    /// `003`: the image file is longer than the limit.
    #[error("the image file has more than the {limit} bytes that are allowed")]
    FileTooLarge {
        /// Maximum size of an image file in bytes.
        limit: usize,
    },
    /// `003`: the body is longer than any body with an allowed image.
    #[error(
        "the request body has more than {limit} bytes, more than any image of allowed size needs: send a smaller image"
    )]
    BodyTooLarge {
        /// Most bytes of a body.
        limit: usize,
    },
    /// `004`, HTTP 415: none of the three forms.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// `004`: the body breaks the rules of its form, or holds no or more than one image.
    #[error("{0}")]
    Malformed(String),
    /// `002`: `image_bytes` is not base64.
    #[error("{0}")]
    NotBase64(String),
}

impl UploadError {
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed(detail.into())
    }
}
