//! The EXIF block of each format.

use livecheck_testing::drawn;

use crate::images::pixels;

/// Size of the pictures that carry the block, pixels.
const WIDTH: u32 = 24;
const HEIGHT: u32 = 16;

/// Most bytes of a JPEG segment with the head of an EXIF block.
const LONGEST: usize = 65_533 - 6;

/// Any EXIF block leaves the picture readable, upright or turned, with and without the prefix `Exif\0\0`, and
/// also when there are two of them.
///
/// # Panics
/// When that is not so.
pub fn exif(block: &[u8]) {
    let block = &block[..block.len().min(LONGEST)];
    let pattern = drawn::pattern(WIDTH, HEIGHT);
    let prefixed = [b"Exif\0\0", block].concat();
    let jpeg = drawn::with_segment(&drawn::jpeg_of(&pattern, false), 0xE1, &prefixed);
    let png = drawn::png_with_chunk(&drawn::png_of(&pattern), *b"eXIf", block);
    for file in [
        drawn::with_segment(&jpeg, 0xE1, &prefixed[..prefixed.len() / 2]),
        drawn::png_with_chunk(&png, *b"eXIf", &prefixed),
        drawn::webp_with_exif(&pattern, &prefixed),
        jpeg,
        png,
        drawn::webp_with_exif(&pattern, block),
    ] {
        let image =
            pixels(&file).unwrap_or_else(|refusal| panic!("refused for its EXIF block: {refusal}"));
        let size = (image.width, image.height);
        assert!(
            [(WIDTH, HEIGHT), (HEIGHT, WIDTH)].contains(&size),
            "{size:?}"
        );
    }
}
