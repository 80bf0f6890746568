//! The whole engine on real photos, where `LIVECHECK_DATA` names them. No model has learnt from
//! any image used here: `pad_dev` and the `test` split of `faces` are for evaluation only.

use std::{
    collections::{HashMap, HashSet},
    io::Cursor,
    sync::Mutex,
    thread,
};

use image::{DynamicImage, ImageFormat, RgbImage, imageops};
use livecheck_engine::{Engine, EngineConfig, Limits, Rejection, Verdict};
use livecheck_testing::real;
use serde::Deserialize;

/// The webcam frames of `pad_dev` are 320×240.
const WEBCAM_LIMITS: (u32, u32) = (200, 40);

fn engine() -> Engine {
    let (min_image_side, min_face_side) = WEBCAM_LIMITS;
    Engine::new(EngineConfig {
        limits: Limits {
            min_image_side,
            min_face_side,
            ..Limits::default()
        },
        ..EngineConfig::default()
    })
    .expect("the embedded models load")
}

#[derive(Deserialize)]
struct PadRow {
    image: String,
    source: String,
    class: String,
}

#[derive(Deserialize)]
struct FaceRow {
    image: String,
    source: String,
    split: String,
    label: String,
    #[serde(rename = "width")]
    image_width: f32,
    #[serde(rename = "w")]
    width: Option<f32>,
    #[serde(rename = "h")]
    height: Option<f32>,
}

/// The engine's answer for each file, on all cores.
fn judge_all(
    engine: &Engine,
    files: HashMap<String, Vec<u8>>,
) -> HashMap<String, Result<Verdict, Rejection>> {
    let todo = Mutex::new(files.into_iter());
    let done = Mutex::new(HashMap::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().expect("no panic").next();
                    let Some((name, file)) = next else { break };
                    let outcome = engine.check(&file);
                    done.lock().expect("no panic").insert(name, outcome);
                }
            });
        }
    });
    done.into_inner().expect("no panic")
}

/// Area under the ROC curve: the probability that a bona fide score exceeds an attack's
/// (Mann-Whitney; ties count half).
fn auc(bona_fide: &[f32], attacks: &[f32]) -> f64 {
    let wins: f64 = bona_fide
        .iter()
        .flat_map(|live| attacks.iter().map(move |attack| live.total_cmp(attack)))
        .map(|order| match order {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    wins / (bona_fide.len() * attacks.len()) as f64
}

#[test]
fn liveness_separates_people_from_prints_and_screens_it_never_saw() {
    let Some(folder) = real::folder("liveness on pad_dev") else {
        return;
    };
    let rows: Vec<PadRow> = real::rows(&folder, "pad_dev");
    let wanted = rows.iter().map(|row| row.image.clone()).collect();
    let outcomes = judge_all(&engine(), real::images(&folder, "pad_dev", &wanted));

    let refused = outcomes.values().filter(|outcome| outcome.is_err()).count();
    println!("pad_dev: {refused} of {} refused", rows.len());
    // What the shipped nets have, less a little: .978 and 1.000.
    for (source, least) in [("replay-attack", 0.972), ("nuaa", 0.995)] {
        let scores = |live: bool| -> Vec<f32> {
            rows.iter()
                .filter(|row| row.source == source && (row.class == "live") == live)
                .filter_map(|row| Some(outcomes[&row.image].as_ref().ok()?.score))
                .collect()
        };
        let (live, attacks) = (scores(true), scores(false));
        let auc = auc(&live, &attacks);
        println!(
            "pad_dev {source}: AUC {auc:.4}, {} bona fide, {} attacks",
            live.len(),
            attacks.len()
        );
        assert!(auc >= least, "{source}: AUC {auc} is below {least}");
    }
    assert!(
        refused * 20 <= rows.len(),
        "{refused} of {} webcam frames were refused",
        rows.len()
    );
}

#[test]
fn pictures_without_a_face_have_none() {
    let Some(folder) = real::folder("face-free pictures") else {
        return;
    };
    let rows: Vec<FaceRow> = real::rows(&folder, "faces");
    let wanted: HashSet<String> = rows
        .iter()
        .filter(|row| row.split == "test" && row.label == "none")
        .map(|row| row.image.clone())
        .collect();
    let outcomes = judge_all(&engine(), real::images(&folder, "faces", &wanted));
    let false_faces: Vec<&String> = outcomes
        .iter()
        .filter(|(_, outcome)| match outcome {
            Err(Rejection::FaceCount { scores, .. }) => !scores.is_empty(),
            Err(rejection) => rejection.code() != "007",
            Ok(_) => true,
        })
        .map(|(name, _)| name)
        .collect();
    println!(
        "{} of {} face-free pictures with a face",
        false_faces.len(),
        wanted.len()
    );
    assert!(false_faces.len() * 100 <= wanted.len(), "{false_faces:?}");
}

/// A face narrower than this share of the picture is too small for a selfie.
const SMALLEST_SHARE: f32 = 0.05;

#[test]
fn one_face_or_not_is_told_on_hand_labelled_pictures() {
    let Some(folder) = real::folder("one face or not") else {
        return;
    };
    let rows: Vec<FaceRow> = real::rows(&folder, "faces");
    let mut widths_of: HashMap<&str, Vec<f32>> = HashMap::new();
    for row in rows
        .iter()
        .filter(|row| row.split == "test" && row.source == "jolignier")
    {
        let share = row.width.map_or(0.0, |width| width / row.image_width);
        widths_of.entry(&row.image).or_default().push(share);
    }
    widths_of.retain(|_, widths| widths.iter().all(|share| *share >= SMALLEST_SHARE));
    let wanted = widths_of.keys().map(|name| (*name).to_owned()).collect();
    let outcomes = judge_all(&engine(), real::images(&folder, "faces", &wanted));

    let mut right = Vec::new();
    for (name, widths) in widths_of {
        let single = match &outcomes[name] {
            Ok(_) | Err(Rejection::FaceMask { .. }) => true,
            Err(Rejection::FaceCount { .. }) => false,
            // Too small a picture or face.
            Err(_) => continue,
        };
        right.push(single == (widths.len() == 1));
    }
    let hits = right.iter().filter(|right| **right).count();
    println!("one face or not: {hits} of {} right", right.len());
    assert!(right.len() >= 250, "{} pictures", right.len());
    // What the shipped nets have, less a little.
    assert!(hits * 100 >= right.len() * 90, "{hits} of {}", right.len());
}

#[test]
fn a_masked_face_is_refused_and_a_bare_one_is_not() {
    let Some(folder) = real::folder("masks") else {
        return;
    };
    let rows: Vec<FaceRow> = real::rows(&folder, "faces");
    let mut faces_of: HashMap<&str, Vec<&FaceRow>> = HashMap::new();
    for row in rows
        .iter()
        .filter(|row| row.split == "test" && row.source == "jolignier")
    {
        faces_of.entry(&row.image).or_default().push(row);
    }
    // Images with one face of at least 64 pixels and no other.
    let singles: HashMap<String, bool> = faces_of
        .values()
        .filter_map(|faces| match faces.as_slice() {
            [face] if face.width? >= 64.0 && face.height? >= 64.0 => {
                let masked = match face.label.as_str() {
                    "with_mask" => true,
                    "without_mask" => false,
                    _ => return None,
                };
                Some((face.image.clone(), masked))
            }
            _ => None,
        })
        .collect();
    let wanted = singles.keys().cloned().collect();
    let outcomes = judge_all(&engine(), real::images(&folder, "faces", &wanted));

    let mut right = [0_u32, 0];
    let mut of = [0_u32, 0];
    for (name, masked) in &singles {
        let refused = match &outcomes[name] {
            Err(Rejection::FaceMask { .. }) => true,
            Ok(_) => false,
            // The detector's business, not the mask net's.
            Err(_) => continue,
        };
        of[usize::from(*masked)] += 1;
        right[usize::from(*masked)] += u32::from(refused == *masked);
    }
    println!(
        "bare faces right {}/{}, masked {}/{}",
        right[0], of[0], right[1], of[1]
    );
    let balanced =
        (f64::from(right[0]) / f64::from(of[0]) + f64::from(right[1]) / f64::from(of[1])) / 2.0;
    assert!(balanced >= 0.95, "balanced accuracy {balanced}");
}

#[test]
fn two_faces_are_counted() {
    let Some(folder) = real::folder("two faces") else {
        return;
    };
    let rows: Vec<PadRow> = real::rows(&folder, "pad_dev");
    let live: Vec<&PadRow> = rows
        .iter()
        .filter(|row| row.source == "nuaa" && row.class == "live")
        .collect();
    let pair = [&live[0].image, &live[live.len() / 2].image];
    let files = real::images(
        &folder,
        "pad_dev",
        &pair.iter().map(|n| (*n).clone()).collect(),
    );
    let photos = pair.map(|name| {
        image::load_from_memory(&files[name])
            .expect("a photo")
            .into_rgb8()
    });
    let mut both = RgbImage::new(
        photos[0].width() + photos[1].width(),
        photos[0].height().max(photos[1].height()),
    );
    imageops::replace(&mut both, &photos[0], 0, 0);
    imageops::replace(&mut both, &photos[1], i64::from(photos[0].width()), 0);
    let mut file = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(both)
        .write_to(&mut file, ImageFormat::Png)
        .expect("a PNG");
    let refusal = engine().check(file.get_ref()).expect_err("two faces");
    assert_eq!(refusal.code(), "051");
    assert!(
        refusal.to_string().starts_with("2 faces found"),
        "{refusal}"
    );
}
