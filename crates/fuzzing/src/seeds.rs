//! Seeds of the fuzz targets: small valid inputs of every kind, drawn or written here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{DynamicImage, ImageFormat, RgbImage};
use livecheck_testing::drawn::{self, Sampling};

use crate::upload::{BOUNDARY, CONTENT_TYPES};

/// A seed: the target it is for, its name, its bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// Every seed.
#[must_use]
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target: &'static str, name: String, bytes: Vec<u8>| {
        seeds.push((target, name, bytes));
    };
    for (name, file) in pictures(&drawn::pattern(24, 16)) {
        add("decode", format!("pattern-{name}"), file.clone());
        for (kind, form) in forms(&file) {
            add("upload", format!("{kind}-{name}"), form);
        }
        add(
            "base64",
            name.to_owned(),
            STANDARD.encode(&file).into_bytes(),
        );
    }
    for (name, file) in camera_jpegs(&drawn::pattern(70, 41)) {
        add("large_jpeg", name.to_owned(), file);
    }
    for (name, file) in pictures(&drawn::face(192, 192)) {
        for choice in 0..2_u8 {
            let input = [&[choice], file.as_slice()].concat();
            add("engine", format!("face-{choice}-{name}"), input);
        }
    }
    for (name, text) in texts() {
        add("base64", name.to_owned(), text.as_bytes().to_vec());
    }
    for (name, block) in exif_blocks() {
        add("exif", name, block);
    }
    for (name, things) in bordered() {
        add("borders", name.to_owned(), things);
    }
    for (name, headers) in headers() {
        add("session", name.to_owned(), headers.as_bytes().to_vec());
    }
    seeds
}

/// The picture in every format and colour type.
fn pictures(image: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    let rgb = DynamicImage::ImageRgb8(image.clone());
    let png = |image: DynamicImage| drawn::file(&image, ImageFormat::Png);
    let webp = |image: DynamicImage| drawn::file(&image, ImageFormat::WebP);
    let jpeg = drawn::jpeg_of(image, false);
    vec![
        ("progressive.jpg", drawn::jpeg_of(image, true)),
        ("grey.jpg", drawn::grey_jpeg_of(image)),
        ("cmyk.jpg", drawn::cmyk_jpeg_of(image)),
        ("ycck.jpg", drawn::ycck_jpeg_of(image, false)),
        ("no-tables.jpg", drawn::without_huffman_tables(&jpeg)),
        ("turned.jpg", drawn::with_orientation(&jpeg, 6)),
        ("baseline.jpg", jpeg),
        ("rgb8.png", png(rgb.clone())),
        ("rgb16.png", png(DynamicImage::ImageRgb16(rgb.to_rgb16()))),
        ("rgba8.png", png(DynamicImage::ImageRgba8(rgb.to_rgba8()))),
        (
            "rgba16.png",
            png(DynamicImage::ImageRgba16(rgb.to_rgba16())),
        ),
        ("grey8.png", png(DynamicImage::ImageLuma8(rgb.to_luma8()))),
        (
            "grey16.png",
            png(DynamicImage::ImageLuma16(rgb.to_luma16())),
        ),
        ("lossless.webp", webp(rgb.clone())),
        ("alpha.webp", webp(DynamicImage::ImageRgba8(rgb.to_rgba8()))),
        ("animated.webp", drawn::animated_webp_of(image, 2)),
    ]
}

/// JPEGs of the kinds that cameras write.
fn camera_jpegs(image: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    let sampled = |sampling, restart| drawn::sampled_jpeg_of(image, sampling, restart);
    let quartered = sampled(Sampling::Quartered, 0);
    vec![
        ("full.jpg", sampled(Sampling::Full, 0)),
        ("halved.jpg", sampled(Sampling::Halved, 0)),
        ("restarts.jpg", sampled(Sampling::Quartered, 2)),
        ("strips.jpg", sampled(Sampling::Strips, 0)),
        ("strips-restarts.jpg", sampled(Sampling::Strips, 3)),
        ("turned.jpg", drawn::with_orientation(&quartered, 6)),
        ("quartered.jpg", quartered),
        ("grey.jpg", drawn::grey_jpeg_of(image)),
    ]
}

/// The file in the three forms, as inputs of the target `upload`.
fn forms(file: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = STANDARD.encode(file);
    let input = |kind: u8, body: &[u8]| [&[kind, 7], body].concat();
    let part = |head: &str, content: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        [head.as_bytes(), content, end.as_bytes()].concat()
    };
    let file_part = part(
        "name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg",
        file,
    );
    let escaped = text.replace('+', "%2B").replace('/', "%2F");
    let own_type = format!(
        "{}; charset=utf-8\n{{\"image_bytes\":\"{text}\"}}",
        CONTENT_TYPES[2]
    );
    vec![
        ("file-part", input(0, &file_part)),
        (
            "text-part",
            input(0, &part("name=\"image_bytes\"", text.as_bytes())),
        ),
        (
            "urlencoded",
            input(1, format!("image_bytes={escaped}&details=true").as_bytes()),
        ),
        (
            "json",
            input(
                2,
                format!("{{\"image_bytes\":\"{text}\",\"details\":1}}").as_bytes(),
            ),
        ),
        ("own-type", input(3, own_type.as_bytes())),
        (
            "folded",
            input(
                0,
                &part(
                    "name=\"image\";\r\n filename=\"a.jpg\"\r\nContent-Type:\r\n\timage/jpeg",
                    file,
                ),
            ),
        ),
        (
            "transfer-encoding",
            input(
                0,
                &part(
                    "name=\"image\"; filename=\"a.jpg\"\r\nContent-Transfer-Encoding: base64",
                    text.as_bytes(),
                ),
            ),
        ),
        (
            "empty-beside",
            input(
                0,
                &[&part("name=\"image_bytes\"", b"")[..], &file_part].concat(),
            ),
        ),
        (
            "bare-line-feeds",
            input(
                0,
                &[
                    format!("--{BOUNDARY}\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\n\n")
                        .as_bytes(),
                    file,
                    format!("\n--{BOUNDARY}--\n").as_bytes(),
                ]
                .concat(),
            ),
        ),
        (
            "byte-order-mark",
            input(2, format!("\u{feff}{{\"image_bytes\":\"{text}\"}}").as_bytes()),
        ),
    ]
}

/// Base64 in the ways in which clients write it, and nearly so.
fn texts() -> Vec<(&'static str, &'static str)> {
    vec![
        ("padded", "QUI="),
        ("unpadded", "QUI"),
        ("urlsafe", "_-_-"),
        ("lines", "QUJD\r\nREVG\n"),
        ("spaces", "QU D"),
        ("data-url", "data:image/jpeg;base64,QUJD"),
        ("data-url-spaces", "data:image/jpeg; base64, QUJD"),
        ("spaces-about", " QUJD \n"),
        (
            "data-url-parameters",
            "data:image/png;charset=utf-8;base64,QUJD",
        ),
        ("after-padding", "QQ==QQ=="),
        ("not-base64", "QU!D"),
    ]
}

/// EXIF blocks (Exif 2.32) in both byte orders, with every orientation and with broken offsets.
fn exif_blocks() -> Vec<(String, Vec<u8>)> {
    let mut blocks = Vec::new();
    for orientation in 0..=9 {
        let mut block = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        block.extend([orientation, 0, 0, 0, 0, 0, 0]);
        blocks.push((format!("big-endian-{orientation}"), block));
        let mut block = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        blocks.push((format!("little-endian-{orientation}"), block));
    }
    for (name, kind, count) in [
        ("long", 4, 1),
        ("byte", 1, 1),
        ("rational", 5, 1),
        ("two", 3, 2),
    ] {
        let mut block = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0".to_vec();
        block.extend([kind, 0, 0, 0, count, 0, 0, 0, 6, 0, 0, 0, 0]);
        blocks.push((format!("as-{name}"), block));
    }
    blocks.push((
        "offset-beyond-the-end".to_owned(),
        b"MM\0\x2a\xff\xff\xff\xff".to_vec(),
    ));
    blocks.push((
        "offset-to-itself".to_owned(),
        b"II\x2a\0\0\0\0\0\x49\x49".to_vec(),
    ));
    blocks.push((
        "many-entries".to_owned(),
        [b"MM\0\x2a\0\0\0\x08\xff\xff".as_slice(), &[0x01; 120]].concat(),
    ));
    blocks
}

/// Pictures with bars and fills, as the target `borders` draws them.
fn bordered() -> Vec<(&'static str, Vec<u8>)> {
    let picture = [0, 20, 20, 100, 80, 0x5A, 2, 3, 0, 9, 0, 0xE1];
    let drawing =
        |grain: u8, things: &[&[u8]]| [&[160, 120, grain], things.concat().as_slice()].concat();
    vec![
        ("black", drawing(0, &[])),
        ("grain", drawing(40, &[])),
        ("stripes", drawing(9, &[&picture])),
        (
            "letterbox",
            drawing(
                0,
                &[&picture, &[0, 0, 0, 160, 20, 0], &[0, 0, 100, 160, 20, 0]],
            ),
        ),
        ("side", drawing(3, &[&picture, &[0, 120, 0, 40, 120, 0xFF]])),
        ("fill", drawing(30, &[&picture, &[1, 40, 0, 80, 120, 0]])),
        (
            "nested",
            drawing(
                5,
                &[&picture, &[3, 20, 20, 120, 80, 0], &[3, 20, 20, 120, 80, 0]],
            ),
        ),
    ]
}

/// Header values: tokens, keys, and what is nearly one.
fn headers() -> Vec<(&'static str, &'static str)> {
    vec![
        ("token", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_"),
        ("token-short", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-"),
        (
            "token-standard-alphabet",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+/",
        ),
        (
            "two-tokens",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_\nBAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_",
        ),
        ("token-and-nothing", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_\n"),
        ("key", "lck_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0"),
        (
            "key-spaces",
            " lck_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0\t",
        ),
        (
            "key-two-spellings",
            "lck_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1",
        ),
    ]
}
