//! Image files and their pixels.

use livecheck_image::{DecodeError, DecodedImage, FileLimits, ScaledJpeg};

use crate::borders;

/// Small, so that an input costs milliseconds: what is checked does not depend on them.
pub(crate) const LIMITS: FileLimits = FileLimits {
    max_bytes: 256 * 1024,
    max_pixels: 200_000,
};

/// The upright pixels of a file within the limits.
pub(crate) fn pixels(file: &[u8]) -> Result<DecodedImage, DecodeError> {
    livecheck_image::decode(file, &LIMITS)
}

/// Any bytes are an image within the limits or refused with a sentence.
///
/// # Panics
/// When that is not so.
pub fn decode(input: &[u8]) {
    match pixels(input) {
        Ok(image) => check_image(&image),
        Err(error) => check_error(&error),
    }
}

/// Any bytes as a JPEG: nothing, or the same picture at four sizes.
///
/// # Panics
/// When that is not so.
pub fn large_jpeg(input: &[u8]) {
    let jpeg = match ScaledJpeg::read(input, &LIMITS, 0) {
        Ok(Some(jpeg)) => jpeg,
        Ok(None) => return,
        Err(error) => return check_error(&error),
    };
    let whole = jpeg.size(1, 0);
    for reduction in [1, 2, 4, 8] {
        let image = jpeg.render(reduction, 0).expect("pixels");
        assert_eq!(image.reduction, reduction);
        assert_eq!((image.full_width, image.full_height), whole);
        let sides = (whole.0.div_ceil(reduction), whole.1.div_ceil(reduction));
        assert_eq!((image.width, image.height), sides);
        check_image(&image);
    }
}

fn check_image(image: &DecodedImage) {
    let pixels = u64::from(image.width) * u64::from(image.height);
    assert!(pixels > 0 && pixels <= LIMITS.max_pixels, "{pixels} pixels");
    assert_eq!(image.rgb.len() as u64, pixels * 3);
    borders::check(image.width, image.height, &image.rgb);
}

/// A sentence, and not that a decoder panicked: outside the fuzzer a panic is caught.
fn check_error(error: &DecodeError) {
    let sentence = error.to_string();
    assert!(!sentence.is_empty());
    assert!(!sentence.contains("its decoder failed"), "{sentence}");
}
