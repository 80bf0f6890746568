//! Why an image file is not read.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::ImageError;
use thiserror::Error;

/// Why an image file is not read. `Display` is one plain sentence, with the figures.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No image, one of another format, or a damaged one.
    #[error("{0}")]
    Unreadable(String),
    /// Too many bytes or pixels.
    #[error("{0}")]
    TooLarge(LimitExceeded),
}

impl DecodeError {
    pub(crate) fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable(reason.into())
    }

    #[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` wants")]
    pub(crate) fn damaged(error: ImageError) -> Self {
        Self::Unreadable(format!("the image is damaged: {error}"))
    }
}

/// What `read` returns; a panic of it becomes an error.
pub(crate) fn catch<T>(read: impl FnOnce() -> T) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| DecodeError::unreadable("the image is damaged: its decoder failed"))
}

/// Which size limit an image file broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// More bytes than allowed.
    FileBytes {
        /// Bytes of the file; `None` when reading stopped before its end was known.
        actual: Option<usize>,
        /// The limit in force.
        limit: usize,
    },
    /// More pixels than allowed.
    Pixels {
        /// Width that the header gives.
        width: u32,
        /// Height that the header gives.
        height: u32,
        /// The limit in force.
        limit: u64,
    },
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileBytes {
                actual: Some(actual),
                limit,
            } => write!(
                f,
                "the image file has {actual} bytes; at most {limit} are allowed"
            ),
            Self::FileBytes {
                actual: None,
                limit,
            } => write!(
                f,
                "the image file has more than the {limit} bytes that are allowed"
            ),
            Self::Pixels {
                width,
                height,
                limit,
            } => write!(
                f,
                "the image is {width}x{height} = {:.1} megapixels; at most {:.1} are allowed",
                megapixels(u64::from(*width) * u64::from(*height)),
                megapixels(*limit)
            ),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megapixels(pixels: u64) -> f64 {
    pixels as f64 / 1e6
}
