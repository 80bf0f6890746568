//! Photos that lie on their side or upside down without a word of EXIF, bars about them, and faces that
//! the edge cuts: on real photos, where `LIVECHECK_DATA` names them.

use std::{io::Cursor, time::Instant};

use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use livecheck_engine::{Engine, EngineConfig, Limits};
use livecheck_testing::real;

const PHOTOS: usize = 60;

fn engine() -> Engine {
    Engine::new(EngineConfig {
        limits: Limits {
            min_image_side: 200,
            min_face_side: 40,
            ..Limits::default()
        },
        ..EngineConfig::default()
    })
    .expect("the embedded models load")
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut file, 92)
        .encode_image(image)
        .expect("a JPEG");
    file.into_inner()
}

#[test]
fn a_turned_face_is_judged_upright_and_never_called_masked() {
    let Some(folder) = real::folder("turned real photos") else {
        return;
    };
    let engine = engine();
    let (mut upright, mut found, mut same, mut masked) = (0, [0; 4], [0; 4], [0; 4]);
    let mut time = [0.0; 4];
    for (_, file) in real::spread(&folder, "pad_dev", PHOTOS, |_| true) {
        let image = image::load_from_memory(&file).expect("a photo").into_rgb8();
        let Ok(verdict) = engine.check(&jpeg(&image)) else {
            continue;
        };
        upright += 1;
        for (at, image) in [
            image.clone(),
            imageops::rotate270(&image),
            imageops::rotate180(&image),
            imageops::rotate90(&image),
        ]
        .iter()
        .enumerate()
        {
            let file = jpeg(image);
            let start = Instant::now();
            let answer = engine.check(&file);
            time[at] += start.elapsed().as_secs_f64() * 1e3;
            match answer {
                Ok(turned) => {
                    found[at] += usize::from(usize::from(turned.details.image.rotated) == 90 * at);
                    same[at] += usize::from(turned.live == verdict.live);
                }
                Err(refusal) => masked[at] += usize::from(refusal.code() == "052"),
            }
        }
    }
    println!(
        "of {upright}: turned right {found:?}, same verdict {same:?}, masked {masked:?}, {:.1?} ms",
        time.map(|time| time / upright as f64)
    );
    assert!(upright * 2 > PHOTOS, "only {upright} verdicts");
    assert_eq!(masked[2], 0, "upside down, a face was called masked");
    for at in 0..4 {
        assert!(found[at] * 4 >= upright * 3, "{found:?} of {upright}");
    }
    assert_eq!(found[0], upright, "an upright photo was turned");
}

#[test]
fn a_frame_changes_no_verdict_and_no_box_but_by_its_width() {
    let Some(folder) = real::folder("framed real photos") else {
        return;
    };
    let engine = engine();
    let (mut judged, mut cut, mut differ) = (0, 0, Vec::new());
    for (name, file) in real::spread(&folder, "webcams", PHOTOS, |_| true) {
        let image = image::load_from_memory(&file).expect("a photo").into_rgb8();
        let Ok(verdict) = engine.check(&jpeg(&image)) else {
            continue;
        };
        judged += 1;
        let (width, height) = image.dimensions();
        let mut framed = RgbImage::from_pixel(width + 32, height + 32, Rgb([0; 3]));
        imageops::replace(&mut framed, &image, 16, 16);
        let Ok(other) = engine.check(&jpeg(&framed)) else {
            differ.push(name);
            continue;
        };
        let content = other.details.image.content;
        if (content.width(), content.height()) != (width, height) {
            continue;
        }
        cut += 1;
        let moved = other.details.face.bbox.x0 - verdict.details.face.bbox.x0;
        assert!((moved - 16.0).abs() < 2.0, "{name}: moved by {moved}");
        if other.live != verdict.live {
            differ.push(name);
        }
    }
    println!("{judged} judged, {cut} frames cut, {differ:?} differ");
    assert!(cut * 10 >= judged * 8, "{cut} frames of {judged} cut");
    assert!(differ.len() * 20 <= judged, "{differ:?}");
}
