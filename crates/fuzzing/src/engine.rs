//! The whole engine.

use std::sync::LazyLock;

use livecheck_engine::{Engine, EngineConfig, Limits, Thresholds};

use crate::images::LIMITS;

/// Face thresholds, by the first byte of an input: drawn faces score low, and only an image with
/// one face above the threshold reaches the later nets.
const FACE_THRESHOLDS: [f32; 4] = [0.20, 0.35, 0.50, 0.75];

static ENGINES: LazyLock<[Engine; 4]> = LazyLock::new(|| {
    FACE_THRESHOLDS.map(|face| {
        Engine::new(EngineConfig {
            limits: Limits {
                max_file_bytes: LIMITS.max_bytes,
                max_pixels: LIMITS.max_pixels,
                min_image_side: 1,
                min_face_side: 1,
            },
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
        Err(refusal) => {
            let code = refusal.code();
            assert!(
                ["002", "003", "007", "051", "052"].contains(&code),
                "{code}: {refusal}"
            );
            assert!(!refusal.to_string().is_empty());
        }
    }
}
