//! Bars are found, and what is no bar stays.

use std::{collections::HashMap, io::Cursor, time::Instant};

use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use livecheck_testing::{drawn, real};

use super::content;
use crate::{decode::decode, photo::ContentBox, policy::Limits};

fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode_image(image)
        .expect("a JPEG");
    file.into_inner()
}

fn content_of(file: &[u8]) -> ContentBox {
    content(&decode(file, &Limits::default()).expect("a photo"))
}

/// The picture with bars of so many pixels at the left, top, right and bottom.
fn barred(image: &RgbImage, bars: [u32; 4], colour: Rgb<u8>) -> RgbImage {
    let [left, top, right, bottom] = bars;
    let mut barred = RgbImage::from_pixel(
        image.width() + left + right,
        image.height() + top + bottom,
        colour,
    );
    imageops::replace(&mut barred, image, i64::from(left), i64::from(top));
    barred
}

/// Whether what is left is the picture, a pixel more or less at sides that have a bar.
fn is_found(found: ContentBox, image: &RgbImage, bars: [u32; 4]) -> bool {
    let [left, top, right, bottom] = bars;
    let (width, height) = (image.width() + left + right, image.height() + top + bottom);
    let actual = [found.x0, found.y0, width - found.x1, height - found.y1];
    actual
        .iter()
        .zip(bars)
        .all(|(actual, bar)| actual.abs_diff(bar) <= u32::from(bar > 0))
}

const COLOURS: [(&str, Rgb<u8>); 5] = [
    ("black", Rgb([0; 3])),
    ("white", Rgb([255; 3])),
    ("grey", Rgb([50; 3])),
    ("red", Rgb([200, 30, 40])),
    ("blue", Rgb([20, 40, 160])),
];

/// A drawn picture whose edges are neither of [`COLOURS`] nor of one colour.
fn picture(width: u32, height: u32) -> RgbImage {
    let mut image = drawn::pattern(width, height);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let grain = ((x * 7919 + y * 104_729) % 61) as u8;
        pixel.0 = pixel.0.map(|level| level / 3 + 90 + grain / 2);
    }
    image
}

#[test]
fn bars_of_any_colour_on_any_side_are_cut() {
    let image = picture(400, 320);
    for (name, colour) in COLOURS {
        for bars in [
            [0, 40, 0, 40],
            [60, 0, 60, 0],
            [16, 16, 16, 16],
            [8, 8, 8, 8],
            [0, 0, 0, 24],
            [30, 0, 0, 0],
            [0, 12, 0, 0],
            [300, 0, 300, 0],
        ] {
            for quality in [60, 95] {
                let file = jpeg(&barred(&image, bars, colour), quality);
                let found = content_of(&file);
                assert!(
                    is_found(found, &image, bars),
                    "{name}, {bars:?}, quality {quality}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_bar_stays() {
    let side = 400;
    let at = |x: u32, y: u32| f64::from((x * 7919 + y * 104_729) % 61) / 61.0;
    let dark_room = RgbImage::from_fn(side, side, |x, y| {
        // Black towards the edges, without a step.
        let away = (f64::from(x) - 200.0).hypot(f64::from(y) - 200.0);
        Rgb([(160.0 - away + at(x, y) * 6.0).clamp(0.0, 255.0) as u8; 3])
    });
    let coat = RgbImage::from_fn(side, side, |x, y| {
        // A black coat at the lower edge, with a slanted shoulder.
        if y > 300 + x / 12 {
            Rgb([8; 3])
        } else {
            Rgb([170, 150, 140])
        }
    });
    let wall = RgbImage::from_fn(side, side, |x, y| {
        let (dx, dy) = (f64::from(x) - 200.0, f64::from(y) - 220.0);
        if dx.hypot(dy) < 140.0 {
            Rgb([190, 150, 130])
        } else {
            Rgb([252; 3])
        }
    });
    let soft = RgbImage::from_fn(side, side, |_, y| Rgb([(y * 255 / side) as u8; 3]));
    let plain = RgbImage::from_pixel(side, side, Rgb([30, 60, 90]));
    for (name, image) in [
        ("dark room", dark_room),
        ("coat", coat),
        ("wall", wall),
        ("soft", soft),
        ("plain", plain),
        ("picture", picture(side, side)),
    ] {
        let found = content_of(&jpeg(&image, 85));
        assert_eq!(found, ContentBox::whole(side, side), "{name}");
    }
}

/// Photos that get bars.
const BARRED: usize = 120;

#[test]
fn real_photos_keep_their_edges_and_lose_their_bars() {
    let Some(folder) = real::folder("borders of real photos") else {
        return;
    };
    let (mut photos, mut cut, mut time) = (0, Vec::new(), 0.0);
    let mut bases = Vec::new();
    for set in ["pad_dev", "webcams", "faces"] {
        for (name, file) in real::spread(&folder, set, usize::MAX, |_| true) {
            let Ok(photo) = decode(&file, &Limits::default()) else {
                continue;
            };
            photos += 1;
            let start = Instant::now();
            let found = content(&photo);
            time += start.elapsed().as_secs_f64();
            if found != ContentBox::whole(photo.width, photo.height) {
                cut.push(format!(
                    "{set}/{name} {}x{}: {found:?}",
                    photo.width, photo.height
                ));
            } else if photos % 23 == 0 && bases.len() < BARRED {
                let raster = RgbImage::from_raw(photo.width, photo.height, photo.rgb);
                bases.push(raster.expect("a photo"));
            }
        }
    }
    println!("{} of {photos} photos cut:\n{}", cut.len(), cut.join("\n"));
    println!("{:.3} ms a photo", time * 1e3 / f64::from(photos));
    let mut missed: HashMap<(u32, u8), [u32; 2]> = HashMap::new();
    let mut by_colour: HashMap<&str, [u32; 2]> = HashMap::new();
    for (number, base) in bases.iter().enumerate() {
        for (at, width) in [1, 2, 4, 8, 16, 24, 40, 0].into_iter().enumerate() {
            let (name, colour) = COLOURS[(number + at) % 3];
            let quality = [40, 60, 80, 95][(number / 3 + at) % 4];
            let (w, h) = base.dimensions();
            let bars = match (width, number % 4) {
                // To 9:16.
                (0, _) if w * 16 > h * 9 => {
                    let bar = (w * 16 / 9 - h) / 2;
                    [0, bar, 0, bar]
                }
                (0, _) => continue,
                (width, 0) => [width; 4],
                (width, 1) => [0, width, 0, width],
                (width, 2) => [width, 0, width, 0],
                (width, _) => [0, 0, 0, width],
            };
            let found = content_of(&jpeg(&barred(base, bars, colour), quality));
            let is_missed = u32::from(!is_found(found, base, bars));
            for count in [
                missed.entry((width, quality)).or_default(),
                by_colour.entry(name).or_default(),
            ] {
                count[0] += is_missed;
                count[1] += 1;
            }
        }
    }
    let mut missed: Vec<_> = missed.into_iter().collect();
    missed.sort_unstable();
    println!("missed (pixels, quality): {missed:?}\n{by_colour:?}");
}
