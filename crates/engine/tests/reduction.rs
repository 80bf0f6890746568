//! Large JPEGs are read at a reduced size: what is seen, what is said of them, and that verdicts
//! stay the same.

use std::{io::Cursor, path::Path};

use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use livecheck_engine::{Engine, EngineConfig, Limits, Photo, Rejection};
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
        let photo = engine.locate(&file).expect("a readable image").photo;
        assert!(photo.reduction() > 1, "{name}");
        assert_eq!(photo.full_size(), (WIDTH, HEIGHT), "{name}");
        assert_eq!(photo.width, WIDTH.div_ceil(photo.reduction()), "{name}");
        assert_eq!(photo.height, HEIGHT.div_ceil(photo.reduction()), "{name}");
        let deviation = deviation(&photo, &pattern);
        assert!(deviation < 4.0, "{name}: {deviation} grey levels off");
        let whole = engine.locate_whole(&file).expect("a readable image").photo;
        assert_eq!((whole.width, whole.height), (WIDTH, HEIGHT), "{name}");
    }
    let grey = engine
        .locate(&drawn::grey_jpeg_of(&pattern))
        .expect("grey")
        .photo;
    assert!(grey.reduction() > 1);
    assert!(
        grey.rgb
            .chunks_exact(3)
            .all(|p| p[0] == p[1] && p[1] == p[2])
    );
}

#[test]
fn every_kind_of_large_jpeg_is_reduced_and_a_small_one_is_not() {
    let engine = engine();
    let pattern = drawn::pattern(WIDTH, HEIGHT);
    for (name, file) in [
        ("progressive", drawn::jpeg_of(&pattern, true)),
        ("CMYK", drawn::cmyk_jpeg_of(&pattern)),
    ] {
        let photo = engine.locate(&file).expect("a readable image").photo;
        assert!(photo.reduction() > 1, "{name}");
        assert_eq!(photo.full_size(), (WIDTH, HEIGHT), "{name}");
        let deviation = deviation(&photo, &pattern);
        assert!(deviation < 4.0, "{name}: {deviation} grey levels off");
    }
    let photo = engine
        .locate(&drawn::jpeg(1200, 900))
        .expect("a photo")
        .photo;
    assert_eq!(photo.reduction(), 1);
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
            .locate(&drawn::with_orientation(&jpeg, orientation))
            .expect("a readable image")
            .photo;
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
    for (side, code) in [(HEIGHT, "051"), (HEIGHT + 1, "007")] {
        let refusal = refusal(Limits {
            min_image_side: side,
            ..Limits::default()
        });
        assert_eq!(refusal.code(), code, "{refusal}");
    }
    let pixels = u64::from(WIDTH) * u64::from(HEIGHT);
    for (max_pixels, code) in [(pixels, "051"), (pixels - 1, "003")] {
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
    let allowed = ["002", "003"];
    // Every header byte would take minutes; these are spread over header and data.
    let header = (0..700).step_by(23);
    let data = (700..whole.len()).step_by(whole.len() / 30);
    for at in header.chain(data) {
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        if let Err(refusal) = engine.locate(&file) {
            assert!(allowed.contains(&refusal.code()), "byte {at}: {refusal}");
        }
    }
    for percent in (0..100).step_by(9) {
        let cut = &whole[..whole.len() * percent / 100];
        let refusal = engine.locate(cut).expect_err("cut off");
        assert_eq!(refusal.code(), "002", "{percent} %");
    }
}

/// Photos of `pad_dev` that are judged at both sizes.
const PHOTOS: usize = 16;

/// Size of the photos made here: eight megapixels.
const LARGE: (u32, u32) = (3272, 2454);

/// A photo enlarged to [`LARGE`]; `near`, or with twice the distance at the lower right of a grey wall.
fn enlarged(file: &[u8], near: bool) -> RgbImage {
    let photo = image::load_from_memory(file).expect("a photo").into_rgb8();
    let (width, height) = LARGE;
    let filter = imageops::FilterType::CatmullRom;
    if near {
        return imageops::resize(&photo, width, height, filter);
    }
    let mut wall = RgbImage::from_pixel(width, height, Rgb([120, 124, 128]));
    let far = imageops::resize(&photo, width / 2, height / 2, filter);
    imageops::replace(&mut wall, &far, i64::from(width / 2), i64::from(height / 2));
    wall
}

/// The file that a camera would have written, held upright or `turned`.
fn written(photo: &RgbImage, turned: bool) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 90);
    if turned {
        // What orientation 6 makes upright again.
        let encoded = encoder.encode_image(&imageops::rotate270(photo));
        encoded.expect("a JPEG");
        return drawn::with_orientation(&file.into_inner(), 6);
    }
    encoder.encode_image(photo).expect("a JPEG");
    file.into_inner()
}

/// How photos were judged at both sizes.
#[derive(Default)]
struct Compared {
    reduced: usize,
    /// Faces that needed every pixel.
    far: usize,
    /// Differences of liveness scores, and of mask scores, one of each verdict.
    differences: Vec<f32>,
    mask_differences: Vec<f32>,
    /// Photos whose verdict is another, and by how much their scores differ.
    turned: Vec<(String, f32)>,
    /// Photos in which one face more is counted one way than the other, and how far the score of
    /// that face is from the threshold where it counts or where it is named.
    recounted: Vec<(String, f32)>,
}

/// Scores of a face that counts in one picture and not in the other lie within so much of the threshold.
const NEAR_THRESHOLD: f32 = 0.10;

/// How far the weakest face that was counted is above the threshold, or, where none was, the best
/// below it.
fn margin(scores: &[f32], threshold: f32, best_below: Option<f32>) -> f32 {
    match scores.last() {
        Some(weakest) => weakest - threshold,
        None => threshold - best_below.unwrap_or(0.0),
    }
}

impl Compared {
    /// Judges the file as it comes and read whole; the face must be the same one.
    fn judge(&mut self, engine: &Engine, name: &str, file: &[u8]) {
        let photo = engine.locate(file).expect("a readable image");
        self.reduced += usize::from(photo.photo.reduction() > 1);
        let whole = engine.locate_whole(file).expect("a readable image");
        assert_eq!(photo.photo.full_size(), whole.photo.full_size());
        match (engine.judge(&photo), engine.judge(&whole)) {
            (Ok(photo), Ok(whole)) => {
                self.far += usize::from(photo.details.face.bbox.width() < 640.0);
                let difference = (photo.score - whole.score).abs();
                self.differences.push(difference);
                if photo.live != whole.live {
                    let [reduced, whole] = [photo.score, whole.score];
                    println!("{name}: {reduced:.3} reduced, {whole:.3} whole");
                    self.turned.push((name.to_owned(), difference));
                }
                let (one, two) = (&photo.details, &whole.details);
                self.mask_differences
                    .push((one.mask_score - two.mask_score).abs());
                assert_eq!(one.image, two.image, "{name}");
                let overlap = one.face.bbox.iou(&two.face.bbox);
                assert!(overlap > 0.95, "{name}: the boxes overlap by {overlap}");
            }
            // The refiner sees a small face sharper in the whole photo.
            (
                Err(Rejection::FaceCount {
                    scores,
                    threshold,
                    best_below,
                }),
                Ok(_),
            )
            | (
                Ok(_),
                Err(Rejection::FaceCount {
                    scores,
                    threshold,
                    best_below,
                }),
            ) => {
                let margin = margin(&scores, threshold, best_below);
                println!("{name}: faces {scores:.3?}, single the other way");
                self.recounted.push((name.to_owned(), margin));
            }
            (photo, whole) => assert_eq!(
                photo.err().map(|refusal| refusal.code()),
                whole.err().map(|refusal| refusal.code()),
                "{name}"
            ),
        }
    }

    /// Faces are counted alike in nine of ten photos, and elsewhere the face in question is near the
    /// threshold.
    fn assert_counted_alike(&self) {
        let photos = self.differences.len() + self.recounted.len();
        assert!(
            self.recounted.len() * 10 <= photos,
            "{:?} of {photos}",
            self.recounted
        );
        for (name, margin) in &self.recounted {
            assert!(*margin < NEAR_THRESHOLD, "{name}: {margin}");
        }
    }

    /// Median and largest difference, of the liveness scores and of the mask scores.
    fn spread(&mut self) -> [[f32; 2]; 2] {
        let spread = [&mut self.differences, &mut self.mask_differences].map(|differences| {
            differences.sort_by(f32::total_cmp);
            [differences.len() / 2, differences.len() - 1].map(|at| differences[at])
        });
        println!("liveness and mask scores differ by {spread:.4?} (median, most)");
        spread
    }
}

/// Files of some photos of `pad_dev`, of both webcams.
fn faces(folder: &Path) -> Vec<(String, Vec<u8>)> {
    ["nuaa", "replay-attack"]
        .into_iter()
        .flat_map(|source| {
            real::spread(folder, "pad_dev", PHOTOS / 2, |row| row["source"] == source)
        })
        .collect()
}

#[test]
fn a_reduced_photo_gets_the_verdict_of_the_whole_one() {
    let Some(folder) = real::folder("verdicts of reduced photos") else {
        return;
    };
    let engine = engine();
    let mut compared = Compared::default();
    for (number, (name, file)) in faces(&folder).into_iter().enumerate() {
        // Some faces need every pixel, and some photos are turned by their viewer.
        let photo = enlarged(&file, number % 4 > 0);
        compared.judge(&engine, &name, &written(&photo, number % 3 == 0));
    }
    let Compared { reduced, far, .. } = compared;
    let verdicts = compared.differences.len();
    println!("{verdicts} verdicts, {reduced} reduced, {far} of far faces");
    compared.assert_counted_alike();
    let [[_, worst], [_, worst_mask]] = compared.spread();
    assert!(worst < 0.05, "scores differ by up to {worst}");
    // That neither is refused where the other is not, `judge` has seen to.
    assert!(worst_mask < 0.1, "mask scores differ by up to {worst_mask}");
    assert!(compared.turned.is_empty(), "{:?}", compared.turned);
    assert!(reduced * 2 > verdicts, "only {reduced} photos were reduced");
    assert!(far > 0, "no face needed every pixel");
}

/// A patch of a photographer's photo, at its own size.
#[derive(Deserialize)]
struct Patch {
    image: String,
    source: String,
    class: String,
}

/// Patches that cover [`LARGE`].
const PATCHES: usize = 88;

/// Lays what is finer than a few pixels in the patches over the photo, one beside the other.
fn lay_grain(photo: &mut RgbImage, patches: &[RgbImage]) {
    let mut grains = patches.iter().cycle();
    let side = patches[0].width();
    for top in (0..photo.height()).step_by(side as usize) {
        for left in (0..photo.width()).step_by(side as usize) {
            let patch = grains.next().expect("a patch");
            let smooth = imageops::fast_blur(patch, 3.0);
            for (x, y, grain) in patch.enumerate_pixels() {
                if let Some(pixel) = photo.get_pixel_mut_checked(left + x, top + y) {
                    let smooth = smooth.get_pixel(x, y);
                    for channel in 0..3 {
                        let level = i16::from(pixel[channel]) + i16::from(grain[channel])
                            - i16::from(smooth[channel]);
                        pixel[channel] = level.clamp(0, 255) as u8;
                    }
                }
            }
        }
    }
}

/// Scores of photos with such grain may differ by so much where that turns a verdict: both lie at the
/// threshold then. A face at the end of the refiner's range is looked at again in one of the two alone,
/// which moves its box.
const AT_THRESHOLD: f32 = 0.04;

/// Enlarged photos have no grain of a camera's own at their size; these get that of phone photos of
/// scenes and of screens.
#[test]
fn grain_of_phone_photos_is_judged_alike_reduced_and_whole() {
    let Some(folder) = real::folder("verdicts of reduced photos with grain") else {
        return;
    };
    let rows: Vec<Patch> = real::rows(&folder, "recapture");
    let engine = engine();
    let mut compared = Compared::default();
    let photographers = ["MANYAGOEL123", "Ishika-Tanwar", "agrawalanshika"];
    let kinds = photographers
        .into_iter()
        .flat_map(|source| [(source, "real"), (source, "replay")]);
    let faces = faces(&folder);
    for (number, (source, class)) in kinds.enumerate() {
        let of_kind = rows
            .iter()
            .filter(|row| row.source == source && row.class == class);
        let wanted = of_kind.take(PATCHES).map(|row| row.image.clone()).collect();
        let mut patches: Vec<_> = real::images(&folder, "recapture", &wanted)
            .into_iter()
            .collect();
        patches.sort();
        let patches: Vec<RgbImage> = patches
            .iter()
            .map(|(_, file)| image::load_from_memory(file).expect("a patch").into_rgb8())
            .collect();
        for (name, file) in faces.iter().skip(number % 4).step_by(4) {
            let mut photo = enlarged(file, true);
            lay_grain(&mut photo, &patches);
            let name = format!("{name} with grain of {source}, {class}");
            compared.judge(&engine, &name, &written(&photo, false));
        }
    }
    let (verdicts, reduced) = (compared.differences.len(), compared.reduced);
    println!("{verdicts} verdicts, {reduced} reduced");
    compared.assert_counted_alike();
    let [[median, _], _] = compared.spread();
    assert!(median < 0.05, "scores differ by {median} in the median");
    let turned = compared.turned;
    assert!(turned.len() * 10 <= verdicts, "{turned:?} of {verdicts}");
    assert!(
        turned.iter().all(|turned| turned.1 <= AT_THRESHOLD),
        "{turned:?}"
    );
    assert!(reduced * 2 > verdicts, "only {reduced} photos were reduced");
}
