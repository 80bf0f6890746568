//! A narrow door for the fuzz targets to code that is private otherwise. Not part of the API.

use crate::{Limits, Photo, decode};

/// What the reader of large JPEGs makes of a file, however small: its pictures at 1/2, 1/4 and 1/8.
/// A panic passes through, which [`crate::Engine::decode`] would catch.
#[must_use]
pub fn large_jpeg(file: &[u8], limits: &Limits) -> Option<[Photo; 3]> {
    decode::reduced_of_any_size(file, limits)
}
