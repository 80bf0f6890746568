//! What a person could improve in a photo, on a drawn portrait with one fault at a time.

use std::{io::Cursor, time::Instant};

use image::{ImageFormat, Rgb, RgbImage, imageops};
use livecheck_engine::{Check, Engine, EngineConfig, Finding, FindingLimits, Photo};
use livecheck_testing::portrait::portrait;

fn findings_of(engine: &Engine, image: &RgbImage) -> Vec<Finding> {
    let mut file = Cursor::new(Vec::new());
    image
        .write_to(&mut file, ImageFormat::Png)
        .expect("a PNG file");
    let located = engine.locate(&file.into_inner()).expect("a readable photo");
    let judged = engine.judge(&located);
    let start = Instant::now();
    let found = engine
        .findings(&located, judged.as_ref())
        .expect("a face can be cut out");
    println!(
        "{:.2} ms, {:?}",
        start.elapsed().as_secs_f64() * 1e3,
        names(&found)
    );
    found
}

fn engine(findings: FindingLimits) -> Engine {
    Engine::new(EngineConfig {
        findings,
        ..EngineConfig::default()
    })
    .expect("the embedded models load")
}

fn names(findings: &[Finding]) -> Vec<&'static str> {
    findings
        .iter()
        .map(|finding| finding.check.name())
        .collect()
}

fn curve(image: &RgbImage, curve: impl Fn(f32) -> f32) -> RgbImage {
    let mut image = image.clone();
    for Rgb(values) in image.pixels_mut() {
        *values = values.map(|value| curve(f32::from(value)).clamp(0.0, 255.0) as u8);
    }
    image
}

#[test]
fn each_fault_is_named_and_was_not_there_before() {
    let engine = engine(FindingLimits::default());
    let clean = portrait(640, 640);
    let before = names(&findings_of(&engine, &clean));
    let faults: [(&str, RgbImage); 6] = [
        ("blur", imageops::blur(&clean, 5.0)),
        ("dark", curve(&clean, |value| value * 0.08)),
        ("bright", curve(&clean, |value| value * 1.4 + 160.0)),
        (
            "low_contrast",
            curve(&clean, |value| 128.0 + (value - 128.0) * 0.15),
        ),
        (
            "greyscale",
            image::DynamicImage::ImageLuma8(imageops::grayscale(&clean)).into_rgb8(),
        ),
        ("border", {
            let mut framed = RgbImage::from_pixel(760, 760, Rgb([0, 0, 0]));
            imageops::replace(&mut framed, &clean, 60, 60);
            framed
        }),
    ];
    for (check, image) in faults {
        assert!(!before.contains(&check), "{check} before: {before:?}");
        let found = findings_of(&engine, &image);
        assert!(
            names(&found).contains(&check),
            "{check}: {:?}",
            names(&found)
        );
    }
}

#[test]
fn a_refused_photo_has_findings_too() {
    let engine = engine(FindingLimits::default());
    let black = RgbImage::from_pixel(640, 640, Rgb([3, 2, 4]));
    assert!(names(&findings_of(&engine, &black)).contains(&"dark"));
    let small = imageops::resize(
        &portrait(640, 640),
        160,
        160,
        imageops::FilterType::Triangle,
    );
    assert!(names(&findings_of(&engine, &small)).contains(&"face_small"));
}

#[test]
fn limits_are_settings_and_decide_nothing() {
    let limits = FindingLimits {
        dark: 1.0,
        ..FindingLimits::default()
    };
    let (strict, usual) = (engine(limits), engine(FindingLimits::default()));
    let image = portrait(640, 640);
    let found = findings_of(&strict, &image);
    let dark = found.iter().find(|finding| finding.check == Check::Dark);
    let dark = dark.expect("below 1");
    assert!(dark.value > 0.0 && dark.value < dark.limit, "{dark:?}");
    let photo = || Photo::new(640, 640, image.as_raw().clone(), "png");
    let score = |engine: &Engine| {
        let located = engine.locate_photo(photo()).expect("a sound net");
        engine.judge(&located).map(|verdict| verdict.score).ok()
    };
    assert_eq!(score(&strict), score(&usual));
    let wrong = FindingLimits {
        blur: f32::NAN,
        ..FindingLimits::default()
    };
    let config = EngineConfig {
        findings: wrong,
        ..EngineConfig::default()
    };
    let error = Engine::new(config).err().expect("not a number");
    assert!(error.to_string().contains("finding_blur"), "{error}");
}
