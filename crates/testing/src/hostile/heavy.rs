//! As many pixels as the limits allow.

use image::{Rgb, RgbImage};

use super::{
    altered::{jpeg_resized, jpeg_with_scans, png_of_zeros},
    table::{HostileFile, LARGEST_SIDE, NOBODY, Table, UNREADABLE},
};
use crate::drawn;

/// Valid or nearly valid files of as many pixels as the limits allow: small on the wire, and the
/// dearest that there are in memory and time.
#[must_use]
pub fn heavy() -> Vec<HostileFile> {
    let mut table = Table(Vec::new());
    let (side, why) = (
        LARGEST_SIDE,
        "the most memory that a file within the limits can ask for",
    );
    table.add(
        "PNG, 64 megapixels RGB",
        why,
        NOBODY,
        png_of_zeros(side, side, 2, 8),
    );
    table.add(
        "PNG, 64 megapixels RGBA 16-bit",
        why,
        NOBODY,
        png_of_zeros(side, side, 6, 16),
    );
    table.add(
        "PNG, one row of 64 megapixels",
        why,
        &["002", "007"],
        png_of_zeros(side * side, 1, 6, 16),
    );
    let small = drawn::pattern(64, 64);
    for (name, jpeg) in [
        (
            "JPEG, 64 megapixels announced",
            drawn::jpeg_of(&small, false),
        ),
        (
            "progressive JPEG, 64 megapixels announced",
            drawn::jpeg_of(&small, true),
        ),
        (
            "CMYK JPEG, 64 megapixels announced",
            drawn::cmyk_jpeg_of(&small),
        ),
        (
            "grey JPEG, 64 megapixels announced",
            drawn::grey_jpeg_of(&small),
        ),
    ] {
        let file = jpeg_resized(&jpeg, side, side);
        table.add(
            name,
            "pixels that no data stand behind",
            &["002", "051"],
            file,
        );
    }
    let scans = jpeg_with_scans(&drawn::jpeg_of(&small, true), 50);
    table.add(
        "progressive JPEG, 64 megapixels announced, 60 scans",
        "every scan walks all pixels",
        UNREADABLE,
        jpeg_resized(&scans, side, side),
    );
    let flat = RgbImage::from_pixel(side, side, Rgb([90, 120, 150]));
    table.add(
        "WebP, 64 megapixels of one colour",
        why,
        NOBODY,
        drawn::webp_of(&flat),
    );
    table.add(
        "animated WebP, 64 megapixels of one colour",
        why,
        NOBODY,
        drawn::animated_webp_of(&flat, 1),
    );
    table.0
}
