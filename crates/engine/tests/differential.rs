//! Every kind of photo gives the pixels of the reference decoder of its format. The programs `cjpeg` and
//! `djpeg` (Debian: `libjpeg-turbo-progs`) write and read JPEGs, Pillow (which decodes by libpng's rules and
//! with libwebp) PNGs and WebPs. Left out, loudly, where these are missing. PNGs whose pixels are known because
//! they are drawn here need neither.
//!
//! `cargo test --workspace --test differential -- --nocapture` prints the tables of
//! `docs/explain/decisions/0004-large-jpegs.md`.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use image::RgbImage;
use livecheck_engine::{Engine, EngineConfig, Limits, Located};
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

/// Files, refusals and the worst difference by kind.
#[derive(Default)]
struct Table(BTreeMap<String, Kind>);

impl Table {
    /// Compares what the engine reads with the reference: width, height and pixels.
    ///
    /// # Panics
    /// When the sizes differ, or a pixel by more than is allowed.
    fn compare(
        &mut self,
        engine: &Engine,
        kind: &str,
        name: &str,
        file: &[u8],
        (width, height, rgb): (u32, u32, Vec<u8>),
    ) {
        let kind = self.0.entry(kind.to_owned()).or_default();
        kind.files += 1;
        let Ok(Located { photo, .. }) = engine.locate_whole(file) else {
            kind.refused += 1;
            return;
        };
        assert_eq!((photo.width, photo.height), (width, height), "{name}");
        assert_eq!(photo.rgb.len(), rgb.len(), "{name}");
        let differences = photo.rgb.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b));
        let worst = differences.max().unwrap_or(0);
        assert!(worst <= ALLOWED, "{name}: {worst} grey levels off");
        kind.worst = kind.worst.max(worst);
    }

    /// Prints it; returns the number of files.
    fn print(&self) -> usize {
        println!("| kind | files | refused | worst difference |\n|---|---|---|---|");
        for (name, kind) in &self.0 {
            let Kind {
                files,
                refused,
                worst,
            } = kind;
            println!("| {name} | {files} | {refused} | {worst} |");
        }
        self.0.values().map(|kind| kind.files).sum()
    }
}

fn engine() -> Engine {
    Engine::new(EngineConfig {
        limits: Limits {
            // Nothing is looked for in the pixels.
            min_image_side: u32::MAX,
            ..Limits::default()
        },
        ..EngineConfig::default()
    })
    .expect("the embedded models load")
}

#[test]
fn every_kind_of_jpeg_gives_the_pixels_of_libjpeg_turbo_or_is_refused() {
    if run("djpeg", &["-pnm"], &drawn::jpeg(8, 8)).is_none()
        || run("cjpeg", &[], &ppm(&picture(8, 8))).is_none()
    {
        eprintln!("!!! LEFT OUT: pixels of libjpeg-turbo: cjpeg and djpeg are not installed");
        return;
    }
    let engine = engine();
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
    let mut table = Table::default();
    let mut number = 0;
    let mut compare = |kind: &str, jpeg: &[u8], name: &str| {
        if let Some(reference) = run("djpeg", &["-pnm"], jpeg) {
            table.compare(&engine, kind, name, jpeg, pixels(&reference));
        }
    };
    for (mode, arguments) in &modes {
        for light in &factors {
            for colour in [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)] {
                for (width, height) in sizes {
                    number += 1;
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
                        let name =
                            format!("{mode}, {sampling}, {width}x{height}, quality {quality}");
                        compare(mode, &jpeg, &name);
                    }
                }
            }
        }
    }
    for (width, height) in sizes.into_iter().chain([(320, 240), (1, 77), (77, 1)]) {
        let image = picture(width, height);
        for (name, jpeg) in [
            ("CMYK", drawn::cmyk_jpeg_of(&image)),
            ("YCCK", drawn::ycck_jpeg_of(&image, false)),
            ("YCCK, progressive", drawn::ycck_jpeg_of(&image, true)),
        ] {
            compare(name, &jpeg, &format!("{name}, {width}x{height}"));
        }
    }
    for (mode, arguments) in &modes {
        let jpeg = run("cjpeg", arguments, &ppm(&picture(3301, 2467))).expect("a JPEG");
        compare("8 megapixels", &jpeg, mode);
    }
    fs::remove_dir_all(&folder).expect("the folder");
    let files = table.print();
    assert!(files > 3000, "only {files} files");
}

/// What Pillow makes of files that it or this test wrote: see `pillow.py`.
struct Pillow {
    python: PathBuf,
    folder: PathBuf,
}

impl Pillow {
    /// A Python that has Pillow: the one that `LIVECHECK_PYTHON` names, that of the training pipeline's
    /// tests, or the system's.
    fn find() -> Option<Self> {
        let training =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/training/bin/python");
        let candidates = [
            env::var_os("LIVECHECK_PYTHON").map(PathBuf::from),
            Some(training),
            Some("python3".into()),
        ];
        let python = candidates.into_iter().flatten().find(|python| {
            let mut import = Command::new(python);
            import.args([
                "-c",
                "from PIL import features; assert features.check('webp')",
            ]);
            let status = import.stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        })?;
        let folder = env::temp_dir().join(format!("livecheck-pillow-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Some(Self { python, folder })
    }

    /// Lets Pillow write its files, and read these and what else lies in the folder.
    fn run(&self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow.py");
        let status = Command::new(&self.python)
            .arg(script)
            .arg(&self.folder)
            .status();
        assert!(status.expect("Python runs").success());
    }
}

#[test]
fn every_kind_of_png_gives_the_pixels_that_were_drawn() {
    let (engine, mut table) = (engine(), Table::default());
    for drawing in png::drawings() {
        let png::Drawing {
            kind,
            name,
            file,
            pixels,
        } = drawing;
        table.compare(&engine, &kind, &name, &file, pixels);
    }
    let files = table.print();
    assert!(files > 300, "only {files} files");
    assert!(table.0.values().all(|kind| kind.refused == 0));
}

#[test]
fn every_kind_of_png_and_webp_gives_the_pixels_of_pillow() {
    let Some(pillow) = Pillow::find() else {
        eprintln!(
            "!!! LEFT OUT: pixels of Pillow: neither LIVECHECK_PYTHON nor python3 has it, with WebP"
        );
        return;
    };
    let folder = &pillow.folder;
    // Pillow does not apply a transparent colour of 1, 2, 4 or 16 bits.
    let is_read =
        |drawing: &png::Drawing| drawing.kind.contains("palette") || !drawing.kind.contains("tRNS");
    for (number, drawing) in png::drawings().filter(is_read).enumerate() {
        let path = folder.join(format!("{}~{number}.png", drawing.kind));
        fs::write(path, drawing.file).expect("a file");
    }
    for (number, (width, height)) in [(1, 1), (33, 20), (320, 241)].into_iter().enumerate() {
        let image = picture(width, height);
        for (kind, file) in [
            ("WebP, lossless, of `image`", drawn::webp_of(&image)),
            ("WebP, animated", drawn::animated_webp_of(&image, 2)),
        ] {
            fs::write(folder.join(format!("{kind}~{number}.webp")), file).expect("a file");
        }
    }
    pillow.run();
    let (engine, mut table) = (engine(), Table::default());
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if let Some((kind, _)) = name.split_once('~')
            && !name.ends_with(".ppm")
        {
            let reference = fs::read(path.with_extension("ppm")).expect("what Pillow read");
            let file = fs::read(&path).expect("a file");
            table.compare(&engine, kind, &name, &file, pixels(&reference));
        }
    }
    fs::remove_dir_all(folder).expect("the folder");
    let files = table.print();
    assert!(files > 600, "only {files} files");
}

/// PNGs of every kind, written here, with the pixels that they show.
mod png {
    use livecheck_testing::drawn;

    pub(super) struct Drawing {
        pub(super) kind: String,
        pub(super) name: String,
        pub(super) file: Vec<u8>,
        /// Width, height and pixels over white.
        pub(super) pixels: (u32, u32, Vec<u8>),
    }

    /// What samples mean (PNG, table 11.1): its number, the samples of a pixel, and the depths that it has.
    const KINDS: [(&str, u8, usize, &[u8]); 5] = [
        ("grey", 0, 1, &[1, 2, 4, 8, 16]),
        ("RGB", 2, 3, &[8, 16]),
        ("palette", 3, 1, &[1, 2, 4, 8]),
        ("grey with alpha", 4, 2, &[8, 16]),
        ("RGB with alpha", 6, 4, &[8, 16]),
    ];

    /// Columns and rows of the passes of Adam7: first, and from one to the next.
    const PASSES: [[usize; 4]; 7] = [
        [0, 8, 0, 8],
        [4, 8, 0, 8],
        [0, 4, 4, 8],
        [2, 4, 0, 4],
        [0, 2, 2, 4],
        [1, 2, 0, 2],
        [0, 1, 1, 2],
    ];

    pub(super) fn drawings() -> impl Iterator<Item = Drawing> {
        let sizes = [(1, 1), (3, 2), (8, 8), (17, 33), (45, 19), (101, 67)];
        let kinds = KINDS
            .iter()
            .flat_map(|kind| kind.3.iter().map(move |depth| (kind, *depth)));
        kinds.flat_map(move |(kind, depth)| {
            let transparent = if kind.1 < 4 { 2 } else { 1 };
            (0..2 * transparent).flat_map(move |choice| {
                sizes.map(move |size| draw(kind, depth, choice % 2 == 1, choice / 2 == 1, size))
            })
        })
    }

    /// Levels without pattern (a linear congruential generator).
    fn noise(state: &mut u32, depth: u8) -> u16 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> (32 - u32::from(depth))) as u16
    }

    fn draw(
        (kind, number, samples, _): &(&str, u8, usize, &[u8]),
        depth: u8,
        interlaced: bool,
        transparent: bool,
        (width, height): (usize, usize),
    ) -> Drawing {
        let state = &mut (width as u32 * 31 + u32::from(depth));
        let palette: Vec<[u8; 3]> = (0..1_u32 << depth.min(8))
            .map(|_| [(); 3].map(|()| noise(state, 8) as u8))
            .collect();
        let alphas: Vec<u8> = palette.iter().map(|_| noise(state, 8) as u8).collect();
        let image: Vec<u16> = (0..width * height * samples)
            .map(|_| noise(state, depth))
            .collect();
        let pixel = |x: usize, y: usize| &image[(y * width + x) * samples..][..*samples];
        // One colour may be transparent: that of the first pixel.
        let keyed = (transparent && *number != 3).then(|| pixel(0, 0).to_vec());

        let mut data = Vec::new();
        let whole = [[0, 1, 0, 1]];
        let passes: &[[usize; 4]] = if interlaced { &PASSES } else { &whole };
        for [x0, dx, y0, dy] in passes {
            let columns: Vec<usize> = (*x0..width).step_by(*dx).collect();
            if columns.is_empty() {
                continue;
            }
            let mut above = Vec::new();
            for y in (*y0..height).step_by(*dy) {
                let levels = columns.iter().flat_map(|x| pixel(*x, y)).copied();
                let row = packed(levels, depth);
                above.resize(row.len(), 0);
                let filter = (y % 5) as u8;
                data.push(filter);
                let step = (samples * usize::from(depth)).div_ceil(8);
                data.extend(filtered(filter, &row, &above, step));
                above = row;
            }
        }

        let mut header = Vec::new();
        header.extend((width as u32).to_be_bytes());
        header.extend((height as u32).to_be_bytes());
        header.extend([depth, *number, 0, 0, u8::from(interlaced)]);
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        file.extend(drawn::png_chunk(*b"IHDR", &header));
        if *number == 3 {
            file.extend(drawn::png_chunk(*b"PLTE", palette.as_flattened()));
        }
        if let Some(levels) = &keyed {
            let levels: Vec<u8> = levels
                .iter()
                .flat_map(|level| level.to_be_bytes())
                .collect();
            file.extend(drawn::png_chunk(*b"tRNS", &levels));
        } else if transparent {
            file.extend(drawn::png_chunk(*b"tRNS", &alphas));
        }
        file.extend(drawn::png_chunk(*b"IDAT", &stored(&data)));
        file.extend(drawn::png_chunk(*b"IEND", &[]));

        let byte = |level: u16| {
            let most = (1_u32 << depth) - 1;
            ((u32::from(level) * 255 + most / 2) / most) as u8
        };
        let mut rgb = Vec::new();
        for levels in image.chunks_exact(*samples) {
            let (colour, alpha) = match (number, levels) {
                (3, [at]) => {
                    let at = usize::from(*at);
                    (palette[at], if transparent { alphas[at] } else { 255 })
                }
                (0, [grey]) => ([byte(*grey); 3], 255),
                (4, [grey, alpha]) => ([byte(*grey); 3], byte(*alpha)),
                (_, [r, g, b]) => ([r, g, b].map(|level| byte(*level)), 255),
                (_, [r, g, b, alpha]) => ([r, g, b].map(|level| byte(*level)), byte(*alpha)),
                _ => unreachable!("one to four samples"),
            };
            let alpha = if keyed.as_deref() == Some(levels) {
                0
            } else {
                alpha
            };
            rgb.extend(colour.map(|level| {
                let (level, alpha) = (u32::from(level), u32::from(alpha));
                ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8
            }));
        }
        let also = [(interlaced, ", interlaced"), (transparent, ", tRNS")];
        let also: String = also.iter().filter(|one| one.0).map(|one| one.1).collect();
        Drawing {
            kind: format!("PNG, {kind}{also}"),
            name: format!("{kind}{also}, {depth} bits, {width}x{height}"),
            file,
            pixels: (width as u32, height as u32, rgb),
        }
    }

    /// Levels of so many bits, the first in the highest bits.
    fn packed(levels: impl Iterator<Item = u16>, depth: u8) -> Vec<u8> {
        if depth == 16 {
            return levels.flat_map(u16::to_be_bytes).collect();
        }
        let levels: Vec<u8> = levels.map(|level| level as u8).collect();
        let bytes = levels.chunks(8 / usize::from(depth)).map(|levels| {
            levels.iter().enumerate().fold(0, |byte, (at, level)| {
                byte | level << (8 - depth - at as u8 * depth)
            })
        });
        bytes.collect()
    }

    /// A row after one of the five filters (PNG, 9.2).
    fn filtered(filter: u8, row: &[u8], above: &[u8], step: usize) -> Vec<u8> {
        let filtered = row.iter().enumerate().map(|(at, byte)| {
            let before = |row: &[u8]| at.checked_sub(step).map_or(0, |at| row[at]);
            let (left, up, corner) = (before(row), above[at], before(above));
            let guess = match filter {
                0 => 0,
                1 => left,
                2 => up,
                3 => u16::midpoint(u16::from(left), u16::from(up)) as u8,
                _ => paeth(left, up, corner),
            };
            byte.wrapping_sub(guess)
        });
        filtered.collect()
    }

    fn paeth(left: u8, up: u8, corner: u8) -> u8 {
        let guess = i16::from(left) + i16::from(up) - i16::from(corner);
        let away = |from: u8| (guess - i16::from(from)).abs();
        let [l, u, c] = [left, up, corner].map(away);
        if l <= u && l <= c {
            left
        } else if u <= c {
            up
        } else {
            corner
        }
    }

    /// A zlib stream of stored blocks (RFC 1950, RFC 1951).
    fn stored(data: &[u8]) -> Vec<u8> {
        let mut stream = vec![0x78, 0x01];
        let blocks = data.chunks(0xFFFF);
        let last = blocks.len() - 1;
        for (number, block) in blocks.enumerate() {
            let length = block.len() as u16;
            stream.push(u8::from(number == last));
            stream.extend(length.to_le_bytes());
            stream.extend((!length).to_le_bytes());
            stream.extend(block);
        }
        let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65521;
            (a, (b + a) % 65521)
        });
        stream.extend((b << 16 | a).to_be_bytes());
        stream
    }
}
