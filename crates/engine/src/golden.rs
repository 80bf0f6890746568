//! Holds crops and networks to what the training pipeline computes: the files in
//! `tests/golden/`, drawn and written by `python -m livecheck_training.golden`.

use std::{fs, path::PathBuf};

use livecheck_image::{FileLimits, decode};
use livecheck_testing::{drawn, real};
use serde::Deserialize;

use crate::{
    crop,
    face::{BBox, Face, Landmarks},
    inference::{
        FACE_DETECTOR, FACE_MASK, FACE_REFINER, InputSize, LIVENESS_GRAIN, LIVENESS_SMALL_CONTEXT,
        LIVENESS_SMALL_GRAIN, LIVENESS_VIEWS, MODELS, Model, Runtime, RuntimeChoice,
        RuntimeSettings,
    },
    photo::Photo,
    refine::{FaceRefiner, WINDOW_FACTOR},
};

/// Grey levels by which a resampled pixel may differ.
const LEVEL_TOLERANCE: u8 = 1;

/// Deviation of a net's output, relative to the larger of 1 and the value.
const OUTPUT_TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Golden {
    proposed_score: f32,
    window_factor: f64,
    window_size: u32,
    square_factors: Vec<f64>,
    square_size: u32,
    sampled_factor: f64,
    sampled_size: u32,
    aligned_size: u32,
    pictures: Vec<Picture>,
}

#[derive(Deserialize)]
struct Picture {
    name: String,
    #[serde(rename = "box")]
    bbox: [f32; 4],
    landmarks: Landmarks,
    roll: f64,
    letterbox_scale: [f32; 2],
    detector: DetectorAnswer,
    refiner: Vec<f32>,
    refined: RefinedAnswer,
    mask: f32,
    views: Vec<Vec<f32>>,
    grain: [f32; 3],
    small_context: [f32; 3],
    small_grain: [f32; 3],
}

#[derive(Deserialize)]
struct DetectorAnswer {
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct RefinedAnswer {
    score: f32,
    #[serde(rename = "box")]
    bbox: [f32; 4],
    landmarks: Landmarks,
}

#[derive(Deserialize)]
struct Cell {
    index: usize,
    score: f32,
    #[serde(rename = "box")]
    bbox: [f32; 4],
    landmarks: [f32; 10],
}

impl Picture {
    fn bbox(&self) -> BBox {
        let [x0, y0, x1, y1] = self.bbox;
        BBox { x0, y0, x1, y1 }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden() -> Golden {
    let text = fs::read_to_string(folder().join("golden.json")).expect("golden.json");
    serde_json::from_str(&text).expect("golden.json as the pipeline writes it")
}

fn picture(name: &str) -> Photo {
    let file = fs::read(folder().join(format!("{name}.png"))).expect("a golden picture");
    decode(&file, &FileLimits::default())
        .expect("a readable picture")
        .into()
}

fn assert_same_levels(name: &str, actual: &[u8], expected: &[u8]) {
    assert_eq!(actual.len(), expected.len(), "{name}");
    let worst = actual
        .iter()
        .zip(expected)
        .map(|(a, e)| a.abs_diff(*e))
        .max();
    assert!(worst <= Some(LEVEL_TOLERANCE), "{name}: {worst:?} levels");
}

#[test]
fn crops_agree_with_the_training_pipeline() {
    let golden = golden();
    assert_eq!(golden.window_factor.to_bits(), WINDOW_FACTOR.to_bits());
    for row in &golden.pictures {
        let photo = picture(&row.name);
        let crop_of = |kind: &str| picture(&format!("{}.{kind}", row.name)).rgb;

        let letterbox = crop::letterbox(&photo).expect("a crop");
        let expected = picture(&format!("{}.letterbox", row.name));
        assert_eq!(letterbox.size.width, expected.width, "{}", row.name);
        assert_same_levels(&row.name, &letterbox.rgb, &expected.rgb);
        for (actual, expected) in letterbox.scales.iter().zip(row.letterbox_scale) {
            assert!((actual - expected).abs() < 1e-6, "{}", row.name);
        }

        let window = crop::window_crop(
            &photo,
            &row.bbox(),
            golden.window_factor,
            golden.window_size,
        );
        assert_same_levels(&row.name, &window.expect("a crop"), &crop_of("window"));

        for (number, factor) in golden.square_factors.iter().enumerate() {
            let square = crop::square_crop(&photo, &row.bbox(), *factor, golden.square_size);
            let expected = crop_of(&format!("square{number}"));
            assert_same_levels(&row.name, &square.expect("a crop"), &expected);
        }

        let sampled = crop::sampled_crop(
            &photo,
            &row.bbox(),
            golden.sampled_factor,
            1.0,
            golden.sampled_size,
        );
        assert_same_levels(&row.name, &sampled, &crop_of("sampled"));

        let roll = crop::roll(&row.landmarks);
        assert!((roll - row.roll).abs() < 1e-5, "{}: {roll}", row.name);
        let turned = crop::turned_sampled_crop(
            &photo,
            &row.bbox(),
            golden.sampled_factor,
            1.0,
            row.roll,
            golden.sampled_size,
        );
        assert_same_levels(&row.name, &turned, &crop_of("turned"));

        let aligned = crop::aligned_crop(&photo, &row.landmarks, golden.aligned_size);
        assert_same_levels(&row.name, &aligned.expect("a crop"), &crop_of("aligned"));
    }
}

#[test]
fn proposals_are_refined_as_in_the_training_pipeline() {
    let golden = golden();
    let refiner = FaceRefiner::load(&Runtime::embedded()).expect("the refiner");
    for row in &golden.pictures {
        let mut faces = [Face {
            bbox: row.bbox(),
            landmarks: row.landmarks,
            score: golden.proposed_score,
        }];
        refiner
            .refine(&picture(&row.name), &mut faces)
            .expect("an answer");
        let [face] = faces;
        let BBox { x0, y0, x1, y1 } = face.bbox;
        assert_close(&row.name, face.score, row.refined.score);
        let corners = [x0, y0, x1, y1].into_iter().zip(row.refined.bbox);
        let points = face.landmarks.into_iter().flatten();
        for (actual, expected) in
            corners.chain(points.zip(row.refined.landmarks.into_iter().flatten()))
        {
            // A grey level of difference in the crop may move a point by a hundredth of a pixel.
            assert!(
                (actual - expected).abs() <= 0.1,
                "{}: {actual}, expected {expected}",
                row.name
            );
        }
    }
}

/// Photos on which both runtimes are compared.
const COMPARED: usize = 300;

/// Drawn pictures, and as many real photos as there are.
fn compared() -> Vec<Photo> {
    let mut files: Vec<Vec<u8>> = (0..12)
        .map(|step| drawn::jpeg(320 + 40 * step, 560 - 20 * step))
        .collect();
    if let Some(folder) = real::folder("both runtimes on real photos") {
        let photos = real::spread(&folder, "pad_dev", COMPARED, |_| true);
        files.extend(photos.into_iter().map(|(_, file)| file));
    }
    files
        .iter()
        .map(|file| {
            decode(file, &FileLimits::default())
                .expect("a photo")
                .into()
        })
        .collect()
}

#[test]
fn networks_give_the_same_numbers_on_both_runtimes() {
    let Some(library) = std::env::var_os("LIVECHECK_ONNXRUNTIME") else {
        eprintln!(
            "!!! LEFT OUT: networks on both runtimes: LIVECHECK_ONNXRUNTIME names no library"
        );
        return;
    };
    let other = Runtime::load(&RuntimeSettings {
        choice: RuntimeChoice::OnnxRuntime,
        library: Some(library.into()),
        ..RuntimeSettings::default()
    })
    .expect("ONNX Runtime loads");
    let photos = compared();
    for model in MODELS {
        let [one, two] = [Runtime::embedded(), other.clone()]
            .map(|runtime| runtime.load_model_here(model).expect("an embedded model"));
        for (number, photo) in photos.iter().enumerate() {
            // The same input for both: here it does not matter what it shows.
            let (rgb, size) = if model.largest.is_some() {
                let canvas = crop::letterbox(photo).expect("a crop");
                (canvas.rgb, canvas.size)
            } else {
                let side = one.size();
                let whole = BBox {
                    x0: 0.0,
                    y0: 0.0,
                    x1: photo.width as f32,
                    y1: photo.height as f32,
                };
                let square = crop::square_crop(photo, &whole, 1.0, side).expect("a crop");
                (square, InputSize::square(side))
            };
            let [one, two] = [&one, &two].map(|net| net.run(&rgb, size).expect("an answer"));
            assert_eq!(one.len(), two.len(), "{}", model.name);
            for (one, two) in one.iter().flatten().zip(two.iter().flatten()) {
                assert_close(&format!("{} on photo {number}", model.name), *two, *one);
            }
        }
    }
    println!("{} photos", photos.len());
}

fn assert_close(name: &str, actual: f32, expected: f32) {
    let tolerance = OUTPUT_TOLERANCE * expected.abs().max(1.0);
    // Written so that a NaN fails.
    assert!(
        (actual - expected).abs() <= tolerance,
        "{name}: {actual}, expected {expected}"
    );
}

#[test]
fn networks_agree_with_onnx_runtime() {
    let run = |model: &Model, crop: &Photo| {
        let network = Runtime::embedded()
            .load_model(model)
            .expect("an embedded model");
        let size = InputSize {
            width: crop.width,
            height: crop.height,
        };
        network.run(&crop.rgb, size).expect("an answer")
    };
    for row in &golden().pictures {
        let crop_of = |kind: &str| picture(&format!("{}.{kind}", row.name));

        let outputs = run(&FACE_DETECTOR, &crop_of("letterbox"));
        for cell in &row.detector.cells {
            assert_close(&row.name, outputs[0][cell.index], cell.score);
            for (actual, expected) in outputs[1][cell.index * 4..].iter().zip(cell.bbox) {
                assert_close(&row.name, *actual, expected);
            }
            for (actual, expected) in outputs[2][cell.index * 10..].iter().zip(cell.landmarks) {
                assert_close(&row.name, *actual, expected);
            }
        }
        assert_close(
            &row.name,
            run(&FACE_MASK, &crop_of("aligned"))[0][0],
            row.mask,
        );
        let mut cases = vec![
            (&FACE_REFINER, "window".to_owned(), row.refiner.as_slice()),
            (&LIVENESS_GRAIN, "sampled".to_owned(), &row.grain),
            (
                &LIVENESS_SMALL_GRAIN,
                "sampled".to_owned(),
                &row.small_grain,
            ),
            // Its view is the middle one.
            (
                &LIVENESS_SMALL_CONTEXT,
                "square1".to_owned(),
                &row.small_context,
            ),
        ];
        for (number, answer) in row.views.iter().enumerate() {
            cases.push((&LIVENESS_VIEWS, format!("square{number}"), answer));
        }
        for (model, kind, answer) in cases {
            let numbers = run(model, &crop_of(&kind)).remove(0);
            assert_eq!(numbers.len(), answer.len(), "{}", row.name);
            for (actual, expected) in numbers.into_iter().zip(answer) {
                assert_close(&row.name, actual, *expected);
            }
        }
    }
}
