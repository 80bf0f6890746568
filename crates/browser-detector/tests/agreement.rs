//! What the page's detector sees is what the service's own detector sees.

use std::path::Path;

use image::{
    RgbImage, RgbaImage,
    imageops::{self, FilterType},
};
use livecheck_browser_detector::{Detector, Face};
use livecheck_engine::{Engine, EngineConfig};
use livecheck_testing::{drawn, portrait::portrait, real};

/// The longer side that the page draws the camera's picture at.
const SIDE: u32 = 256;

/// The best face of a photo, its places in pixels of the photo.
fn seen(detector: &Detector, photo: &RgbImage) -> Option<Face> {
    let scale = f64::from(SIDE) / f64::from(photo.width().max(photo.height()));
    let [width, height] =
        [photo.width(), photo.height()].map(|side| (f64::from(side) * scale).round() as u32);
    let small = imageops::resize(photo, width, height, FilterType::Triangle);
    let [full_width, full_height] = [width, height].map(|side| side.next_multiple_of(32));
    let mut canvas = RgbaImage::new(full_width, full_height);
    for (x, y, pixel) in small.enumerate_pixels() {
        let [r, g, b] = pixel.0;
        canvas.put_pixel(x, y, image::Rgba([r, g, b, 255]));
    }
    let faces = detector.detect(canvas.as_raw(), full_width as usize, full_height as usize);
    let scale = scale as f32;
    faces.first().map(|face| Face {
        score: face.score,
        bbox: face.bbox.map(|at| at / scale),
        landmarks: face.landmarks.map(|point| point.map(|at| at / scale)),
    })
}

fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |c: [f32; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    width * height / (area(a) + area(b) - width * height)
}

#[test]
fn the_drawn_portrait_has_the_same_face_in_the_browser() {
    let engine = Engine::new(EngineConfig::default()).expect("an engine");
    let detector = Detector::new();
    for (width, height) in [(720, 900), (960, 720), (1280, 720), (480, 640)] {
        let photo = portrait(width, height);
        let expected = engine
            .check(&drawn::jpeg_of(&photo, false))
            .expect("a verdict")
            .details
            .face;
        let found = seen(&detector, &photo).expect("a face");
        let bbox = expected.bbox;
        let overlap = iou(found.bbox, [bbox.x0, bbox.y0, bbox.x1, bbox.y1]);
        assert!(overlap > 0.9, "{width} × {height}: IoU {overlap}");
        assert!(
            (found.score - expected.score).abs() < 0.05,
            "{width} × {height}: {} and {}",
            found.score,
            expected.score
        );
        for (ours, theirs) in found.landmarks.iter().zip(expected.landmarks) {
            let off = (ours[0] - theirs[0]).hypot(ours[1] - theirs[1]);
            assert!(off < 0.05 * bbox.width(), "{width} × {height}: {off} px");
        }
    }
}

#[test]
fn real_faces_are_found_where_the_service_finds_them() {
    let Some(folder) = real::folder("the page's detector on real photos") else {
        return;
    };
    // Many of these photos are small.
    let mut config = EngineConfig::default();
    config.limits.min_image_side = 96;
    config.limits.min_face_side = 48;
    let engine = Engine::new(config).expect("an engine");
    let detector = Detector::new();
    let (mut judged, mut missed, mut overlaps) = (0, 0, Vec::new());
    for (_, file) in real::spread(&folder, "faces", 300, |_| true) {
        let Ok(verdict) = engine.check(&file) else {
            continue;
        };
        judged += 1;
        let photo = image::load_from_memory(&file).expect("a photo").to_rgb8();
        let bbox = verdict.details.face.bbox;
        match seen(&detector, &photo).filter(|face| face.score >= 0.6) {
            Some(face) => overlaps.push(iou(face.bbox, [bbox.x0, bbox.y0, bbox.x1, bbox.y1])),
            None => missed += 1,
        }
    }
    overlaps.sort_by(f32::total_cmp);
    println!(
        "{judged} photos that the service judges: {missed} without a face at 0.60, median IoU {}",
        overlaps[overlaps.len() / 2]
    );
    assert!(judged >= 10, "{judged} photos");
    assert!(missed * 20 <= judged, "{missed} of {judged} are missed");
    assert!(overlaps[overlaps.len() / 10] > 0.8);
}

#[test]
fn pictures_of_a_wrong_size_have_no_faces() {
    let detector = Detector::new();
    for (bytes, width, height) in [
        (0, 0, 0),
        (4, 32, 32),
        (4 * 33 * 32, 33, 32),
        (4 * 32 * 32, usize::MAX, 32),
        (4 * 32 * 32, 32, 32),
    ] {
        assert!(detector.detect(&vec![128; bytes], width, height).is_empty());
    }
}

/// Holds without the wasm32 target; `cargo xtask wasm --check` compares the whole file.
#[test]
fn the_committed_module_has_the_weights_of_the_shipped_model() {
    let weights = include_bytes!(concat!(env!("OUT_DIR"), "/weights.bin"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/face-detector.wasm");
    let module = std::fs::read(&path).expect("web/face-detector.wasm");
    assert!(
        module
            .windows(weights.len())
            .any(|part| part == weights.as_slice()),
        "face-detector.onnx has changed: run `cargo xtask wasm` and commit web/face-detector.wasm"
    );
}
