//! JPEGs of every kind give the pixels of libjpeg-turbo, whose programs `cjpeg` and `djpeg` write and read
//! them (Debian: `libjpeg-turbo-progs`). Left out, loudly, where these are missing.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    process::{Command, Stdio},
};

use image::RgbImage;
use livecheck_engine::{Engine, EngineConfig, Limits};
use livecheck_testing::drawn;

/// Largest difference of a channel that the contract allows, grey levels.
const ALLOWED: u8 = 3;

/// What a program answers to some bytes; `None` when it is missing or refuses them.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let input = input.to_vec();
    // A thread of its own: pipes hold less than a picture.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().ok()?;
    let _ = writer.join();
    output.status.success().then_some(output.stdout)
}

fn ppm(image: &RgbImage) -> Vec<u8> {
    let mut file = format!("P6 {} {} 255\n", image.width(), image.height()).into_bytes();
    file.extend(image.as_raw());
    file
}

/// Size and pixels of a PPM or, repeated thrice, of a PGM.
fn pixels(pnm: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut fields = pnm.splitn(4, u8::is_ascii_whitespace);
    let mut field = || fields.next().expect("a header");
    let grey = field() == b"P5";
    let mut number = || {
        let text = std::str::from_utf8(field()).expect("digits");
        text.parse().expect("a number")
    };
    let (width, height) = (number(), number());
    let rest = field();
    let start = rest.iter().position(u8::is_ascii_whitespace).expect("255");
    let data = &rest[start + 1..];
    let rgb = if grey {
        data.iter().flat_map(|level| [*level; 3]).collect()
    } else {
        data.to_vec()
    };
    (width, height, rgb)
}

/// The pattern with grain, so that every coefficient is in use.
fn picture(width: u32, height: u32) -> RgbImage {
    let mut image = drawn::pattern(width, height);
    let mut state = 1_u32;
    for pixel in image.pixels_mut() {
        for level in &mut pixel.0 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *level = level.saturating_sub((state >> 27) as u8 * 2);
        }
    }
    image
}

#[derive(Default)]
struct Kind {
    files: usize,
    refused: usize,
    worst: u8,
}

#[test]
fn every_kind_of_jpeg_gives_the_pixels_of_libjpeg_turbo_or_is_refused() {
    if run("djpeg", &["-pnm"], &drawn::jpeg(8, 8)).is_none()
        || run("cjpeg", &[], &ppm(&picture(8, 8))).is_none()
    {
        eprintln!("!!! LEFT OUT: pixels of libjpeg-turbo: cjpeg and djpeg are not installed");
        return;
    }
    let engine = Engine::new(EngineConfig {
        limits: Limits {
            // Nothing is looked for in the pixels.
            min_image_side: u32::MAX,
            ..Limits::default()
        },
        ..EngineConfig::default()
    })
    .expect("the embedded models load");
    let folder = env::temp_dir().join(format!("livecheck-scans-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let script = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a script of scans");
        path.to_string_lossy().into_owned()
    };
    let (one_by_one, light_first) = (script("one", "0;\n1;\n2;\n"), script("two", "0;\n1 2;\n"));
    let single = script("grey", "0;\n");
    let modes: Vec<(&str, Vec<&str>)> = vec![
        ("baseline", vec![]),
        ("restarts", vec!["-restart", "2B"]),
        ("progressive", vec!["-progressive"]),
        (
            "progressive, restarts",
            vec!["-progressive", "-restart", "1"],
        ),
        ("a scan a component", vec!["-scans", &one_by_one]),
        (
            "a scan a component, restarts",
            vec!["-scans", &one_by_one, "-restart", "3B"],
        ),
        ("light, then colours", vec!["-scans", &light_first]),
        ("RGB", vec!["-rgb"]),
        (
            "RGB, a scan a component",
            vec!["-rgb", "-scans", &one_by_one],
        ),
        ("grey", vec!["-grayscale", "-scans", &single]),
        ("grey, progressive", vec!["-grayscale", "-progressive"]),
    ];
    let sizes = [(1, 1), (3, 2), (16, 16), (17, 33), (45, 19), (101, 67)];
    let factors: Vec<(u8, u8)> = (1..=4).flat_map(|h| (1..=4).map(move |v| (h, v))).collect();
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    let mut number = 0;
    let mut compare = |kind, jpeg: &[u8], name: &str| {
        let Some(reference) = run("djpeg", &["-pnm"], jpeg) else {
            return;
        };
        let kind: &mut Kind = kinds.entry(kind).or_default();
        kind.files += 1;
        let Ok(photo) = engine.decode_whole(jpeg) else {
            kind.refused += 1;
            return;
        };
        let (width, height, rgb) = pixels(&reference);
        assert_eq!((photo.width, photo.height), (width, height), "{name}");
        let differences = photo.rgb.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b));
        let worst = differences.max().unwrap_or(0);
        assert!(worst <= ALLOWED, "{name}: {worst} grey levels off");
        kind.worst = kind.worst.max(worst);
    };
    for (mode, arguments) in &modes {
        for light in &factors {
            for colour in [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)] {
                number += 1;
                let (width, height) = sizes[number % sizes.len()];
                let quality = ["10", "50", "75", "90", "100"][number % 5];
                let sampling = format!(
                    "{}x{},{}x{},{}",
                    light.0,
                    light.1,
                    colour.0,
                    colour.1,
                    ["1x1".to_owned(), format!("{}x{}", colour.0, colour.1)][number % 2]
                );
                let mut all = vec!["-quality", quality, "-sample", &sampling];
                all.extend(arguments);
                let image = ppm(&picture(width, height));
                // Where the standard allows no such JPEG, there is none.
                if let Some(jpeg) = run("cjpeg", &all, &image) {
                    let name = format!("{mode}, {sampling}, {width}x{height}, quality {quality}");
                    compare(mode, &jpeg, &name);
                }
            }
        }
    }
    for (width, height) in sizes {
        compare(
            "CMYK",
            &drawn::cmyk_jpeg_of(&picture(width, height)),
            "CMYK",
        );
    }
    for (mode, arguments) in &modes {
        let jpeg = run("cjpeg", arguments, &ppm(&picture(3301, 2467))).expect("a JPEG");
        compare("8 megapixels", &jpeg, mode);
    }
    fs::remove_dir_all(&folder).expect("the folder");
    let mut files = 0;
    for (name, kind) in &kinds {
        let Kind {
            files: count,
            refused,
            worst,
        } = kind;
        println!("{name}: {count} files, {refused} refused, worst difference {worst}");
        files += count;
    }
    println!("{files} files");
    assert!(files > 300, "only {files} files");
}
