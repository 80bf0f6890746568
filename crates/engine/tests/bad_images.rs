//! Bytes that are no readable image are refused with `002`, in words that help; nothing panics.

use image::{DynamicImage, ImageFormat};
use livecheck_engine::{Engine, EngineConfig, ErrorCode, Rejection};
use livecheck_testing::drawn;

fn engine() -> Engine {
    Engine::new(EngineConfig::default()).expect("the embedded models load")
}

fn refusal(engine: &Engine, file: &[u8]) -> Rejection {
    engine.decode(file).expect_err("must be refused")
}

#[test]
fn other_formats_are_named() {
    let engine = engine();
    let heic = [b"\0\0\0\x18ftypheic".as_slice(), &[0; 64]].concat();
    let avif = [b"\0\0\0\x18ftypavif".as_slice(), &[0; 64]].concat();
    for (name, file, says) in [
        ("empty", Vec::new(), "empty"),
        ("text", b"hello".to_vec(), "no JPEG, PNG or WebP"),
        ("GIF", b"GIF89a\x01\0\x01\0".to_vec(), "GIF"),
        ("TIFF", b"II*\0\x08\0\0\0".to_vec(), "TIF"),
        ("BMP", b"BM\0\0\0\0".to_vec(), "BMP"),
        ("HEIC", heic, "HEIC"),
        ("AVIF", avif, "AVIF"),
    ] {
        let refusal = refusal(&engine, &file);
        assert_eq!(refusal.code(), ErrorCode::UnreadableImage, "{name}");
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
            if let Err(refusal) = engine.decode(&file) {
                assert!(
                    matches!(
                        refusal.code(),
                        ErrorCode::UnreadableImage | ErrorCode::ImageTooLarge
                    ),
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
        assert_eq!(refusal.code(), ErrorCode::UnreadableImage, "{name}");
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
        let photo = engine.decode(&file).expect(name);
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
    let (frame, whole) = (engine.decode(&frame), engine.decode(&whole));
    assert_eq!(frame.expect("a photo").rgb, whole.expect("a photo").rgb);
}
