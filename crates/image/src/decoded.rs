//! What a file is decoded to.

/// A decoded image: upright, 8 bits a channel, RGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedImage {
    /// Width of `rgb`, pixels.
    pub width: u32,
    /// Height of `rgb`, pixels.
    pub height: u32,
    /// `height × width × 3` bytes, row-major, R then G then B.
    pub rgb: Vec<u8>,
    /// `"jpeg"`, `"png"` or `"webp"`.
    pub format: &'static str,
    /// Pixels of the whole image for one of `rgb`, along a side: 1, 2, 4 or 8.
    pub reduction: u32,
    /// Width of the whole upright image, pixels.
    pub full_width: u32,
    /// Height of the whole upright image, pixels.
    pub full_height: u32,
}

impl DecodedImage {
    /// An image at its full size.
    pub(crate) fn whole(width: u32, height: u32, rgb: Vec<u8>, format: &'static str) -> Self {
        Self {
            width,
            height,
            rgb,
            format,
            reduction: 1,
            full_width: width,
            full_height: height,
        }
    }
}
