//! What each disturbance does to a drawn picture, pixel by pixel, and what is counted of it.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use image::{Rgb, RgbImage};
use livecheck_engine::BBox;
use livecheck_evaluate::{
    disturb::{BoxChange, Change, DISTURBANCES, Disturbance},
    stability::{Answer, Answers, Stability},
};

/// Grey, a warm tone, a dark one and a light one, each 8 × 8.
fn tiles() -> RgbImage {
    RgbImage::from_fn(16, 16, |x, y| match (x < 8, y < 8) {
        (true, true) => Rgb([128, 128, 128]),
        (false, true) => Rgb([200, 150, 120]),
        (true, false) => Rgb([20, 30, 40]),
        (false, false) => Rgb([240, 250, 235]),
    })
}

/// One pixel of each tile after a change.
fn tones(change: Change) -> [[u8; 3]; 4] {
    let changed = change.apply(&tiles());
    [(4, 4), (12, 4), (4, 12), (12, 12)].map(|(x, y)| changed.get_pixel(x, y).0)
}

fn close(found: [[u8; 3]; 4], expected: [[u8; 3]; 4], what: &str) {
    for (found, expected) in found.as_flattened().iter().zip(expected.as_flattened()) {
        assert!(
            found.abs_diff(*expected) <= 1,
            "{what}: {found}, not {expected}"
        );
    }
}

#[test]
fn colours_change_by_the_formulas() {
    let light = |kelvin| Change::Light { kelvin, green: 1.0 };
    let green = |green| Change::Light {
        kelvin: 6500.0,
        green,
    };
    // From the same definitions in Python, which training uses.
    for (change, expected) in [
        (
            light(2500.0),
            [
                [160, 117, 68],
                [250, 137, 64],
                [25, 27, 21],
                [255, 228, 124],
            ],
        ),
        (
            light(3000.0),
            [
                [152, 121, 81],
                [238, 142, 76],
                [24, 28, 25],
                [255, 237, 149],
            ],
        ),
        (
            light(4000.0),
            [
                [142, 125, 101],
                [221, 147, 95],
                [22, 29, 32],
                [255, 244, 186],
            ],
        ),
        (
            light(5000.0),
            [
                [135, 127, 115],
                [210, 149, 107],
                [21, 30, 36],
                [252, 248, 210],
            ],
        ),
        (
            light(9000.0),
            [
                [122, 128, 141],
                [190, 151, 132],
                [19, 30, 44],
                [228, 251, 255],
            ],
        ),
        (
            green(1.15),
            [
                [123, 131, 123],
                [192, 154, 115],
                [19, 31, 38],
                [231, 255, 226],
            ],
        ),
        (
            green(0.85),
            [
                [133, 124, 133],
                [209, 145, 125],
                [21, 29, 42],
                [250, 242, 245],
            ],
        ),
        (
            Change::Gains([1.2, 1.0, 0.7]),
            [
                [154, 128, 90],
                [240, 150, 84],
                [24, 30, 28],
                [255, 250, 165],
            ],
        ),
        (
            Change::GreyWorld,
            [
                [121, 128, 136],
                [189, 150, 128],
                [19, 30, 43],
                [227, 249, 250],
            ],
        ),
        (
            Change::Autocontrast,
            [[125, 114, 115], [209, 139, 105], [0, 0, 0], [255, 255, 255]],
        ),
        (
            Change::Saturation(0.0),
            [
                [128, 128, 128],
                [162, 162, 162],
                [28, 28, 28],
                [245, 245, 245],
            ],
        ),
        (
            Change::Saturation(0.1),
            [
                [128, 128, 128],
                [165, 160, 157],
                [27, 28, 29],
                [245, 246, 244],
            ],
        ),
        (
            Change::Saturation(0.5),
            [
                [128, 128, 128],
                [181, 156, 141],
                [24, 29, 34],
                [243, 248, 240],
            ],
        ),
        (
            Change::Gamma(0.6),
            [
                [169, 169, 169],
                [220, 185, 162],
                [55, 71, 84],
                [246, 252, 243],
            ],
        ),
        (
            Change::Gamma(1.6),
            [[85, 85, 85], [173, 109, 76], [4, 8, 13], [231, 247, 224]],
        ),
    ] {
        close(tones(change), expected, &change.to_string());
    }
}

#[test]
fn noise_has_the_deviation_asked_for_and_is_the_same_again() {
    let grey = RgbImage::from_pixel(256, 256, Rgb([128; 3]));
    for sigma in [3.0, 5.0, 8.0, 12.0] {
        let noisy = Change::Noise(sigma).apply(&grey);
        assert_eq!(noisy, Change::Noise(sigma).apply(&grey));
        let off: Vec<f64> = noisy
            .as_raw()
            .iter()
            .map(|value| f64::from(*value) - 128.0)
            .collect();
        let count = off.len() as f64;
        let mean = off.iter().sum::<f64>() / count;
        let deviation = (off.iter().map(|off| (off - mean).powi(2)).sum::<f64>() / count).sqrt();
        // Rounding to whole grey levels adds a twelfth to the variance.
        let expected = (f64::from(sigma).powi(2) + 1.0 / 12.0).sqrt();
        assert!(mean.abs() < 0.1, "mean {mean}");
        assert!(
            (deviation - expected).abs() < 0.05,
            "{deviation}, not {expected}"
        );
        let rows = noisy.as_raw().chunks(256 * 3).collect::<Vec<_>>();
        assert!(
            rows.windows(2).all(|pair| pair[0] != pair[1]),
            "each row has its own noise"
        );
        let channels = noisy
            .pixels()
            .filter(|Rgb([r, g, b])| r == g && g == b)
            .count();
        assert!(channels < 256 * 256 / 10, "each channel has its own noise");
    }
}

#[test]
fn blur_spreads_an_edge_and_compression_keeps_flat_parts() {
    let edge = RgbImage::from_fn(32, 32, |x, _| Rgb([if x < 16 { 0 } else { 200 }; 3]));
    for sigma in [1.0, 2.0] {
        let blurred = Change::Blur(sigma).apply(&edge);
        let across: Vec<u8> = (0..32).map(|x| blurred.get_pixel(x, 16).0[0]).collect();
        assert!(
            across.is_sorted() && across[0] == 0 && across[31] == 200,
            "{across:?}"
        );
        // Half a pixel from the edge: 200 Phi(0.5 / sigma).
        let expected: f32 = if sigma == 1.0 { 138.3 } else { 119.7 };
        assert!((f32::from(across[16]) - expected).abs() < 4.0, "{across:?}");
    }
    let pattern = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 37 + y * 91) as u8; 3]));
    let mut last = 0.0;
    for quality in [95, 75, 50, 20] {
        let jpeg = Change::Jpeg(quality);
        let error: f64 = jpeg
            .apply(&pattern)
            .as_raw()
            .iter()
            .zip(pattern.as_raw())
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum();
        assert!(error > last, "quality {quality}: {error}");
        last = error;
        let flat = RgbImage::from_pixel(33, 17, Rgb([200, 150, 120]));
        for (found, expected) in jpeg.apply(&flat).as_raw().iter().zip(flat.as_raw()) {
            assert!(
                found.abs_diff(*expected) <= 6,
                "quality {quality}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn colours_of_a_jpeg_have_half_the_resolution() {
    let stripes = RgbImage::from_fn(32, 32, |x, _| {
        if x % 2 == 0 {
            Rgb([200, 60, 60])
        } else {
            Rgb([60, 60, 200])
        }
    });
    let compressed = Change::Jpeg(95).apply(&stripes);
    let [left, right] = [10, 11].map(|x| compressed.get_pixel(x, 10).0.map(i32::from));
    assert!(
        (left[0] - left[2] - (right[0] - right[2])).abs() < 12,
        "{left:?} {right:?}"
    );
}

#[test]
fn sizes_mirrors_and_turns_move_pixels_where_they_belong() {
    let tiles = tiles();
    for (factor, side) in [(0.5, 16), (0.75, 16), (2.0, 32)] {
        let resized = Change::Resize(factor).apply(&tiles);
        assert_eq!(resized.dimensions(), (side, side), "no side below 16");
    }
    let large = image::imageops::resize(&tiles, 64, 48, image::imageops::FilterType::Nearest);
    let half = Change::Resize(0.5).apply(&large);
    assert_eq!(half.dimensions(), (32, 24));
    assert_eq!(half.get_pixel(4, 4), &Rgb([128; 3]));
    assert_eq!(half.get_pixel(28, 20), &Rgb([240, 250, 235]));

    let mirrored = Change::Mirror.apply(&tiles);
    assert_eq!(mirrored.get_pixel(0, 0), tiles.get_pixel(15, 0));
    assert_eq!(Change::Mirror.apply(&mirrored), tiles);

    // As Pillow turns it: the point above the middle goes to the left.
    let turned = Change::Turn(20.0).apply(&tiles);
    for ((x, y), expected) in [
        ((0, 0), [128, 128, 128]),
        ((12, 3), [200, 150, 120]),
        ((8, 8), [195, 205, 195]),
        ((5, 15), [20, 30, 40]),
        ((14, 10), [240, 250, 235]),
    ] {
        let found = turned.get_pixel(x, y).0;
        assert!(
            found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1),
            "{x}, {y}: {found:?}"
        );
    }
    assert_eq!(Change::Turn(0.0).apply(&tiles), tiles);
    let flat = RgbImage::from_pixel(40, 30, Rgb([90, 80, 70]));
    assert_eq!(
        Change::Turn(-20.0).apply(&flat),
        flat,
        "the border goes on beyond itself"
    );
}

#[test]
fn frames_and_bars_surround_the_untouched_picture() {
    let tiles = tiles();
    for pixels in [1, 2, 4, 8, 16, 40] {
        for value in [0, 128, 255] {
            let framed = Change::Frame { pixels, value }.apply(&tiles);
            assert_eq!(framed.dimensions(), (16 + 2 * pixels, 16 + 2 * pixels));
            assert_eq!(framed.get_pixel(0, 0), &Rgb([value; 3]));
            let inner = image::imageops::crop_imm(&framed, pixels, pixels, 16, 16).to_image();
            assert_eq!(inner, tiles);
        }
    }
    let photo = RgbImage::from_pixel(640, 480, Rgb([90; 3]));
    for ((width, height), size, bar, inside) in [
        ((9, 16), (640, 1138), (320, 328), (320, 329)),
        ((16, 9), (854, 480), (106, 240), (107, 240)),
    ] {
        let barred = Change::Bars { width, height }.apply(&photo);
        assert_eq!(barred.dimensions(), size);
        assert_eq!(barred.get_pixel(bar.0, bar.1), &Rgb([0; 3]));
        assert_eq!(barred.get_pixel(inside.0, inside.1), &Rgb([90; 3]));
    }
}

#[test]
fn boxes_move_and_grow_by_shares_of_their_sides() {
    let bbox = BBox {
        x0: 100.0,
        y0: 40.0,
        x1: 200.0,
        y1: 240.0,
    };
    for (change, expected) in [
        (BoxChange::Move(0.1, 0.0), [110.0, 40.0, 210.0, 240.0]),
        (BoxChange::Move(0.0, -0.1), [100.0, 20.0, 200.0, 220.0]),
        (BoxChange::Scale(1.5), [75.0, -10.0, 225.0, 290.0]),
    ] {
        let BBox { x0, y0, x1, y1 } = change.apply(&bbox);
        assert_eq!([x0, y0, x1, y1], expected, "{change}");
    }
}

#[test]
fn the_table_holds_each_row_once_and_eight_small_ones() {
    let names: Vec<String> = DISTURBANCES.iter().map(Disturbance::to_string).collect();
    let mut distinct = names.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), names.len());
    for name in [
        "2500 K",
        "9000 K",
        "green +15 %",
        "green -15 %",
        "red × 1.2, blue × 0.7",
        "grey-world white balance",
        "autocontrast",
        "saturation 0",
        "saturation 0.1",
        "gamma 1.6",
        "noise (sigma 12)",
        "blur (sigma 1 px)",
        "compressed again (JPEG 20)",
        "resized to 200 %",
        "mirrored",
        "turned 20° right",
        "turned 20° left, 4000 K",
        "turned 20° right, red × 1.2, blue × 0.7",
        "white frame of 1 px",
        "grey frame of 40 px",
        "letterbox (bars to 9:16)",
        "pillarbox (bars to 16:9)",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "{name} in {names:?}"
        );
    }
    let small: Vec<String> = DISTURBANCES
        .iter()
        .filter(|row| row.is_small())
        .map(Disturbance::to_string)
        .collect();
    assert_eq!(
        small,
        [
            "compressed again (JPEG 75)",
            "resized to 75 %",
            "box 10 % to the left",
            "box 10 % to the right",
            "box 10 % up",
            "box 10 % down",
            "box 15 % larger",
            "box 15 % smaller",
        ]
    );
}

/// A photo that nothing changes but the rows given.
fn photo(species: Option<&str>, undisturbed: Answer, rows: &[(&str, Answer)]) -> Answers {
    let disturbed = DISTURBANCES.iter().map(|disturbance| {
        let name = disturbance.to_string();
        rows.iter()
            .find(|(row, _)| *row == name)
            .map_or(undisturbed, |(_, answer)| *answer)
    });
    Answers {
        species: species.map(str::to_owned),
        undisturbed,
        disturbed: disturbed.collect(),
    }
}

#[test]
fn turned_and_wrong_verdicts_and_refusals_are_counted_apart() {
    use Answer::{Attack, Live, NoVerdict};
    let photos = [
        photo(
            None,
            Live,
            &[
                ("2500 K", Attack),
                ("mirrored", Attack),
                ("resized to 50 %", NoVerdict("007")),
            ],
        ),
        photo(None, Live, &[("2500 K", Attack)]),
        photo(None, Attack, &[("mirrored", Live)]),
        photo(
            Some("print"),
            Attack,
            &[("2500 K", Live), ("resized to 50 %", NoVerdict("051"))],
        ),
        photo(
            Some("screen"),
            Live,
            &[("2500 K", Attack), ("box 10 % up", Attack)],
        ),
    ];
    let stability = Stability::new(0.9, &photos);
    let row = |name: &str| {
        stability
            .disturbances
            .iter()
            .find(|row| row.name == name)
            .unwrap()
    };
    let counts = |rate: livecheck_engine::Rate| (rate.errors, rate.of);

    let as_they_are = &stability.undisturbed;
    assert_eq!(counts(as_they_are.turned), (0, 5));
    assert_eq!(counts(as_they_are.live.wrong), (1, 3));
    assert_eq!(counts(as_they_are.attacks["screen"].wrong), (1, 1));
    assert_eq!(counts(as_they_are.all_attacks.wrong), (1, 2));

    let warm = row("2500 K");
    assert_eq!(counts(warm.turned), (4, 5));
    assert_eq!(
        (counts(warm.live.turned), counts(warm.live.wrong)),
        ((2, 3), (3, 3))
    );
    assert_eq!(counts(warm.attacks["print"].wrong), (1, 1));
    assert_eq!(counts(warm.attacks["screen"].wrong), (0, 1));
    assert!(
        (warm.live.wrong.lower - 0.2924).abs() < 1e-3,
        "Clopper-Pearson of 3 in 3"
    );

    // One turned to the wrong side, one to the right one.
    let mirrored = row("mirrored");
    assert_eq!(
        (counts(mirrored.live.turned), counts(mirrored.live.wrong)),
        ((2, 3), (1, 3))
    );

    // Refusals are in no error rate.
    let half = row("resized to 50 %");
    assert_eq!(
        (counts(half.turned), counts(half.live.wrong)),
        ((0, 3), (1, 2))
    );
    assert_eq!(counts(half.live.no_verdict), (1, 3));
    assert_eq!(half.live.by_code["007"], 1);
    assert_eq!(half.all_attacks.by_code["051"], 1);
    assert_eq!(counts(half.attacks["print"].wrong), (0, 0));

    // Only the small disturbances have a limit.
    let over: Vec<&str> = stability.over().map(|row| row.name.as_str()).collect();
    assert_eq!(over, ["box 10 % up"]);

    let worst: Vec<(&str, &str, u64)> = stability
        .worst
        .iter()
        .map(|worst| {
            (
                worst.what.as_str(),
                worst.disturbance.as_str(),
                worst.rate.errors,
            )
        })
        .collect();
    assert_eq!(
        worst,
        [
            ("live called attacks", "2500 K", 3),
            ("attacks passed: print", "2500 K", 1),
            ("attacks passed: screen", "3000 K", 1),
            ("live without a verdict", "resized to 50 %", 1),
            ("verdicts turned", "2500 K", 4),
        ]
    );
}
