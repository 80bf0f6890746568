//! Large JPEGs are read at a reduced size: what is seen, what is said of them, and that verdicts
//! stay the same.

use std::{collections::HashSet, io::Cursor};

use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use livecheck_engine::{Engine, EngineConfig, ErrorCode, Limits, Photo, Verdict};
use livecheck_testing::{
    drawn::{self, Sampling},
    real,
};
use serde::Deserialize;

/// Above the eight megapixels from which a JPEG is large; no multiple of a block.
const WIDTH: u32 = 3301;
const HEIGHT: u32 = 2467;

fn engine() -> Engine {
    Engine::new(EngineConfig::default()).expect("the embedded models load")
}

/// Mean deviation of a channel from the pattern, grey levels.
fn deviation(photo: &Photo, pattern: &RgbImage) -> f64 {
    let reduction = photo.reduction();
    let mut sum = 0;
    for (at, pixel) in photo.rgb.chunks_exact(3).enumerate() {
        let at = at as u32;
        let centre = |at: u32, end: u32| (at * reduction + reduction / 2).min(end - 1);
        let expected = pattern.get_pixel(
            centre(at % photo.width, pattern.width()),
            centre(at / photo.width, pattern.height()),
        );
        for (actual, expected) in pixel.iter().zip(expected.0) {
            sum += u64::from(actual.abs_diff(expected));
        }
    }
    sum as f64 / photo.rgb.len() as f64
}

#[test]
fn a_large_jpeg_shows_the_pattern_at_a_reduced_size() {
    let engine = engine();
    let pattern = drawn::pattern(WIDTH, HEIGHT);
    let sampled = |sampling, restart| drawn::sampled_jpeg_of(&pattern, sampling, restart);
    for (name, file) in [
        ("4:2:0", sampled(Sampling::Quartered, 0)),
        ("4:2:2", sampled(Sampling::Halved, 0)),
        ("4:4:4", sampled(Sampling::Full, 0)),
        ("restart markers", sampled(Sampling::Quartered, 7)),
    ] {
        let photo = engine.decode(&file).expect("a readable image");
        assert!(photo.reduction() > 1, "{name}");
        assert_eq!(photo.full_size(), (WIDTH, HEIGHT), "{name}");
        assert_eq!(photo.width, WIDTH.div_ceil(photo.reduction()), "{name}");
        assert_eq!(photo.height, HEIGHT.div_ceil(photo.reduction()), "{name}");
        let deviation = deviation(&photo, &pattern);
        assert!(deviation < 4.0, "{name}: {deviation} grey levels off");
        let whole = engine.decode_whole(&file).expect("a readable image");
        assert_eq!((whole.width, whole.height), (WIDTH, HEIGHT), "{name}");
    }
    let grey = engine.decode(&drawn::grey_jpeg_of(&pattern)).expect("grey");
    assert!(grey.reduction() > 1);
    assert!(
        grey.rgb
            .chunks_exact(3)
            .all(|p| p[0] == p[1] && p[1] == p[2])
    );
}

#[test]
fn what_cameras_do_not_write_is_read_whole() {
    let engine = engine();
    let pattern = drawn::pattern(WIDTH, HEIGHT);
    for (name, file) in [
        ("progressive", drawn::jpeg_of(&pattern, true)),
        ("CMYK", drawn::cmyk_jpeg_of(&pattern)),
        ("small", drawn::jpeg(1200, 900)),
    ] {
        let photo = engine.decode(&file).expect("a readable image");
        assert_eq!(photo.reduction(), 1, "{name}");
        assert_eq!(photo.full_size(), (photo.width, photo.height), "{name}");
    }
}

#[test]
fn orientation_turns_a_reduced_photo() {
    let engine = engine();
    let jpeg = drawn::jpeg(WIDTH, HEIGHT);
    for (orientation, right, bottom) in [
        (1, false, false),
        (2, true, false),
        (3, true, true),
        (4, false, true),
        (5, false, false),
        (6, true, false),
        (7, true, true),
        (8, false, true),
    ] {
        let photo = engine
            .decode(&drawn::with_orientation(&jpeg, orientation))
            .expect("a readable image");
        let size = if orientation > 4 {
            (HEIGHT, WIDTH)
        } else {
            (WIDTH, HEIGHT)
        };
        assert_eq!(photo.full_size(), size, "orientation {orientation}");
        let x = if right { photo.width - 8 } else { 8 };
        let y = if bottom { photo.height - 8 } else { 8 };
        let at = ((y * photo.width + x) * 3) as usize;
        let dark = &photo.rgb[at..at + 3];
        assert!(
            dark[0] < 40 && dark[1] < 40 && dark[2] < 90,
            "orientation {orientation}: {dark:?}"
        );
    }
}

#[test]
fn limits_hold_for_the_whole_photo() {
    let file = drawn::jpeg(WIDTH, HEIGHT);
    let refusal = |limits| {
        let config = EngineConfig {
            limits,
            ..EngineConfig::default()
        };
        Engine::new(config)
            .expect("the embedded models load")
            .check(&file)
            .expect_err("no face")
    };
    for (side, code) in [
        (HEIGHT, ErrorCode::FaceCount),
        (HEIGHT + 1, ErrorCode::ResolutionTooLow),
    ] {
        let refusal = refusal(Limits {
            min_image_side: side,
            ..Limits::default()
        });
        assert_eq!(refusal.code(), code, "{refusal}");
    }
    let pixels = u64::from(WIDTH) * u64::from(HEIGHT);
    for (max_pixels, code) in [
        (pixels, ErrorCode::FaceCount),
        (pixels - 1, ErrorCode::ImageTooLarge),
    ] {
        let refusal = refusal(Limits {
            max_pixels,
            ..Limits::default()
        });
        assert_eq!(refusal.code(), code, "{refusal}");
    }
}

#[test]
fn damage_is_refused_or_read_and_never_panics() {
    let engine = engine();
    let whole = drawn::sampled_jpeg_of(&drawn::pattern(WIDTH, HEIGHT), Sampling::Quartered, 9);
    let allowed = [ErrorCode::UnreadableImage, ErrorCode::ImageTooLarge];
    // Every header byte would take minutes; these are spread over header and data.
    let header = (0..700).step_by(23);
    let data = (700..whole.len()).step_by(whole.len() / 30);
    for at in header.chain(data) {
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        if let Err(refusal) = engine.decode(&file) {
            assert!(allowed.contains(&refusal.code()), "byte {at}: {refusal}");
        }
    }
    for percent in (0..100).step_by(9) {
        let cut = &whole[..whole.len() * percent / 100];
        let refusal = engine.decode(cut).expect_err("cut off");
        assert_eq!(refusal.code(), ErrorCode::UnreadableImage, "{percent} %");
    }
}

#[derive(Deserialize)]
struct Row {
    image: String,
    source: String,
}

/// Photos of `pad_dev` that are judged at both sizes.
const PHOTOS: usize = 16;

/// A photo as a camera of eight megapixels would have written it; `near`, or with twice the distance
/// at the lower right of a grey wall; and held upright, or `turned`.
fn enlarged(file: &[u8], near: bool, turned: bool) -> Vec<u8> {
    let photo = image::load_from_memory(file).expect("a photo").into_rgb8();
    let (width, height) = (3272, 2454);
    let filter = imageops::FilterType::CatmullRom;
    let large = if near {
        imageops::resize(&photo, width, height, filter)
    } else {
        let mut wall = RgbImage::from_pixel(width, height, Rgb([120, 124, 128]));
        let far = imageops::resize(&photo, width / 2, height / 2, filter);
        imageops::replace(&mut wall, &far, i64::from(width / 2), i64::from(height / 2));
        wall
    };
    // What orientation 6 makes upright again.
    let stored = if turned {
        imageops::rotate270(&large)
    } else {
        large
    };
    let mut file = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut file, 90)
        .encode_image(&stored)
        .expect("a JPEG");
    let file = file.into_inner();
    if turned {
        drawn::with_orientation(&file, 6)
    } else {
        file
    }
}

#[test]
fn a_reduced_photo_gets_the_verdict_of_the_whole_one() {
    let Some(folder) = real::folder("verdicts of reduced photos") else {
        return;
    };
    let rows: Vec<Row> = real::rows(&folder, "pad_dev");
    let of = |source: &str| -> Vec<String> {
        let all: Vec<&Row> = rows.iter().filter(|row| row.source == source).collect();
        all.iter()
            .step_by(all.len() / (PHOTOS / 2))
            .map(|row| row.image.clone())
            .collect()
    };
    let wanted: HashSet<String> = of("nuaa").into_iter().chain(of("replay-attack")).collect();
    let engine = engine();
    let (mut verdicts, mut reduced, mut far, mut worst) = (0, 0, 0, 0.0_f32);
    for (number, (name, file)) in real::images(&folder, "pad_dev", &wanted)
        .into_iter()
        .enumerate()
    {
        // Some faces need every pixel, and some photos are turned by their viewer.
        let file = enlarged(&file, number % 4 > 0, number % 3 == 0);
        let photo = engine.decode(&file).expect("a readable image");
        reduced += usize::from(photo.reduction() > 1);
        let whole = engine.decode_whole(&file).expect("a readable image");
        assert_eq!(photo.full_size(), whole.full_size());
        match (engine.judge(&photo), engine.judge(&whole)) {
            (Ok(photo), Ok(whole)) => {
                verdicts += 1;
                far += usize::from(photo.details.face.bbox.width() < 640.0);
                worst = worst.max((photo.score - whole.score).abs());
                assert_same(&name, &photo, &whole);
            }
            (photo, whole) => assert_eq!(
                photo.err().map(|refusal| refusal.code()),
                whole.err().map(|refusal| refusal.code()),
                "{name}"
            ),
        }
    }
    println!(
        "{verdicts} verdicts, {reduced} reduced, {far} of far faces: scores differ by {worst:.4} at most"
    );
    assert!(reduced * 2 > verdicts, "only {reduced} photos were reduced");
    assert!(far > 0, "no face needed every pixel");
}

fn assert_same(name: &str, photo: &Verdict, whole: &Verdict) {
    assert_eq!(photo.live, whole.live, "{name}");
    assert!(
        (photo.score - whole.score).abs() < 0.05,
        "{name}: {} and {}",
        photo.score,
        whole.score
    );
    let (one, two) = (&photo.details, &whole.details);
    assert_eq!(one.image, two.image, "{name}");
    assert!((one.mask_score - two.mask_score).abs() < 0.05, "{name}");
    let overlap = one.face.bbox.iou(&two.face.bbox);
    assert!(overlap > 0.95, "{name}: the boxes overlap by {overlap}");
}
