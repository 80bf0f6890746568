//! Image files.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::{
    altered::{
        Random, jpeg_resized, jpeg_with_scans, png_of_zeros, position, text, webp_resized,
        zlib_of_zeros,
    },
    table::{ANY, FILE_LIMIT, HostileFile, NOBODY, SIDE, TOO_LARGE, Table, UNREADABLE},
};
use crate::drawn::{self, Sampling};

/// Every hostile file but the ones of `heavy`.
#[must_use]
pub fn files() -> Vec<HostileFile> {
    let mut table = Table(Vec::new());
    truncated(&mut table);
    bit_flipped(&mut table);
    announced(&mut table);
    hidden_chunks(&mut table);
    unusual(&mut table);
    as_cameras_do(&mut table);
    refused_formats(&mut table);
    bordered(&mut table);
    polyglots(&mut table);
    contents(&mut table);
    table.0
}

/// One good file of each kind that decoders treat differently.
fn good(side: u32) -> Vec<(&'static str, Vec<u8>)> {
    let pattern = drawn::pattern(side, side);
    let rgb = DynamicImage::ImageRgb8(pattern.clone());
    vec![
        ("baseline JPEG", drawn::jpeg_of(&pattern, false)),
        ("progressive JPEG", drawn::jpeg_of(&pattern, true)),
        ("grey JPEG", drawn::grey_jpeg_of(&pattern)),
        ("CMYK JPEG", drawn::cmyk_jpeg_of(&pattern)),
        ("YCCK JPEG", drawn::ycck_jpeg_of(&pattern, false)),
        (
            "JPEG of three scans",
            drawn::sampled_jpeg_of(&pattern, Sampling::Strips, 0),
        ),
        (
            "JPEG with restart markers",
            drawn::sampled_jpeg_of(&pattern, Sampling::Quartered, 5),
        ),
        (
            "motion-JPEG frame",
            drawn::without_huffman_tables(&drawn::jpeg_of(&pattern, false)),
        ),
        ("PNG", drawn::png_of(&pattern)),
        (
            "16-bit PNG",
            drawn::file(
                &DynamicImage::ImageRgba16(rgb.to_rgba16()),
                ImageFormat::Png,
            ),
        ),
        ("WebP", drawn::webp_of(&pattern)),
        ("animated WebP", drawn::animated_webp_of(&pattern, 3)),
    ]
}

fn truncated(table: &mut Table) {
    for (kind, whole) in good(SIDE) {
        // The last frames of an animation are never looked at.
        let answers = if kind == "animated WebP" {
            ANY
        } else {
            UNREADABLE
        };
        // An upload of nothing is an entry of its own.
        for percent in 1..100 {
            let cut = whole[..whole.len() * percent / 100].to_vec();
            table.add(
                format!("{kind} cut at {percent} %"),
                "an upload that broke off",
                answers,
                cut,
            );
        }
        table.add(
            format!("{kind}, whole"),
            "the control: it is read",
            NOBODY,
            whole,
        );
    }
}

/// Flipped bits of each kind of file.
const FLIPS: usize = 40;

fn bit_flipped(table: &mut Table) {
    for (kind, whole) in good(SIDE) {
        let mut random = Random(0x5EED);
        for _ in 0..FLIPS {
            let mut file = whole.clone();
            let at = random.below(file.len());
            let bit = random.below(8);
            file[at] ^= 1 << bit;
            table.add(
                format!("{kind}, bit {bit} of byte {at} flipped"),
                "damage in transit",
                ANY,
                file,
            );
        }
    }
}

/// Sizes that a header announces.
fn announced(table: &mut Table) {
    let why = "a decompression bomb by its header";
    table.add(
        "PNG 50000x50000",
        why,
        TOO_LARGE,
        drawn::png_header(50_000, 50_000),
    );
    table.add(
        "PNG of the largest sides",
        why,
        &["002", "003"],
        drawn::png_header(0x7FFF_FFFF, 0x7FFF_FFFF),
    );
    let jpeg = drawn::jpeg(16, 16);
    table.add(
        "JPEG 65500x65500",
        why,
        TOO_LARGE,
        jpeg_resized(&jpeg, 65_500, 65_500),
    );
    let webp = drawn::webp_of(&drawn::pattern(16, 16));
    table.add(
        "WebP 16383x16383",
        why,
        TOO_LARGE,
        webp_resized(&webp, 16_383, 16_383),
    );
    table.add(
        "WebP 16384x16384",
        "the largest side, whose 14 bits are all ones",
        &["002", "003"],
        webp_resized(&webp, 16_384, 16_384),
    );
    let canvas = drawn::webp_file(&[
        drawn::webp_extended(1 << 24, 1 << 24, drawn::WebpFlags(0)),
        webp[12..].to_vec(),
    ]);
    table.add("WebP with a canvas of 2^48 pixels", why, ANY, canvas);

    let why = "a size of nothing";
    table.add("PNG 0x0", why, UNREADABLE, drawn::png_header(0, 0));
    table.add("PNG 400x0", why, UNREADABLE, drawn::png_header(400, 0));
    table.add("JPEG 400x0", why, UNREADABLE, jpeg_resized(&jpeg, 400, 0));
    table.add("JPEG 0x400", why, UNREADABLE, jpeg_resized(&jpeg, 0, 400));
    table.add("nothing", why, &["002", "004"], Vec::new());

    let why = "a second header that changes the size after it was checked";
    let large = jpeg_resized(&jpeg, 65_500, 65_500);
    let start = position(&large, &[0xFF, 0xC0]);
    let length = 2 + usize::from(u16::from_be_bytes([large[start + 2], large[start + 3]]));
    let header = &large[start..start + length];
    let small = drawn::jpeg(SIDE, SIDE);
    let scan = position(&small, &[0xFF, 0xDA]);
    let doubled = [&small[..scan], header, &small[scan..]].concat();
    table.add("JPEG with a second frame header", why, ANY, doubled);
    let png = drawn::png_of(&drawn::pattern(SIDE, SIDE));
    let header = drawn::png_header(50_000, 50_000)[16..29].to_vec();
    table.add(
        "PNG with a second header",
        why,
        ANY,
        drawn::png_with_chunk(&png, *b"IHDR", &header),
    );
}

/// What may hide beside the pixels.
fn hidden_chunks(table: &mut Table) {
    let png = drawn::png_of(&drawn::pattern(SIDE, SIDE));
    let zeros = zlib_of_zeros(1 << 30);
    let why = "a gigabyte of zeros in a compressed chunk";
    for kind in [b"iCCP", b"zTXt"] {
        let data = [b"bomb\0\0".as_slice(), &zeros].concat();
        let file = drawn::png_with_chunk(&png, *kind, &data);
        table.add(
            format!("PNG with a bomb in {}", text(kind)),
            why,
            NOBODY,
            file,
        );
    }
    let data = [b"XML:com.adobe.xmp\0\x01\0\0\0".as_slice(), &zeros].concat();
    table.add(
        "PNG with a bomb in iTXt",
        why,
        NOBODY,
        drawn::png_with_chunk(&png, *b"iTXt", &data),
    );

    let why = "metadata as large as a file may be";
    let jpeg = drawn::jpeg(SIDE, SIDE);
    let mut segments = jpeg[..2].to_vec();
    let filler = [b"Exif\0\0MM\0\x2a\0\0\0\x08".as_slice(), &[0x01; 65_000]].concat();
    let one = &drawn::with_segment(&jpeg, 0xE1, &filler)[2..filler.len() + 6];
    while segments.len() + one.len() + jpeg.len() < FILE_LIMIT {
        segments.extend(one);
    }
    segments.extend(&jpeg[2..]);
    table.add("JPEG with 10 MB of EXIF", why, NOBODY, segments);
    let block = vec![0x2A; 9 * 1024 * 1024];
    table.add(
        "PNG with 9 MB of EXIF",
        why,
        NOBODY,
        drawn::png_with_chunk(&png, *b"eXIf", &block),
    );
    let webp = drawn::webp_with_exif(&drawn::pattern(SIDE, SIDE), &block);
    table.add("WebP with 9 MB of EXIF", why, NOBODY, webp);

    let why = "a length that the file does not have";
    let mut webp = drawn::webp_with_exif(&drawn::pattern(SIDE, SIDE), b"MM\0\x2a");
    let exif = position(&webp, b"EXIF");
    webp[exif + 4..exif + 8].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    table.add(
        "WebP with 4 GB of EXIF announced",
        why,
        UNREADABLE,
        webp.clone(),
    );
    webp[4..8].copy_from_slice(&0xFFFF_FFFE_u32.to_le_bytes());
    table.add(
        "WebP with 4 GB of everything announced",
        why,
        UNREADABLE,
        webp,
    );
    let mut long = png.clone();
    let data = position(&long, b"IDAT");
    long[data - 4..data].copy_from_slice(&0x7FFF_FFFF_u32.to_be_bytes());
    table.add("PNG with 2 GB of pixels announced", why, UNREADABLE, long);

    let why = "an EXIF block that points at itself or far away";
    for (name, block) in [
        ("to itself", b"MM\0\x2a\0\0\0\0\0\x01\x01\x12".as_slice()),
        ("beyond the end", b"MM\0\x2a\xff\xff\xff\xff"),
        (
            "to 65535 entries",
            b"MM\0\x2a\0\0\0\x08\xff\xff\x01\x12\0\x03",
        ),
    ] {
        let payload = [b"Exif\0\0", block].concat();
        let file = drawn::with_segment(&jpeg, 0xE1, &payload);
        table.add(format!("JPEG with EXIF {name}"), why, NOBODY, file);
    }

    let why = "scans, each of which walks all pixels";
    let progressive = drawn::jpeg_of(&drawn::pattern(SIDE, SIDE), true);
    table.add(
        "JPEG with 5000 scans",
        why,
        UNREADABLE,
        jpeg_with_scans(&progressive, 5000),
    );
    let why = "markers without end";
    let mut filled = jpeg[..2].to_vec();
    filled.resize(9 * 1024 * 1024, 0xFF);
    filled.extend(&jpeg[2..]);
    table.add("JPEG with 9 MB of fill bytes", why, ANY, filled);
    let restarts = [
        &jpeg[..jpeg.len() - 2],
        &[0xFF, 0xD0].repeat(4_000_000),
        &[0xFF, 0xD9],
    ]
    .concat();
    table.add("JPEG with 4 million restart markers", why, ANY, restarts);
    let chunk = drawn::png_chunk(*b"tEXt", b"a\0b");
    let texts = [&png[..33], &chunk.repeat(600_000), &png[33..]].concat();
    table.add("PNG with 600000 text chunks", why, NOBODY, texts);
    let chunk = drawn::webp_chunk(*b"XXXX", b"");
    let mut chunks = vec![drawn::webp_extended(SIDE, SIDE, drawn::WebpFlags(0))];
    chunks.extend(std::iter::repeat_n(chunk, 1_000_000));
    table.add(
        "WebP with a million empty chunks",
        why,
        UNREADABLE,
        drawn::webp_file(&chunks),
    );
    let frames = drawn::animated_webp_of(&RgbImage::new(SIDE, SIDE), 10_000);
    table.add("WebP with 10000 frames", why, NOBODY, frames);
}

/// Valid, but not what a camera writes.
fn unusual(table: &mut Table) {
    let why = "a colour type that few programs write";
    let pattern = drawn::pattern(SIDE, SIDE);
    let rgb = DynamicImage::ImageRgb8(pattern);
    for (name, image) in [
        (
            "16-bit grey PNG",
            DynamicImage::ImageLuma16(rgb.to_luma16()),
        ),
        (
            "16-bit grey PNG with alpha",
            DynamicImage::ImageLumaA16(rgb.to_luma_alpha16()),
        ),
        (
            "8-bit grey PNG with alpha",
            DynamicImage::ImageLumaA8(rgb.to_luma_alpha8()),
        ),
    ] {
        table.add(name, why, NOBODY, drawn::file(&image, ImageFormat::Png));
    }
    let jpeg = drawn::jpeg(SIDE, SIDE);
    let frame = position(&jpeg, &[0xFF, 0xC0]);
    let why = "a JPEG process or precision that is not read";
    for (name, at, value) in [
        ("lossless", 1, 0xC3),
        ("hierarchical", 1, 0xC5),
        ("arithmetic", 1, 0xC9),
        ("12-bit", 4, 12),
        ("0-bit", 4, 0),
        ("255 components", 9, 255),
    ] {
        let mut file = jpeg.clone();
        file[frame + at] = value;
        table.add(format!("JPEG, {name}"), why, UNREADABLE, file);
    }
    let mut png = drawn::png_of(&drawn::pattern(SIDE, SIDE));
    let data = position(&png, b"IDAT");
    png[data + 20] ^= 0xFF;
    table.add(
        "PNG with a wrong checksum",
        "damage that a checksum tells",
        UNREADABLE,
        png,
    );
}

/// What cameras and messengers write although the standard asks for more, and what looks like it.
fn as_cameras_do(table: &mut Table) {
    let pattern = drawn::pattern(SIDE, SIDE);
    let jpeg = drawn::jpeg_of(&pattern, false);
    let why = "all pixels are there, though the end is not marked";
    for (name, jpeg) in [
        ("baseline JPEG", jpeg.clone()),
        ("progressive JPEG", drawn::jpeg_of(&pattern, true)),
        (
            "JPEG of three scans",
            drawn::sampled_jpeg_of(&pattern, Sampling::Strips, 0),
        ),
    ] {
        let file = jpeg[..jpeg.len() - 2].to_vec();
        table.add(format!("{name} without an end marker"), why, NOBODY, file);
    }
    let why = "an end marker where pixels are missing";
    for (kind, whole) in good(SIDE) {
        if !whole.starts_with(&[0xFF, 0xD8]) {
            continue;
        }
        let scan = position(&whole, &[0xFF, 0xDA]);
        for percent in [10, 50, 90, 99] {
            let cut = scan + 14 + (whole.len() - scan - 14) * percent / 100;
            let file = [&whole[..cut], &[0xFF, 0xD9]].concat();
            table.add(
                format!("{kind}, {percent} % of the pixels and an end marker"),
                why,
                UNREADABLE,
                file,
            );
        }
    }

    let why = "an orientation as unusual programs write it";
    let entry = |kind: u8, count: u32, value: [u8; 4]| {
        let mut block = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0".to_vec();
        block.push(kind);
        block.extend(count.to_be_bytes());
        block.extend(value);
        block.extend([0; 4]);
        block
    };
    for (name, block) in [
        ("LONG", entry(4, 1, [0, 0, 0, 6])),
        ("BYTE", entry(1, 1, [6, 0, 0, 0])),
        ("of no known type", entry(99, 1, [6; 4])),
        ("four billion times", entry(3, u32::MAX, [0xFF; 4])),
        ("9", entry(3, 1, [0, 9, 0, 0])),
        ("of 4 billion", entry(4, 1, [0xFF; 4])),
        (
            "behind a prefix",
            [b"Exif\0\0", &entry(3, 1, [0, 6, 0, 0])[..]].concat(),
        ),
        (
            "behind ten prefixes",
            [&b"Exif\0\0".repeat(10), &entry(3, 1, [0, 6, 0, 0])[..]].concat(),
        ),
        ("in no block", Vec::new()),
    ] {
        let payload = [b"Exif\0\0", block.as_slice()].concat();
        let with = drawn::with_segment(&jpeg, 0xE1, &payload);
        let twice = drawn::with_segment(&with, 0xE1, b"Exif\0\0");
        let png = drawn::png_with_chunk(&drawn::png_of(&pattern), *b"eXIf", &block);
        for (format, file) in [
            ("JPEG", with),
            ("JPEG, behind an empty block", twice),
            ("PNG", png),
            ("WebP", drawn::webp_with_exif(&pattern, &block)),
        ] {
            table.add(format!("{format}, orientation {name}"), why, NOBODY, file);
        }
    }
}

/// Formats that are told by their first bytes and refused by name, and what is nearly one of them.
fn refused_formats(table: &mut Table) {
    let why = "a format that is not read, whose head may lie about its length";
    let boxed = |length: u32, brands: &[u8]| {
        [&length.to_be_bytes(), b"ftyp".as_slice(), brands, &[0; 64]].concat()
    };
    let many = [
        b"mif1\0\0\0\0".as_slice(),
        &b"xxxx".repeat(100_000),
        b"avif",
    ]
    .concat();
    for (name, file) in [
        ("AVIF", boxed(16, b"avif\0\0\0\0")),
        ("AVIF behind mif1", boxed(20, b"mif1\0\0\0\0avif")),
        ("AVIF behind miaf", boxed(24, b"mif1\0\0\0\0miafavis")),
        ("HEIC", boxed(20, b"heic\0\0\0\0mif1")),
        ("boxes of no length", boxed(0, b"avif")),
        ("boxes of 4 GB", boxed(u32::MAX, b"heic\0\0\0\0")),
        ("boxes of a length of 1", boxed(1, b"mif1")),
        ("boxes shorter than their head", boxed(7, b"avif")),
        ("boxes of 100000 brands", boxed(400_020, &many)),
        ("boxes that end at once", b"\0\0\0\x18ftyp".to_vec()),
        ("JPEG XL", b"\xff\x0a\0\0\0\0\0\0".to_vec()),
        (
            "JPEG XL in boxes",
            b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ".to_vec(),
        ),
        (
            "JPEG 2000",
            b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ".to_vec(),
        ),
        (
            "JPEG 2000 without boxes",
            b"\xff\x4f\xff\x51\0\x2f\0\0".to_vec(),
        ),
        ("BMP", [b"BM".as_slice(), &[0xFF; 60]].concat()),
        (
            "ICO",
            [b"\0\0\x01\0\xff\xff".as_slice(), &[0xFF; 60]].concat(),
        ),
        ("TIFF", b"II*\0\xff\xff\xff\xff".to_vec()),
        ("GIF", b"GIF89a\xff\xff\xff\xff".to_vec()),
        ("PDF", b"%PDF-1.7\n".to_vec()),
        (
            "PDF behind white space",
            [&b" ".repeat(900), b"%PDF-1.7\n".as_slice()].concat(),
        ),
        (
            "JPEG-LS",
            b"\xff\xd8\xff\xf7\0\x0b\x08\x01\x90\x01\x90\x01\x01\x11\0".to_vec(),
        ),
        ("JPEG of nothing but a head", b"\xff\xd8\xff\xe0".to_vec()),
    ] {
        table.add(name, why, UNREADABLE, file);
    }
}

/// Pictures that are nearly all border.
fn bordered(table: &mut Table) {
    let why = "a border that leaves nothing, or too little to judge";
    let black = || RgbImage::new(SIDE, SIDE);
    let spot = |width: u32, height: u32| {
        let mut image = black();
        let noise = drawn::pattern(width, height);
        let (x, y) = ((SIDE - width) / 2, (SIDE - height) / 2);
        image::imageops::replace(&mut image, &noise, i64::from(x), i64::from(y));
        image
    };
    let nested = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let edge = x.min(y).min(SIDE - 1 - x).min(SIDE - 1 - y);
        Rgb([if edge / 8 % 2 == 0 { 0 } else { 255 }; 3])
    });
    let halves = RgbImage::from_fn(SIDE, SIDE, |x, _| {
        Rgb([if x < SIDE / 2 { 0 } else { 255 }; 3])
    });
    let thirds = RgbImage::from_fn(SIDE, SIDE, |x, _| Rgb([(x * 3 / SIDE * 90) as u8; 3]));
    for (name, image) in [
        ("one pixel", spot(1, 1)),
        ("a line", spot(SIDE, 1)),
        ("a column", spot(1, SIDE)),
        ("a spot", spot(40, 40)),
        ("a small picture", spot(300, 300)),
        ("frames in each other", nested),
        ("two colours", halves),
        ("three colours", thirds),
    ] {
        for (format, file) in [
            ("PNG", drawn::png_of(&image)),
            ("JPEG", drawn::jpeg_of_quality(&image, 60)),
        ] {
            let answers = &["007", "051"];
            table.add(format!("{format}, {name} in a border"), why, answers, file);
        }
    }
}

/// Files that are two things at once.
fn polyglots(table: &mut Table) {
    let jpeg = drawn::jpeg(SIDE, SIDE);
    let png = drawn::png_of(&drawn::pattern(SIDE, SIDE));
    let webp = drawn::webp_of(&drawn::pattern(SIDE, SIDE));
    let zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0aPK\x05\x06";
    let page = b"<script>alert(1)</script><?php system($_GET[0]); ?>";
    let why = "what follows the picture is never looked at";
    for (name, file) in [
        ("JPEG and ZIP", [jpeg.as_slice(), zip].concat()),
        ("PNG and ZIP", [png.as_slice(), zip].concat()),
        ("WebP and ZIP", [webp.as_slice(), zip].concat()),
        ("JPEG and script", [jpeg.as_slice(), page].concat()),
        (
            "JPEG and JPEG",
            [jpeg.as_slice(), &drawn::jpeg(16, 16)].concat(),
        ),
        (
            "JPEG with a script in a comment",
            drawn::with_segment(&jpeg, 0xFE, page),
        ),
        (
            "PNG with a script in a text",
            drawn::png_with_chunk(&png, *b"tEXt", page),
        ),
    ] {
        table.add(name, why, NOBODY, file);
    }
    let why = "the first bytes decide what a file is";
    for (name, head, rest) in [
        ("GIF and JPEG", b"GIF89a/*".as_slice(), &jpeg),
        ("PDF and JPEG", b"%PDF-1.7\n", &jpeg),
        ("ZIP and PNG", zip, &png),
        ("page and JPEG", page, &jpeg),
        ("PNG signature and JPEG", b"\x89PNG\r\n\x1a\n", &jpeg),
        ("JPEG marker and PNG", b"\xff\xd8\xff", &png),
        ("AVI and WebP", b"RIFF\0\0\0\0AVI ", &webp),
        ("program and JPEG", b"\x7fELF\x02\x01\x01\0", &jpeg),
    ] {
        table.add(name, why, UNREADABLE, [head, rest.as_slice()].concat());
    }
}

/// Pixels that make numbers go wrong: no variance, all extremes, noise, a line.
fn contents(table: &mut Table) {
    let why = "pixels from which a division by zero or a NaN could come";
    let mut random = Random(0xD1CE);
    let noise = RgbImage::from_fn(SIDE, SIDE, |_, _| {
        Rgb([0; 3].map(|_: u8| random.next().to_le_bytes()[4]))
    });
    for (name, image) in [
        ("black", RgbImage::new(SIDE, SIDE)),
        ("white", RgbImage::from_pixel(SIDE, SIDE, Rgb([255; 3]))),
        ("one grey", RgbImage::from_pixel(SIDE, SIDE, Rgb([128; 3]))),
        (
            "checkered",
            RgbImage::from_fn(SIDE, SIDE, |x, y| {
                Rgb([if (x ^ y) & 1 == 0 { 0 } else { 255 }; 3])
            }),
        ),
        (
            "striped",
            RgbImage::from_fn(
                SIDE,
                SIDE,
                |x, _| Rgb([if x & 1 == 0 { 0 } else { 255 }; 3]),
            ),
        ),
        ("noise", noise),
    ] {
        table.add(format!("PNG, {name}"), why, NOBODY, drawn::png_of(&image));
    }
    table.add(
        "PNG, 320 pixels wide and 200000 high",
        "a side that no camera has",
        NOBODY,
        png_of_zeros(320, 200_000, 0, 8),
    );
    table.add(
        "PNG, 200000 pixels wide and 320 high",
        "a side that no camera has",
        NOBODY,
        png_of_zeros(200_000, 320, 0, 8),
    );
    let clear = DynamicImage::new_rgba16(SIDE, SIDE);
    table.add(
        "PNG, wholly transparent",
        why,
        NOBODY,
        drawn::file(&clear, ImageFormat::Png),
    );
    let png = drawn::png_of(&drawn::pattern(SIDE, SIDE));
    for (name, gamma) in [("0", [0; 4]), ("the largest", [0xFF; 4])] {
        let file = drawn::png_with_chunk(&png, *b"gAMA", &gamma);
        table.add(format!("PNG with gamma {name}"), why, NOBODY, file);
    }
    let file = drawn::png_with_chunk(&png, *b"cHRM", &[0; 32]);
    table.add("PNG with chromaticities 0", why, NOBODY, file);
}
