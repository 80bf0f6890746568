//! Bytes of a JPEG, PNG or WebP file → upright 8-bit RGB pixels, within limits. Of a large JPEG, a
//! smaller image or a part of it.
//!
//! [`decode`](decode()) reads any file at its full size; [`ScaledJpeg`] reads a JPEG once and renders it at several
//! sizes; [`content`] finds the bars and frames at the edges of what was decoded.
//!
//! Every byte is hostile: the format is detected from magic numbers, size and pixel count are
//! checked before pixels are decoded, and a decoder's error or panic becomes a [`DecodeError`].
#![forbid(unsafe_code)]

mod borders;
mod content_box;
mod decode;
mod decoded;
mod error;
mod exif;
mod format;
mod jpeg;
mod limits;
mod orientation;
mod png;
mod scaled;
mod webp;

pub use borders::content;
pub use content_box::ContentBox;
pub use decode::decode;
pub use decoded::DecodedImage;
pub use error::{DecodeError, LimitExceeded};
pub use limits::FileLimits;
pub use scaled::ScaledJpeg;
