//! Images of nobody: patterns, and files of them in every format the API takes.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A coloured pattern without symmetry, so that every orientation differs: a gradient with a dark
/// block in the top left corner.
#[must_use]
pub fn pattern(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        if x < width / 4 && y < height / 4 {
            return Rgb([16, 16, 64]);
        }
        let share = |at: u32, of: u32| u8::try_from(at * 255 / of.max(1)).unwrap_or(u8::MAX);
        Rgb([share(x, width), share(y, height), 128])
    })
}

/// The file of an image in a format.
#[must_use]
pub fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("drawn image");
    bytes.into_inner()
}

/// A JPEG of the pattern.
#[must_use]
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    jpeg_of(&pattern(width, height), false)
}

/// A JPEG of an image, baseline or progressive, quality 95.
#[must_use]
pub fn jpeg_of(image: &RgbImage, progressive: bool) -> Vec<u8> {
    encode_jpeg(
        image.as_raw(),
        image.width(),
        image.height(),
        jpeg_encoder::ColorType::Rgb,
        progressive,
    )
}

/// How much less resolution the colours of a JPEG have than its light.
#[derive(Debug, Clone, Copy)]
pub enum Sampling {
    /// 4:4:4, as much.
    Full,
    /// 4:2:2, half of it across.
    Halved,
    /// 4:2:0, half of it across and down.
    Quartered,
    /// 4:1:1, a quarter of it across; written in a scan for each component.
    Strips,
}

/// A baseline JPEG with a sampling of its colours, and with a restart marker after every `restart`
/// MCUs (0: none).
#[must_use]
pub fn sampled_jpeg_of(image: &RgbImage, sampling: Sampling, restart: u16) -> Vec<u8> {
    let side = |value: u32| u16::try_from(value).expect("JPEG sides are 16 bits");
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder.set_sampling_factor(match sampling {
        Sampling::Full => jpeg_encoder::SamplingFactor::R_4_4_4,
        Sampling::Halved => jpeg_encoder::SamplingFactor::R_4_2_2,
        Sampling::Quartered => jpeg_encoder::SamplingFactor::R_4_2_0,
        Sampling::Strips => jpeg_encoder::SamplingFactor::R_4_1_1,
    });
    if restart > 0 {
        encoder.set_restart_interval(restart);
    }
    encoder
        .encode(
            image.as_raw(),
            side(image.width()),
            side(image.height()),
            jpeg_encoder::ColorType::Rgb,
        )
        .expect("drawn image");
    bytes
}

/// A baseline JPEG of a quality (1 to 100), its colours quartered (4:2:0) below 90 as cameras do.
#[must_use]
pub fn jpeg_of_quality(image: &RgbImage, quality: u8) -> Vec<u8> {
    let side = |value: u32| u16::try_from(value).expect("JPEG sides are 16 bits");
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, quality)
        .encode(
            image.as_raw(),
            side(image.width()),
            side(image.height()),
            jpeg_encoder::ColorType::Rgb,
        )
        .expect("drawn image");
    bytes
}

/// A CMYK JPEG of an image, inverted as Adobe's programs write it.
#[must_use]
pub fn cmyk_jpeg_of(image: &RgbImage) -> Vec<u8> {
    encode_jpeg(
        &inks(image),
        image.width(),
        image.height(),
        jpeg_encoder::ColorType::Cmyk,
        false,
    )
}

/// A YCCK JPEG of an image: the inks of [`cmyk_jpeg_of`] as light, two colours and key.
#[must_use]
pub fn ycck_jpeg_of(image: &RgbImage, progressive: bool) -> Vec<u8> {
    encode_jpeg(
        &inks(image),
        image.width(),
        image.height(),
        jpeg_encoder::ColorType::CmykAsYcck,
        progressive,
    )
}

/// Cyan, magenta, yellow and key of each pixel. Readers multiply: red = (1 - cyan) (1 - key).
fn inks(image: &RgbImage) -> Vec<u8> {
    let inks = image.pixels().flat_map(|Rgb([r, g, b])| {
        let light = (*r).max(*g).max(*b).max(1);
        let ink = |value: u8| {
            let paper = u32::from(value) * 255 / u32::from(light);
            255 - u8::try_from(paper).unwrap_or(u8::MAX)
        };
        [ink(*r), ink(*g), ink(*b), 255 - light]
    });
    inks.collect()
}

/// The JPEG without its Huffman tables, as a frame of a motion JPEG is.
#[must_use]
pub fn without_huffman_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut file = jpeg[..2].to_vec();
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = jpeg.get(at..).and_then(<[u8]>::first_chunk) {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xDA {
            break;
        }
        if marker != 0xC4 {
            file.extend(&jpeg[at..end]);
        }
        at = end;
    }
    file.extend(&jpeg[at..]);
    file
}

/// A grey JPEG of an image.
#[must_use]
pub fn grey_jpeg_of(image: &RgbImage) -> Vec<u8> {
    let luma = DynamicImage::ImageRgb8(image.clone()).into_luma8();
    encode_jpeg(
        luma.as_raw(),
        image.width(),
        image.height(),
        jpeg_encoder::ColorType::Luma,
        false,
    )
}

fn encode_jpeg(
    samples: &[u8],
    width: u32,
    height: u32,
    color: jpeg_encoder::ColorType,
    progressive: bool,
) -> Vec<u8> {
    let side = |value: u32| u16::try_from(value).expect("JPEG sides are 16 bits");
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder.set_progressive(progressive);
    encoder
        .encode(samples, side(width), side(height), color)
        .expect("drawn image");
    bytes
}

/// The JPEG with an EXIF block that gives its orientation, 1 to 8 (Exif 2.32, tag 0x0112).
#[must_use]
pub fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    with_segment(jpeg, 0xE1, &exif)
}

/// The JPEG with one more marker segment right after its start.
#[must_use]
pub fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).expect("a segment holds 64 KiB");
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, marker]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// A PNG of an image.
#[must_use]
pub fn png_of(image: &RgbImage) -> Vec<u8> {
    file(&DynamicImage::ImageRgb8(image.clone()), ImageFormat::Png)
}

/// Bytes of a PNG before its first chunk may follow: signature and header chunk.
const PNG_HEAD: usize = 8 + 25;

/// The PNG with one more chunk right after its header.
#[must_use]
pub fn png_with_chunk(png: &[u8], kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    [&png[..PNG_HEAD], &png_chunk(kind, data), &png[PNG_HEAD..]].concat()
}

/// One PNG chunk with its length and checksum.
#[must_use]
pub fn png_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("a chunk holds 4 GiB");
    let checked = [kind.as_slice(), data].concat();
    let checksum = crc32(&checked).to_be_bytes();
    [length.to_be_bytes().as_slice(), &checked, &checksum].concat()
}

/// A lossless WebP of an image.
#[must_use]
pub fn webp_of(image: &RgbImage) -> Vec<u8> {
    file(&DynamicImage::ImageRgb8(image.clone()), ImageFormat::WebP)
}

/// One chunk of a WebP: its kind, its length, its data padded to an even length.
#[must_use]
pub fn webp_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("a chunk holds 4 GiB");
    let mut chunk = [kind.as_slice(), &length.to_le_bytes(), data].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// A WebP of chunks.
#[must_use]
pub fn webp_file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let chunks = chunks.concat();
    let length = u32::try_from(chunks.len() + 4).expect("a WebP holds 4 GiB");
    [b"RIFF", length.to_le_bytes().as_slice(), b"WEBP", &chunks].concat()
}

/// What the chunk `VP8X` says is there.
#[derive(Debug, Clone, Copy)]
pub struct WebpFlags(pub u8);

impl WebpFlags {
    /// Frames of an animation.
    pub const ANIMATION: Self = Self(0x02);
    /// An EXIF block.
    pub const EXIF: Self = Self(0x08);
}

/// The chunk `VP8X` of a WebP of a size.
#[must_use]
pub fn webp_extended(width: u32, height: u32, flags: WebpFlags) -> Vec<u8> {
    let mut data = vec![flags.0, 0, 0, 0];
    data.extend(&(width - 1).to_le_bytes()[..3]);
    data.extend(&(height - 1).to_le_bytes()[..3]);
    webp_chunk(*b"VP8X", &data)
}

/// The picture's own chunk (`VP8L`) of a WebP that [`webp_of`] wrote.
fn webp_picture(image: &RgbImage) -> Vec<u8> {
    webp_of(image)[12..].to_vec()
}

/// A WebP of an image with an EXIF block.
#[must_use]
pub fn webp_with_exif(image: &RgbImage, block: &[u8]) -> Vec<u8> {
    webp_file(&[
        webp_extended(image.width(), image.height(), WebpFlags::EXIF),
        webp_picture(image),
        webp_chunk(*b"EXIF", block),
    ])
}

/// A WebP that shows an image in each of `frames` frames.
#[must_use]
pub fn animated_webp_of(image: &RgbImage, frames: usize) -> Vec<u8> {
    let mut frame = vec![0; 6];
    frame.extend(&(image.width() - 1).to_le_bytes()[..3]);
    frame.extend(&(image.height() - 1).to_le_bytes()[..3]);
    // 100 ms, drawn over what was there.
    frame.extend([100, 0, 0, 2]);
    frame.extend(webp_picture(image));
    let mut chunks = vec![
        webp_extended(image.width(), image.height(), WebpFlags::ANIMATION),
        webp_chunk(*b"ANIM", &[255, 255, 255, 255, 0, 0]),
    ];
    chunks.extend(std::iter::repeat_n(webp_chunk(*b"ANMF", &frame), frames));
    webp_file(&chunks)
}

/// A face as a child draws one: the detector sees something in it, though no photo's score.
#[must_use]
pub fn face(width: u32, height: u32) -> RgbImage {
    let (w, h) = (f64::from(width), f64::from(height));
    let inside = |x: f64, y: f64, cx: f64, cy: f64, rx: f64, ry: f64| {
        let (dx, dy) = ((x - cx) / rx, (y - cy) / ry);
        dx * dx + dy * dy <= 1.0
    };
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) / w, f64::from(y) / h);
        let light = |value: f64| {
            // Shaded from the left, as a lamp would.
            let shade = value * (1.1 - 0.4 * x);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to a byte"
            )]
            let byte = shade.clamp(0.0, 255.0) as u8;
            byte
        };
        let color = |[r, g, b]: [f64; 3]| Rgb([light(r), light(g), light(b)]);
        for side in [-1.0, 1.0] {
            let eye = 0.5 + side * 0.095;
            if inside(x, y, eye, 0.43, 0.018, 0.018) {
                return color([30.0, 20.0, 20.0]);
            }
            if inside(x, y, eye, 0.43, 0.045, 0.02) {
                return color([235.0, 235.0, 230.0]);
            }
            if inside(x, y, eye, 0.375, 0.06, 0.012) {
                return color([60.0, 40.0, 30.0]);
            }
            if inside(x, y, 0.5 + side * 0.02, 0.56, 0.009, 0.006) {
                return color([110.0, 60.0, 50.0]);
            }
        }
        if inside(x, y, 0.5, 0.65, 0.075, 0.018) {
            return color([170.0, 70.0, 75.0]);
        }
        if inside(x, y, 0.5, 0.53, 0.025, 0.04) {
            return color([235.0, 185.0, 160.0]);
        }
        if inside(x, y, 0.5, 0.5, 0.2, 0.28) && y > 0.31 {
            return color([222.0, 172.0, 145.0]);
        }
        if inside(x, y, 0.5, 0.45, 0.235, 0.3) && y < 0.55 {
            return color([50.0, 35.0, 28.0]);
        }
        if inside(x, y, 0.5, 1.05, 0.42, 0.28) {
            return color([70.0, 90.0, 140.0]);
        }
        if (0.43..0.57).contains(&x) && (0.7..0.85).contains(&y) {
            return color([200.0, 150.0, 125.0]);
        }
        color([190.0, 200.0, 205.0])
    })
}

/// A PNG whose header announces a size that its (empty) pixel data does not have.
#[must_use]
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = file(&DynamicImage::ImageRgb8(pattern(1, 1)), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// CRC-32 as PNG uses it (ISO/IEC 15948, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                0xEDB8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            }
        })
    })
}
