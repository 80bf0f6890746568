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
