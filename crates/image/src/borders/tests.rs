//! Bars and fills are found, and what is neither stays.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use image::{Rgb, RgbImage, imageops};
use livecheck_testing::{drawn, real};

use super::content;
use crate::{ContentBox, DecodedImage, FileLimits, decode};

fn left_of(photo: &DecodedImage) -> ContentBox {
    content(photo.width, photo.height, &photo.rgb)
}

fn content_of(file: &[u8]) -> ContentBox {
    left_of(&decode(file, &FileLimits::default()).expect("a photo"))
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

/// The picture before itself, enlarged until it covers the bars and blurred over a share of its side.
fn filled(image: &RgbImage, bars: [u32; 4], blur: f32) -> RgbImage {
    let [left, top, right, bottom] = bars;
    let (width, height) = (image.width() + left + right, image.height() + top + bottom);
    let scale = f64::from(width) / f64::from(image.width());
    let scale = scale.max(f64::from(height) / f64::from(image.height()));
    let side = |side: u32, least: u32| ((f64::from(side) * scale).ceil() as u32).max(least);
    let (covering_width, covering_height) =
        (side(image.width(), width), side(image.height(), height));
    // A quarter of the pixels: blurring costs by the pixel.
    let small = imageops::resize(
        image,
        image.width() / 4,
        image.height() / 4,
        imageops::FilterType::Triangle,
    );
    let small = imageops::fast_blur(
        &small,
        blur * image.width().max(image.height()) as f32 / 4.0,
    );
    let covering = imageops::resize(
        &small,
        covering_width,
        covering_height,
        imageops::FilterType::CatmullRom,
    );
    let (x, y) = ((covering_width - width) / 2, (covering_height - height) / 2);
    let mut filled = imageops::crop_imm(&covering, x, y, width, height).to_image();
    imageops::replace(&mut filled, image, i64::from(left), i64::from(top));
    filled
}

/// Bars that bring a picture to a ratio of its sides, half on either side.
fn bars_to(ratio: f64, (width, height): (u32, u32)) -> [u32; 4] {
    let (w, h) = (f64::from(width), f64::from(height));
    let bar = |more: f64| (more.max(0.0) / 2.0) as u32;
    let (across, down) = (bar(h * ratio - w), bar(w / ratio - h));
    [across, down, across, down]
}

/// Whether what is left is the picture, to two pixels at sides that have a bar of four or more, and one
/// at those with two.
fn is_found(found: ContentBox, image: &RgbImage, bars: [u32; 4]) -> bool {
    let [left, top, right, bottom] = bars;
    let (width, height) = (image.width() + left + right, image.height() + top + bottom);
    let actual = [found.x0, found.y0, width - found.x1, height - found.y1];
    actual
        .iter()
        .zip(bars)
        .all(|(actual, bar)| actual.abs_diff(bar) <= 2.min(bar / 2))
}

const COLOURS: [(&str, Rgb<u8>); 7] = [
    ("black", Rgb([0; 3])),
    ("white", Rgb([255; 3])),
    ("dark grey", Rgb([50; 3])),
    ("light grey", Rgb([200; 3])),
    ("red", Rgb([200, 30, 40])),
    ("blue", Rgb([20, 40, 160])),
    ("beige", Rgb([210, 190, 170])),
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
            [0, 24, 24, 24],
            [300, 0, 300, 0],
        ] {
            for quality in [60, 95] {
                let file = drawn::jpeg_of_quality(&barred(&image, bars, colour), quality);
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
fn a_frame_in_a_frame_is_cut() {
    let image = picture(400, 320);
    let inner = barred(&image, [0, 50, 0, 50], Rgb([0; 3]));
    let outer = barred(&inner, [12; 4], Rgb([255; 3]));
    let found = content_of(&drawn::jpeg_of_quality(&outer, 80));
    assert!(is_found(found, &image, [12, 62, 12, 62]), "{found:?}");
}

/// A picture of some large things in some light, with grain: what a blurred copy of it keeps is in it.
fn scene(width: u32, height: u32) -> RgbImage {
    let mut scene = drawn::face(width, height);
    for (x, y, pixel) in scene.enumerate_pixels_mut() {
        let stripe = if (x / 37 + y / 53) % 3 == 0 { 40 } else { 0 };
        let grain = ((x * 7919 + y * 104_729) % 31) as u8;
        pixel.0 = pixel
            .0
            .map(|level| (level / 2 + stripe + grain).saturating_add((y / 8) as u8));
    }
    scene
}

#[test]
fn the_blurred_photo_about_a_photo_is_cut() {
    for (size, ratio, blurs) in [
        ((480, 640), 1.0, [0.02, 0.05].as_slice()),
        ((480, 640), 16.0 / 9.0, &[0.02, 0.05]),
        ((640, 480), 9.0 / 16.0, &[0.02]),
    ] {
        let image = scene(size.0, size.1);
        let bars = bars_to(ratio, size);
        for blur in blurs.iter().copied() {
            for quality in [60, 90] {
                let file = drawn::jpeg_of_quality(&filled(&image, bars, blur), quality);
                let found = content_of(&file);
                assert!(
                    is_found(found, &image, bars),
                    "{size:?} to {ratio:.2}, blur {blur}, quality {quality}: {found:?} for {bars:?}"
                );
            }
        }
    }
}

#[test]
fn smooth_sides_that_do_not_show_the_photo_stay() {
    // A person before a smooth wall, between two straight door posts.
    let size = (640, 480);
    let wall = RgbImage::from_fn(size.0, size.1, |_, y| Rgb([(90 + y / 6) as u8; 3]));
    let mut room = wall;
    let scene = scene(320, 480);
    imageops::replace(&mut room, &scene, 160, 0);
    let found = content_of(&drawn::jpeg_of_quality(&room, 85));
    assert_eq!(found, ContentBox::whole(size.0, size.1));
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
        let found = content_of(&drawn::jpeg_of_quality(&image, 85));
        assert_eq!(found, ContentBox::whole(side, side), "{name}");
    }
}

/// Photos that get bars.
const BARRED: usize = 150;

/// Sides that get bars, and their name.
const SIDES: [(&str, [u32; 4]); 7] = [
    ("frame", [1; 4]),
    ("top and bottom", [0, 1, 0, 1]),
    ("left and right", [1, 0, 1, 0]),
    ("bottom", [0, 0, 0, 1]),
    ("left", [1, 0, 0, 0]),
    ("top and right", [0, 1, 1, 0]),
    ("three sides", [1, 1, 0, 1]),
];

/// Bars missed, and bars made.
#[derive(Default)]
struct Missed(BTreeMap<String, [u32; 2]>);

impl Missed {
    fn count(&mut self, kind: String, is_missed: bool) {
        let [missed, made] = self.0.entry(kind).or_default();
        *missed += u32::from(is_missed);
        *made += 1;
    }

    fn print(&self) {
        println!("| bars | photos | missed |\n|---|---|---|");
        for (kind, [missed, made]) in &self.0 {
            let share = f64::from(*missed) / f64::from(*made);
            println!("| {kind} | {made} | {missed} ({:.1} %) |", share * 100.0);
        }
    }
}

/// Its output is the tables of `docs/explain/decisions/0010-borders.md`.
#[test]
fn real_photos_keep_their_edges_and_lose_their_bars() {
    let Some(folder) = real::folder("borders of real photos") else {
        return;
    };
    let mut bases = Vec::new();
    println!("| photos | number | cut | ms each |\n|---|---|---|---|");
    for (set, class) in [
        ("pad_dev", "live"),
        ("webcams", "live"),
        ("pad_dev", "print"),
        ("pad_dev", "replay"),
        ("webcams", "replay"),
        ("faces", ""),
        ("masks", ""),
        ("recapture_whole", "real"),
        ("recapture_whole", "replay"),
    ] {
        let is_chosen = |row: &HashMap<String, String>| class.is_empty() || row["class"] == class;
        let (mut count, mut cut, mut time) = (0, Vec::new(), 0.0);
        for (name, file) in real::spread(&folder, set, usize::MAX, is_chosen) {
            let Ok(photo) = decode(&file, &FileLimits::default()) else {
                continue;
            };
            count += 1;
            let start = Instant::now();
            let found = left_of(&photo);
            time += start.elapsed().as_secs_f64();
            let (width, height) = (photo.width, photo.height);
            if found != ContentBox::whole(width, height) {
                let ContentBox { x0, y0, x1, y1 } = found;
                let bars = [x0, y0, width - x1, height - y1];
                cut.push(format!("  {name} {width}x{height}: {bars:?}"));
            } else if count % 37 == 0
                && width.min(height) >= 200
                && bases.len() < BARRED
                && !["masks", "recapture_whole"].contains(&set)
            {
                let raster = RgbImage::from_raw(width, height, photo.rgb);
                bases.push(raster.expect("a photo"));
            }
        }
        let each = time * 1e3 / f64::from(count.max(1));
        println!("| {set} {class} | {count} | {} | {each:.2} |", cut.len());
        eprintln!("{}", cut.join("\n"));
        if ["pad_dev", "webcams"].contains(&set) {
            // Frames of cameras, none of which adds a border.
            assert!(
                cut.len() * 1000 <= count.max(1000) as usize,
                "{set} {class}: {cut:?}"
            );
        }
    }
    let mut table = Missed::default();
    for (number, base) in bases.iter().enumerate() {
        for (at, width) in [2, 4, 8, 16, 24, 40, 80, 0].into_iter().enumerate() {
            let (colour_name, colour) = COLOURS[(number + at) % COLOURS.len()];
            let quality = [40, 60, 80, 95][(number / 2 + at) % 4];
            let (side, bars) = if width == 0 {
                ("to 9:16", bars_to(9.0 / 16.0, base.dimensions()))
            } else {
                let (name, sides) = SIDES[(number / 3 + at) % SIDES.len()];
                (name, sides.map(|side| side * width))
            };
            if bars == [0; 4] {
                continue;
            }
            let found = content_of(&drawn::jpeg_of_quality(
                &barred(base, bars, colour),
                quality,
            ));
            let is_missed = !is_found(found, base, bars);
            if (1..8).contains(&width) {
                table.count(format!("lines of {width} pixels, {side}"), is_missed);
                continue;
            }
            for kind in [
                "of 8 pixels and more".to_owned(),
                format!("of 8 pixels and more, {colour_name}"),
                format!("of 8 pixels and more, {side}"),
                format!("of 8 pixels and more, JPEG {quality}"),
            ] {
                table.count(kind, is_missed);
            }
        }
        for (at, (name, ratio)) in [("9:16", 9.0 / 16.0), ("16:9", 16.0 / 9.0), ("1:1", 1.0)]
            .into_iter()
            .enumerate()
        {
            let bars = bars_to(ratio, base.dimensions());
            if bars.iter().max() < Some(&24) {
                continue;
            }
            let blur = [0.015, 0.03, 0.06][(number + at) % 3];
            let quality = [60, 80, 95][(number + at) % 3];
            let found = content_of(&drawn::jpeg_of_quality(&filled(base, bars, blur), quality));
            table.count(
                format!("the photo, blurred, to {name}"),
                !is_found(found, base, bars),
            );
        }
    }
    table.print();
    let missed = |kind: &str| {
        let [missed, made] = table.0[kind];
        f64::from(missed) / f64::from(made)
    };
    assert!(missed("of 8 pixels and more") < 0.03);
    for name in ["9:16", "16:9", "1:1"] {
        assert!(missed(&format!("the photo, blurred, to {name}")) < 0.35);
    }
}
