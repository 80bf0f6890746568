//! Image files: decoding them, and the whole engine.

use std::sync::LazyLock;

use crate::borders;
use livecheck_engine::{
    Engine, EngineConfig, ErrorCode, Limits, Photo, Rejection, Thresholds, fuzzing,
};

/// Small, so that an input costs milliseconds: what is checked does not depend on them.
const LIMITS: Limits = Limits {
    max_file_bytes: 256 * 1024,
    max_pixels: 200_000,
    min_image_side: 1,
    min_face_side: 1,
};

/// Face thresholds, by the first byte of an input: drawn faces score low, and only an image with
/// one face above the threshold reaches the later nets.
const FACE_THRESHOLDS: [f32; 4] = [0.20, 0.35, 0.50, 0.75];

static ENGINES: LazyLock<[Engine; 4]> = LazyLock::new(|| {
    FACE_THRESHOLDS.map(|face| {
        Engine::new(EngineConfig {
            limits: LIMITS,
            thresholds: Thresholds {
                face,
                // Nothing is stopped here, so that every net sees the input.
                mask: 1.0,
                ..Thresholds::default()
            },
            ..EngineConfig::default()
        })
        .expect("the embedded models load")
    })
});

/// The upright pixels of a file within the limits.
pub(crate) fn pixels(file: &[u8]) -> Result<Photo, Rejection> {
    fuzzing::decode(file, &LIMITS)
}

/// Any bytes are an image within the limits or refused with `002` or `003`.
///
/// # Panics
/// When that is not so.
pub fn decode(input: &[u8]) {
    match pixels(input) {
        Ok(photo) => check_photo(&photo),
        Err(refusal) => check_refusal(
            &refusal,
            &[ErrorCode::UnreadableImage, ErrorCode::ImageTooLarge],
        ),
    }
}

/// Any bytes as a JPEG: nothing, or the same picture at four sizes.
///
/// # Panics
/// When that is not so.
pub fn large_jpeg(input: &[u8]) {
    let Some(photos) = fuzzing::reduced_jpeg(input, &LIMITS) else {
        return;
    };
    let whole = photos[0].full_size();
    for (photo, reduction) in photos.iter().zip([1, 2, 4, 8]) {
        assert_eq!(photo.reduction(), reduction);
        assert_eq!(photo.full_size(), whole);
        let sides = (whole.0.div_ceil(reduction), whole.1.div_ceil(reduction));
        assert_eq!((photo.width, photo.height), sides);
        check_photo(photo);
    }
}

fn check_photo(photo: &Photo) {
    let pixels = u64::from(photo.width) * u64::from(photo.height);
    assert!(pixels > 0 && pixels <= LIMITS.max_pixels, "{pixels} pixels");
    assert_eq!(photo.rgb.len() as u64, pixels * 3);
    borders::check(photo);
}

fn check_refusal(refusal: &Rejection, codes: &[ErrorCode]) {
    let code = refusal.code();
    assert!(codes.contains(&code), "{code:?}: {refusal}");
    assert!(!refusal.to_string().is_empty());
}

/// A byte that chooses the face threshold, then any bytes: a verdict whose every number makes
/// sense, or a refusal that is no failure of the engine's own.
///
/// # Panics
/// When that is not so.
pub fn engine(input: &[u8]) {
    let Some((choice, file)) = input.split_first() else {
        return;
    };
    let engine = &ENGINES[usize::from(*choice) % ENGINES.len()];
    match engine.check(file) {
        Ok(verdict) => {
            let details = &verdict.details;
            for share in [
                verdict.score,
                details.mask_score,
                details.attack_score,
                details.face.score,
                details.quality.brightness,
            ] {
                assert!((0.0..=1.0).contains(&share), "{verdict:?}");
            }
            for measure in [
                details.quality.face_share,
                details.quality.contrast,
                details.quality.sharpness,
            ] {
                assert!(measure.is_finite() && measure >= 0.0, "{verdict:?}");
            }
            let (image, content) = (&details.image, &details.image.content);
            assert!(
                content.x0 < content.x1 && content.x1 <= image.width,
                "{verdict:?}"
            );
            assert!(
                content.y0 < content.y1 && content.y1 <= image.height,
                "{verdict:?}"
            );
            assert_eq!(verdict.live, verdict.score >= details.thresholds.liveness);
        }
        Err(refusal) => check_refusal(
            &refusal,
            &[
                ErrorCode::UnreadableImage,
                ErrorCode::ImageTooLarge,
                ErrorCode::ResolutionTooLow,
                ErrorCode::FaceCount,
                ErrorCode::FaceMask,
            ],
        ),
    }
}
