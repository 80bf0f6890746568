//! Every limit at its edge.

use image::{DynamicImage, ImageFormat};
use livecheck_engine::{Engine, EngineConfig, Limits, Thresholds};
use livecheck_testing::drawn;

fn engine_with(limits: Limits) -> Engine {
    Engine::new(EngineConfig {
        limits,
        ..EngineConfig::default()
    })
    .expect("the embedded models load")
}

#[test]
fn a_file_of_exactly_ten_mebibytes_passes_and_one_byte_more_does_not() {
    let engine = engine_with(Limits::default());
    let mut file = drawn::jpeg(400, 400);
    file.resize(10 * 1024 * 1024, 0);
    engine.locate(&file).expect("exactly the limit");
    file.push(0);
    let refusal = engine.locate(&file).expect_err("one byte more");
    assert_eq!(refusal.code(), "003");
    assert!(refusal.to_string().contains("10485761"), "{refusal}");
}

#[test]
fn too_many_pixels_are_refused_from_the_header() {
    let engine = engine_with(Limits::default());
    // Neither file has pixels: the first is only found out because its header is acceptable.
    for (width, height, code) in [
        (8000, 8000, "002"),
        (8001, 8000, "003"),
        (50_000, 50_000, "003"),
    ] {
        let refusal = engine
            .locate(&drawn::png_header(width, height))
            .expect_err("no pixels");
        assert_eq!(refusal.code(), code, "{width}x{height}: {refusal}");
    }
}

#[test]
fn the_shorter_side_must_reach_the_limit() {
    let engine = engine_with(Limits::default());
    for (width, height, code) in [(319, 2000, "007"), (2000, 319, "007"), (320, 320, "051")] {
        let refusal = engine
            .check(&drawn::jpeg(width, height))
            .expect_err("no face");
        assert_eq!(refusal.code(), code, "{width}x{height}: {refusal}");
    }
}

#[test]
fn the_upright_size_counts() {
    let limits = Limits {
        min_image_side: 100,
        ..Limits::default()
    };
    let turned = drawn::with_orientation(&drawn::jpeg(200, 99), 6);
    let refusal = engine_with(limits).check(&turned).expect_err("too small");
    assert_eq!(refusal.code(), "007");
    assert!(refusal.to_string().contains("99x200"), "{refusal}");
}

#[test]
fn thresholds_outside_zero_to_one_do_not_start() {
    for liveness in [-0.1, 1.1, f32::NAN] {
        let thresholds = Thresholds {
            liveness,
            ..Thresholds::default()
        };
        let error = Engine::new(EngineConfig {
            thresholds,
            ..EngineConfig::default()
        })
        .err()
        .expect("must not start");
        assert!(error.to_string().contains("liveness_threshold"), "{error}");
    }
}

#[test]
fn the_review_band_lies_below_the_liveness_threshold() {
    let thresholds = Thresholds {
        review: Some(0.8),
        ..Thresholds::default()
    };
    for (score, review) in [
        (0.79, false),
        (0.8, true),
        (0.89, true),
        (0.9, false),
        (1.0, false),
    ] {
        assert_eq!(thresholds.needs_review(score), review, "{score}");
        assert!(!Thresholds::default().needs_review(score), "{score}");
    }
}

#[test]
fn other_thresholds_share_the_nets() {
    let engine = engine_with(Limits::default());
    let lenient = Thresholds {
        face: 0.2,
        mask: 1.0,
        ..Thresholds::default()
    };
    let file = drawn::jpeg_of(&drawn::face(640, 640), false);
    let alike = engine.with_thresholds(lenient).expect("in range");
    let verdict = alike.check(&file).expect("a drawn face is a face now");
    assert_eq!(verdict.details.thresholds, lenient);
    assert_eq!(engine.config().thresholds, Thresholds::default());
    let wrong = Thresholds {
        review: Some(1.5),
        ..lenient
    };
    let error = engine.with_thresholds(wrong).err().expect("out of range");
    assert!(error.to_string().contains("review_threshold"), "{error}");
}

#[test]
fn a_picture_without_a_face_has_no_face() {
    let blank = DynamicImage::new_rgb8(640, 480);
    let refusal = engine_with(Limits::default())
        .check(&drawn::file(&blank, ImageFormat::Png))
        .expect_err("no face");
    assert_eq!(refusal.code(), "051");
}
