//! Images of nobody: patterns, and files of them in every format the API takes.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A coloured pattern without symmetry, so that every orientation differs: a gradient with a dark
/// block in the top left corner.
#[must_use]
pub fn pattern(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        if x < width / 4 && y < height / 4 {
            return Rgb([16, 16, 64]);
        }
        let share = |at: u32, of: u32| u8::try_from(at * 255 / of.max(1)).unwrap_or(u8::MAX);
        Rgb([share(x, width), share(y, height), 128])
    })
}

/// The file of an image in a format.
#[must_use]
pub fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("drawn image");
    bytes.into_inner()
}

/// A JPEG of the pattern.
#[must_use]
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    jpeg_of(&pattern(width, height), false)
}

/// A JPEG of an image, baseline or progressive, quality 95.
#[must_use]
pub fn jpeg_of(image: &RgbImage, progressive: bool) -> Vec<u8> {
    encode_jpeg(
        image.as_raw(),
        image.width(),
        image.height(),
        jpeg_encoder::ColorType::Rgb,
        progressive,
    )
}

/// A CMYK JPEG of an image, inverted as Adobe's programs write it.
#[must_use]
pub fn cmyk_jpeg_of(image: &RgbImage) -> Vec<u8> {
    let cmyk: Vec<u8> = image
        .pixels()
        .flat_map(|Rgb([r, g, b])| {
            // Readers multiply: red = (1 - cyan) (1 - key).
            let light = (*r).max(*g).max(*b).max(1);
            let ink = |value: u8| {
                let paper = u32::from(value) * 255 / u32::from(light);
                255 - u8::try_from(paper).unwrap_or(u8::MAX)
            };
            [ink(*r), ink(*g), ink(*b), 255 - light]
        })
        .collect();
    encode_jpeg(
        &cmyk,
        image.width(),
        image.height(),
        jpeg_encoder::ColorType::Cmyk,
        false,
    )
}

/// A grey JPEG of an image.
#[must_use]
pub fn grey_jpeg_of(image: &RgbImage) -> Vec<u8> {
    let luma = DynamicImage::ImageRgb8(image.clone()).into_luma8();
    encode_jpeg(
        luma.as_raw(),
        image.width(),
        image.height(),
        jpeg_encoder::ColorType::Luma,
        false,
    )
}

fn encode_jpeg(
    samples: &[u8],
    width: u32,
    height: u32,
    color: jpeg_encoder::ColorType,
    progressive: bool,
) -> Vec<u8> {
    let side = |value: u32| u16::try_from(value).expect("JPEG sides are 16 bits");
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder.set_progressive(progressive);
    encoder
        .encode(samples, side(width), side(height), color)
        .expect("drawn image");
    bytes
}

/// The JPEG with an EXIF block that gives its orientation, 1 to 8 (Exif 2.32, tag 0x0112).
#[must_use]
pub fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    with_segment(jpeg, 0xE1, &exif)
}

/// The JPEG with one more marker segment right after its start.
#[must_use]
pub fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).expect("a segment holds 64 KiB");
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, marker]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// A PNG whose header announces a size that its (empty) pixel data does not have.
#[must_use]
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = file(&DynamicImage::ImageRgb8(pattern(1, 1)), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// CRC-32 as PNG uses it (ISO/IEC 15948, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                0xEDB8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            }
        })
    })
}
