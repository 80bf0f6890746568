//! How large a file may be.

use crate::error::{DecodeError, LimitExceeded};

/// How large an image file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// Most bytes of the file.
    pub max_bytes: usize,
    /// Most pixels, read from the header before anything is decoded.
    pub max_pixels: u64,
}

impl Default for FileLimits {
    /// 10 MiB and 64 million pixels.
    fn default() -> Self {
        Self {
            max_bytes: 10 * 1024 * 1024,
            max_pixels: 64_000_000,
        }
    }
}

impl FileLimits {
    /// Whether a file may have so many bytes.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`].
    pub fn check_bytes(&self, bytes: usize) -> Result<(), DecodeError> {
        if bytes > self.max_bytes {
            return Err(DecodeError::TooLarge(LimitExceeded::FileBytes {
                actual: Some(bytes),
                limit: self.max_bytes,
            }));
        }
        Ok(())
    }

    /// Whether an image may have so many pixels, as its header announces.
    pub(crate) fn check_pixels(&self, width: u32, height: u32) -> Result<(), DecodeError> {
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(DecodeError::TooLarge(LimitExceeded::Pixels {
                width,
                height,
                limit: self.max_pixels,
            }));
        }
        Ok(())
    }
}
