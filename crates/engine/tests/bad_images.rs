//! Bytes that are not a readable image are rejected with `002`, with a helpful reason; nothing panics.

use image::{DynamicImage, ImageFormat};
use livecheck_engine::{Engine, EngineConfig, Rejection};
use livecheck_testing::drawn;

fn engine() -> Engine {
    Engine::new(EngineConfig::default()).expect("the embedded models load")
}

fn refusal(engine: &Engine, file: &[u8]) -> Rejection {
    engine.locate(file).expect_err("must be refused")
}

#[test]
fn other_formats_are_named() {
    let engine = engine();
    let brands = |major: &[u8; 4], compatible: &[&[u8; 4]]| {
        let length = 16 + 4 * compatible.len();
        let mut file = u32::try_from(length)
            .expect("a few brands")
            .to_be_bytes()
            .to_vec();
        file.extend_from_slice(b"ftyp");
        file.extend_from_slice(major);
        file.extend_from_slice(&[0; 4]);
        file.extend(compatible.iter().copied().flatten());
        file.resize(length + 64, 0);
        file
    };
    // A frame header of this process and precision behind a comment.
    let frame = |marker: u8, bits: u8| {
        [
            b"\xFF\xD8\xFF\xFE\0\x04hi\xFF\xFF".as_slice(),
            &[marker, 0, 11, bits, 1, 0, 1, 0, 1, 1, 0x11, 0],
        ]
        .concat()
    };
    for (name, file, says) in [
        ("empty", Vec::new(), "empty"),
        ("text", b"hello".to_vec(), "not a JPEG, PNG or WebP"),
        ("GIF", b"GIF89a\x01\0\x01\0".to_vec(), "is GIF;"),
        ("TIFF", b"II*\0\x08\0\0\0".to_vec(), "is TIFF;"),
        ("BMP", b"BM\0\0\0\0".to_vec(), "is BMP;"),
        ("ICO", b"\0\0\x01\0\x01\0".to_vec(), "is ICO;"),
        ("PDF", b"%PDF-1.7\n".to_vec(), "is PDF;"),
        (
            "JPEG XL stream",
            b"\xFF\x0A\xFA\x7F".to_vec(),
            "is JPEG XL;",
        ),
        (
            "JPEG XL box",
            b"\0\0\0\x0CJXL \r\n\x87\n\0".to_vec(),
            "is JPEG XL;",
        ),
        (
            "JPEG 2000 box",
            b"\0\0\0\x0CjP  \r\n\x87\n\0".to_vec(),
            "is JPEG 2000;",
        ),
        (
            "JPEG 2000 stream",
            b"\xFF\x4F\xFF\x51\0".to_vec(),
            "is JPEG 2000;",
        ),
        ("SVG", b"<svg xmlns=\"\">".to_vec(), "is SVG;"),
        ("HEIC", brands(b"heic", &[]), "is HEIC;"),
        (
            "HEIC by a compatible brand",
            brands(b"mif1", &[b"mif1", b"heic"]),
            "is HEIC;",
        ),
        ("AVIF", brands(b"avif", &[]), "is AVIF;"),
        (
            "AVIF by a compatible brand",
            brands(b"mif1", &[b"avif", b"miaf"]),
            "is AVIF;",
        ),
        (
            "AVIF sequence",
            brands(b"msf1", &[b"miaf", b"avis"]),
            "is AVIF;",
        ),
        (
            "AVIF by its profile",
            brands(b"miaf", &[b"MA1B"]),
            "is AVIF;",
        ),
        (
            "HEIF of another codec",
            brands(b"mif1", &[b"miaf"]),
            "is HEIF;",
        ),
        ("MP4", brands(b"isom", &[b"mp41"]), "is a video;"),
        ("12 bits", frame(0xC1, 12), "JPEG with 12 bits;"),
        ("lossless", frame(0xC3, 8), "lossless JPEG;"),
        ("hierarchical", frame(0xC5, 8), "hierarchical JPEG;"),
        ("arithmetic", frame(0xC9, 8), "arithmetic coding;"),
        ("JPEG-LS", frame(0xF7, 8), "is JPEG-LS;"),
    ] {
        let refusal = refusal(&engine, &file);
        assert_eq!(refusal.code(), "002", "{name}");
        assert!(refusal.to_string().contains(says), "{name}: {refusal}");
    }
}

#[test]
fn flipped_bits_never_panic() {
    let engine = engine();
    let pattern = drawn::pattern(48, 40);
    let rgb = DynamicImage::ImageRgb8(pattern.clone());
    for whole in [
        drawn::jpeg_of(&pattern, true),
        drawn::file(&rgb, ImageFormat::Png),
        drawn::file(&rgb, ImageFormat::WebP),
    ] {
        for at in 0..whole.len() {
            let mut file = whole.clone();
            file[at] ^= 1 << (at % 8);
            // Either it can still be read, or it is refused with a code of its own.
            if let Err(refusal) = engine.locate(&file) {
                assert!(
                    matches!(refusal.code(), "002" | "003"),
                    "byte {at}: {refusal}"
                );
            }
        }
    }
}

#[test]
fn what_is_missing_is_counted() {
    let engine = engine();
    let pattern = drawn::pattern(400, 320);
    let half = |file: &[u8]| file[..file.len() * 6 / 10].to_vec();
    let ended = |mut file: Vec<u8>| {
        file.extend([0xFF, 0xD9]);
        file
    };
    let baseline = drawn::jpeg_of(&pattern, false);
    let progressive = drawn::jpeg_of(&pattern, true);
    let png = drawn::png_of(&pattern);
    for (name, file, says) in [
        ("cut", half(&baseline), "% of its picture is missing"),
        (
            "cut and ended",
            ended(half(&baseline)),
            "% of its picture is missing",
        ),
        (
            "progressive, cut and ended",
            ended(half(&progressive)),
            "missing",
        ),
        ("PNG, cut", half(&png), "% of its scan lines are missing"),
        (
            "WebP, cut",
            half(&drawn::webp_of(&pattern)),
            "% of a chunk is missing",
        ),
    ] {
        let refusal = refusal(&engine, &file);
        assert_eq!(refusal.code(), "002", "{name}");
        assert!(refusal.to_string().contains(says), "{name}: {refusal}");
    }
}

#[test]
fn a_missing_end_marker_is_no_fault() {
    let engine = engine();
    let pattern = drawn::pattern(400, 320);
    let without = |file: Vec<u8>, bytes: usize| file[..file.len() - bytes].to_vec();
    for (name, file) in [
        ("baseline", without(drawn::jpeg_of(&pattern, false), 2)),
        ("progressive", without(drawn::jpeg_of(&pattern, true), 2)),
        ("PNG", without(drawn::png_of(&pattern), 12)),
        ("PNG, half an end", without(drawn::png_of(&pattern), 5)),
    ] {
        let photo = engine.locate(&file).expect(name).photo;
        assert_eq!((photo.width, photo.height), (400, 320), "{name}");
    }
}

/// The JPEG without the segments of a marker.
fn without_segments(jpeg: &[u8], marker: u8) -> Vec<u8> {
    let (mut rest, mut file) = (&jpeg[2..], jpeg[..2].to_vec());
    while rest[1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] != marker {
            file.extend(&rest[..length]);
        }
        rest = &rest[length..];
    }
    file.extend(rest);
    file
}

#[test]
fn a_frame_of_motion_jpeg_has_the_standard_huffman_tables() {
    let engine = engine();
    let whole = drawn::jpeg(400, 320);
    let frame = without_segments(&whole, 0xC4);
    assert!(frame.len() < whole.len());
    let pixels = |file: &[u8]| engine.locate(file).expect("a photo").photo.rgb;
    assert_eq!(pixels(&frame), pixels(&whole));
}
