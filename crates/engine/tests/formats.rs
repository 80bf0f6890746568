//! Every format of the contract gives the same upright picture.

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use livecheck_engine::{Engine, EngineConfig, Photo};
use livecheck_testing::drawn;

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

fn decode(file: &[u8]) -> Photo {
    Engine::new(EngineConfig::default())
        .expect("the embedded models load")
        .locate(file)
        .expect("a readable image")
        .photo
}

fn pixel(photo: &Photo, x: u32, y: u32) -> [u8; 3] {
    let at = ((y * photo.width + x) * 3) as usize;
    [photo.rgb[at], photo.rgb[at + 1], photo.rgb[at + 2]]
}

/// Largest mean deviation of a channel from the pattern, grey levels.
fn deviation(photo: &Photo) -> f64 {
    let expected = drawn::pattern(WIDTH, HEIGHT);
    let sum: u64 = photo
        .rgb
        .iter()
        .zip(expected.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / photo.rgb.len() as f64
}

#[test]
fn colour_formats_show_the_pattern() {
    let pattern = drawn::pattern(WIDTH, HEIGHT);
    let rgb = DynamicImage::ImageRgb8(pattern.clone());
    let png = |image: DynamicImage| drawn::file(&image, ImageFormat::Png);
    for (name, format, file) in [
        ("baseline JPEG", "jpeg", drawn::jpeg_of(&pattern, false)),
        ("progressive JPEG", "jpeg", drawn::jpeg_of(&pattern, true)),
        ("CMYK JPEG", "jpeg", drawn::cmyk_jpeg_of(&pattern)),
        ("8-bit PNG", "png", png(rgb.clone())),
        (
            "16-bit PNG",
            "png",
            png(DynamicImage::ImageRgb16(rgb.to_rgb16())),
        ),
        (
            "PNG with alpha",
            "png",
            png(DynamicImage::ImageRgba8(rgb.to_rgba8())),
        ),
        ("WebP", "webp", drawn::file(&rgb, ImageFormat::WebP)),
    ] {
        let photo = decode(&file);
        assert_eq!((photo.width, photo.height), (WIDTH, HEIGHT), "{name}");
        assert_eq!(photo.format, format, "{name}");
        let deviation = deviation(&photo);
        assert!(deviation < 4.0, "{name}: {deviation} grey levels off");
    }
}

#[test]
fn grey_jpeg_becomes_grey_pixels() {
    let photo = decode(&drawn::grey_jpeg_of(&drawn::pattern(WIDTH, HEIGHT)));
    assert!(
        photo
            .rgb
            .chunks_exact(3)
            .all(|p| p[0] == p[1] && p[1] == p[2])
    );
}

#[test]
fn transparent_pixels_show_the_white_page() {
    let hidden = RgbaImage::from_pixel(WIDTH, HEIGHT, Rgba([200, 10, 10, 0]));
    let photo = decode(&drawn::file(
        &DynamicImage::ImageRgba8(hidden),
        ImageFormat::Png,
    ));
    assert_eq!(pixel(&photo, 5, 5), [255, 255, 255]);
}

#[test]
fn exif_orientation_is_applied() {
    // The dark block lies in the top left corner of the stored picture; each orientation says in
    // which corner a viewer sees it.
    let jpeg = drawn::jpeg(WIDTH, HEIGHT);
    let dark = |photo: &Photo, right: bool, bottom: bool| {
        let x = if right { photo.width - 8 } else { 8 };
        let y = if bottom { photo.height - 8 } else { 8 };
        let [r, g, b] = pixel(photo, x, y);
        r < 40 && g < 40 && b < 90
    };
    for (orientation, right, bottom, turned) in [
        (1, false, false, false),
        (2, true, false, false),
        (3, true, true, false),
        (4, false, true, false),
        (5, false, false, true),
        (6, true, false, true),
        (7, true, true, true),
        (8, false, true, true),
    ] {
        let photo = decode(&drawn::with_orientation(&jpeg, orientation));
        let size = if turned {
            (HEIGHT, WIDTH)
        } else {
            (WIDTH, HEIGHT)
        };
        assert_eq!(
            (photo.width, photo.height),
            size,
            "orientation {orientation}"
        );
        assert!(dark(&photo, right, bottom), "orientation {orientation}");
    }
}

#[test]
fn a_damaged_exif_block_does_not_matter() {
    let damaged = drawn::with_segment(
        &drawn::jpeg(WIDTH, HEIGHT),
        0xE1,
        b"Exif\0\0MM\0\x2a\xff\xff\xff\xff",
    );
    assert_eq!(decode(&damaged).width, WIDTH);
}

/// An EXIF block with one entry: an orientation of a TIFF type, in little-endian.
fn exif(kind: u8, orientation: u8) -> Vec<u8> {
    let mut block = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01".to_vec();
    block.extend([kind, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn the_first_exif_block_with_an_orientation_counts() {
    const BYTE: u8 = 1;
    const SHORT: u8 = 3;
    const LONG: u8 = 4;
    let jpeg = drawn::jpeg(WIDTH, HEIGHT);
    let prefixed = |block: Vec<u8>| [b"Exif\0\0".as_slice(), &block].concat();
    let with = |file: &[u8], block: &[u8]| drawn::with_segment(file, 0xE1, block);
    let none = prefixed(b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0".to_vec());
    // Each segment is put before those that are there.
    let then_none = with(&with(&jpeg, &none), &prefixed(exif(SHORT, 6)));
    let after_none = with(&with(&jpeg, &prefixed(exif(SHORT, 6))), &none);
    let two = with(
        &with(&jpeg, &prefixed(exif(SHORT, 3))),
        &prefixed(exif(SHORT, 6)),
    );
    let pattern = drawn::pattern(WIDTH, HEIGHT);
    let png = drawn::png_of(&pattern);
    for (name, file) in [
        ("SHORT", with(&jpeg, &prefixed(exif(SHORT, 6)))),
        ("LONG", with(&jpeg, &prefixed(exif(LONG, 6)))),
        ("BYTE", with(&jpeg, &prefixed(exif(BYTE, 6)))),
        ("without a prefix", with(&jpeg, &exif(SHORT, 6))),
        ("then one without", then_none),
        ("after one without", after_none),
        ("two", two),
        (
            "PNG",
            drawn::png_with_chunk(&png, *b"eXIf", &exif(SHORT, 6)),
        ),
        (
            "PNG, prefix",
            drawn::png_with_chunk(&png, *b"eXIf", &prefixed(exif(LONG, 6))),
        ),
        ("WebP", drawn::webp_with_exif(&pattern, &exif(BYTE, 6))),
        (
            "WebP, prefix",
            drawn::webp_with_exif(&pattern, &prefixed(exif(SHORT, 6))),
        ),
    ] {
        let photo = decode(&file);
        assert_eq!((photo.width, photo.height), (HEIGHT, WIDTH), "{name}");
        let [r, g, b] = pixel(&photo, photo.width - 8, 8);
        assert!(r < 40 && g < 40 && b < 90, "{name}");
    }
}
