//! A narrow door for the fuzz targets to code that is private otherwise. Not part of the API.

use crate::{ContentBox, Limits, Photo, Rejection, borders, decode};

/// The pictures of a JPEG, however small, at 1, 1/2, 1/4 and 1/8 of its size. A panic passes through,
/// which [`crate::Engine::decode`] would catch.
#[must_use]
pub fn reduced_jpeg(file: &[u8], limits: &Limits) -> Option<[Photo; 4]> {
    decode::reduced_of_any_size(file, limits)
}

/// The photo of these pixels, whose number must fit.
#[must_use]
pub fn photo(width: u32, height: u32, rgb: Vec<u8>) -> Photo {
    Photo::new(width, height, rgb, "png")
}

/// What is left of a photo without bars and fills, in its pixels.
#[must_use]
pub fn content(photo: &Photo) -> ContentBox {
    borders::content(photo)
}

/// The upright pixels of an image file, without a look at what they show.
///
/// # Errors
/// As [`crate::Engine::decode`].
pub fn decode(file: &[u8], limits: &Limits) -> Result<Photo, Rejection> {
    decode::decode(file, limits)
}
