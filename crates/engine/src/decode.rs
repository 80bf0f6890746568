//! File bytes → upright 8-bit RGB pixels, within limits. The only code that reads image files.
//!
//! [`decode`] reads any image at its full size; [`large_jpeg`] offers large JPEGs at a reduced one.
//! Every byte is hostile: the format is told by its magic numbers, size and pixel count are
//! checked before pixels are decoded, and a decoder's error or panic becomes
//! [`Rejection::UnreadableImage`].

mod format;
mod large_jpeg;

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, Rgb, RgbImage,
    codecs::{jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder},
    metadata::Orientation,
};

use crate::{Photo, detect::BBox, error::Rejection, policy::Limits};
use large_jpeg::{LargeJpeg, Part, Picture};

/// Most scans of a JPEG. Encoders write about ten; every scan walks all pixels again, so a file
/// of thousands would hold a worker for minutes.
const MAX_JPEG_SCANS: usize = 64;

/// Most pixels that all scans of a JPEG may walk together: 15 scans of the largest image, 83 of a
/// phone's 12 megapixels. A kilobyte can ask for any number of them.
const MAX_SCANNED_PIXELS: u64 = 1_000_000_000;

/// Most bytes a decoder may allocate: 64 megapixels of 16-bit RGBA, the largest image that the
/// default limits let through.
const MAX_DECODER_BYTES: u64 = 64_000_000 * 8;

/// Most bytes that a PNG's chunks beside the pixels may take, packed and unpacked: a colour profile
/// of 10 MB may hold 10 GB of zeros.
const MAX_PNG_CHUNK_BYTES: u64 = 32 * 1024 * 1024;

/// Pixels from which a JPEG is large. Of smaller ones most faces need the half or the whole size,
/// which the general decoder gives in the same time.
const LARGE_PIXELS: u64 = 8_000_000;

/// Least pixels of the longer side that a reduced photo keeps for the search of faces: half as much again
/// as the input of the net, which then sees nearly what it would see of the whole photo.
const SEARCH_SIDE: u32 = 480;

/// Least width of a face in a reduced photo, pixels: the nets look at no face more closely.
const FACE_WIDTH: f32 = 320.0;

/// Side of the part of a large photo that is made into pixels again, over the longer side of the face:
/// the widest crop takes 2.7, and the face may be moved by a tenth and be larger by 15 %.
const PART_FACTOR: f32 = 3.5;

/// A large JPEG that has been read and can be had at several sizes.
pub(crate) struct Reducible(LargeJpeg);

/// Reads a large JPEG of a kind that can be reduced while it is read; `None` for every other file,
/// which [`decode`] then reads or refuses.
pub(crate) fn reducible(file: &[u8], limits: &Limits) -> Option<Reducible> {
    if format::accepted(file).ok()? != ImageFormat::Jpeg || limits.check_file(file.len()).is_err() {
        return None;
    }
    let read = || read_large(file, limits, LARGE_PIXELS);
    catch_unwind(AssertUnwindSafe(read)).ok()?.map(Reducible)
}

/// Reads a JPEG of at least `least` pixels whose structure and size are within the limits.
fn read_large(file: &[u8], limits: &Limits, least: u64) -> Option<LargeJpeg> {
    check_jpeg_structure(file, limits).ok()?;
    LargeJpeg::read(file, |width, height| {
        u64::from(width) * u64::from(height) >= least && limits.check_pixels(width, height).is_ok()
    })
}

/// See [`crate::fuzzing::large_jpeg`].
#[cfg(feature = "fuzzing")]
pub(crate) fn reduced_of_any_size(file: &[u8], limits: &Limits) -> Option<[Photo; 3]> {
    let large = Reducible(read_large(file, limits, 0)?);
    let [half, quarter, eighth] =
        [2, 4, 8].map(|reduction| large.render(reduction, &large.whole(reduction)));
    Some([half?, quarter?, eighth?])
}

impl Reducible {
    /// The reduction at which faces are searched: 2, 4 or 8.
    pub(crate) fn search_reduction(&self) -> u32 {
        let longer = self.0.width().max(self.0.height());
        [8, 4]
            .into_iter()
            .find(|reduction| longer / reduction >= SEARCH_SIDE)
            .unwrap_or(2)
    }

    /// The largest reduction, at most `most`, that leaves a face of `width` (pixels of the whole
    /// photo) wide enough; 1 when only the whole photo has.
    pub(crate) fn face_reduction(width: f32, most: u32) -> u32 {
        [8, 4, 2]
            .into_iter()
            .find(|reduction| *reduction <= most && width / *reduction as f32 >= FACE_WIDTH)
            .unwrap_or(1)
    }

    /// The upright photo at 1/`reduction` (1, 2, 4 or 8) of its size.
    pub(crate) fn photo(&self, reduction: u32) -> Option<Photo> {
        let render = || self.render(reduction, &self.whole(reduction));
        catch_unwind(AssertUnwindSafe(render)).ok()?
    }

    fn whole(&self, reduction: u32) -> Area {
        let (width, height) = self.0.reduced(reduction);
        Area([0, 0, width, height])
    }

    /// As [`Reducible::photo`], but black where no crop of a face in `bbox` (pixels of the upright
    /// photo at that size) reaches: what is not looked at is not made.
    pub(crate) fn photo_around(&self, reduction: u32, bbox: &BBox) -> Option<Photo> {
        let size = self.0.reduced(reduction);
        let (width, height) = turned_size(self.0.orientation(), size);
        let side = PART_FACTOR * bbox.width().max(bbox.height());
        // As crops do: shifted inside the photo.
        let span = |from: f32, to: f32, end: u32| {
            let first = ((from + to - side) / 2.0).min(end as f32 - side).max(0.0);
            let last = (first + side).ceil().min(end as f32);
            (first as u32, last as u32)
        };
        let (left, right) = span(bbox.x0, bbox.x1, width);
        let (top, bottom) = span(bbox.y0, bbox.y1, height);
        let upright = Area([left, top, right, bottom]);
        let stored = upright.turned(inverse(self.0.orientation()), (width, height));
        catch_unwind(AssertUnwindSafe(|| self.render(reduction, &stored))).ok()?
    }

    /// The upright photo with at least this area of the stored one.
    fn render(&self, reduction: u32, area: &Area) -> Option<Photo> {
        let orientation = self.0.orientation();
        let size = self.0.reduced(reduction);
        let (width, height) = turned_size(orientation, size);
        let [left, top, right, bottom] = area.0;
        let part = Part {
            columns: left..right,
            rows: top..bottom,
        };
        let Picture { part, rgb } = self.0.render(reduction, part);
        let (columns, rows) = (part.columns.len() as u32, part.rows.len() as u32);
        let mut image = DynamicImage::ImageRgb8(RgbImage::from_raw(columns, rows, rgb)?);
        image.apply_orientation(orientation);
        let made = Area([
            part.columns.start,
            part.rows.start,
            part.columns.end,
            part.rows.end,
        ]);
        let [left, top, ..] = made.turned(orientation, size).0;
        let rgb = placed(image.into_rgb8(), (width, height), (left, top));
        let full = (self.0.width(), self.0.height());
        let (full_width, full_height) = turned_size(orientation, full);
        Some(Photo {
            reduction,
            full_width,
            full_height,
            ..Photo::new(width, height, rgb, "jpeg")
        })
    }
}

/// The picture with its corner at `at` in a black one of `size`.
fn placed(picture: RgbImage, size: (u32, u32), at: (u32, u32)) -> Vec<u8> {
    if picture.dimensions() == size {
        return picture.into_raw();
    }
    let (width, height) = (size.0 as usize * 3, size.1 as usize);
    // Pages that stay black are never touched, and cost nothing.
    let mut rgb = vec![0; width * height];
    let first = at.0 as usize * 3;
    let row_bytes = picture.width() as usize * 3;
    for (to, from) in rgb
        .chunks_exact_mut(width)
        .skip(at.1 as usize)
        .zip(picture.as_raw().chunks_exact(row_bytes))
    {
        to[first..first + row_bytes].copy_from_slice(from);
    }
    rgb
}

/// Left, top, right and bottom.
struct Area([u32; 4]);

impl Area {
    /// Where it lies when its picture of `size` is turned.
    fn turned(&self, orientation: Orientation, (width, height): (u32, u32)) -> Self {
        let [left, top, right, bottom] = self.0;
        let corner = |x: u32, y: u32| match orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (width - x, y),
            Orientation::FlipVertical => (x, height - y),
            Orientation::Rotate180 => (width - x, height - y),
            Orientation::Rotate90 => (height - y, x),
            Orientation::Rotate270 => (y, width - x),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate270FlipH => (height - y, width - x),
        };
        let (one, other) = (corner(left, top), corner(right, bottom));
        Self([
            one.0.min(other.0),
            one.1.min(other.1),
            one.0.max(other.0),
            one.1.max(other.1),
        ])
    }
}

/// Width and height of a picture that is turned.
fn turned_size(orientation: Orientation, (width, height): (u32, u32)) -> (u32, u32) {
    let Area([.., right, bottom]) =
        Area([0, 0, width, height]).turned(orientation, (width, height));
    (right, bottom)
}

/// What turns back.
fn inverse(orientation: Orientation) -> Orientation {
    match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        own => own,
    }
}

/// Reads one image file.
///
/// # Errors
/// [`Rejection::TooLarge`] or [`Rejection::UnreadableImage`].
pub(crate) fn decode(file: &[u8], limits: &Limits) -> Result<Photo, Rejection> {
    limits.check_file(file.len())?;
    let format = format::accepted(file)?;
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        ImageFormat::Jpeg => {
            check_jpeg_structure(file, limits)?;
            pixels(JpegDecoder::new(Cursor::new(file)), limits)
        }
        ImageFormat::Png => pixels(
            PngDecoder::with_limits(Cursor::new(file), decoder_limits(MAX_PNG_CHUNK_BYTES)),
            limits,
        ),
        _ => {
            check_webp_structure(file)?;
            pixels(WebPDecoder::new(Cursor::new(file)), limits)
        }
    }));
    let image = decoded.unwrap_or_else(|_| {
        Err(Rejection::UnreadableImage(
            "the image is damaged: its decoder gave up".to_owned(),
        ))
    })?;
    let (width, height) = image.dimensions();
    Ok(Photo::new(width, height, image.into_raw(), name(format)))
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Png => "png",
        _ => "webp",
    }
}

/// Walks the markers of a JPEG (ITU-T T.81, annex B): refuses a file that ends before its end
/// marker (decoders fill the rest with grey), has an absurd number of scans, or announces too many
/// pixels in any of its frame headers.
fn check_jpeg_structure(file: &[u8], limits: &Limits) -> Result<(), Rejection> {
    const SOI: u8 = 0xD8;
    const EOI: u8 = 0xD9;
    const SOS: u8 = 0xDA;
    const TEM: u8 = 0x01;
    let truncated = || {
        Rejection::UnreadableImage(format!(
            "the JPEG is cut off: it ends after {} bytes without its end marker",
            file.len()
        ))
    };
    let mut at = 2;
    let mut scans = 0;
    let mut pixels = 0;
    let mut scanned = 0_u64;
    loop {
        // In and between segments: anything up to the next marker is entropy-coded data or
        // padding; FF 00 and the restart markers belong to it.
        let step = file
            .get(at..)
            .and_then(|rest| memchr::memchr(0xFF, rest))
            .ok_or_else(truncated)?;
        at += step + 1;
        let marker = *file.get(at).ok_or_else(truncated)?;
        match marker {
            0xFF => continue,
            0x00 | TEM | SOI | 0xD0..=0xD7 => {
                at += 1;
                continue;
            }
            EOI => return Ok(()),
            SOS => {
                scans += 1;
                scanned = scanned.saturating_add(pixels);
            }
            // Every start of frame, of whatever process (table B.1).
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let size = file.get(at + 4..at + 8).ok_or_else(truncated)?;
                let side = |at: usize| u32::from(u16::from_be_bytes([size[at], size[at + 1]]));
                let (height, width) = (side(0), side(2));
                limits.check_pixels(width, height)?;
                pixels = u64::from(width) * u64::from(height);
            }
            _ => {}
        }
        if scanned > MAX_SCANNED_PIXELS {
            return Err(Rejection::UnreadableImage(format!(
                "the JPEG has more than {} scans of {pixels} pixels",
                scans - 1
            )));
        }
        if scans > MAX_JPEG_SCANS {
            return Err(Rejection::UnreadableImage(format!(
                "the JPEG has more than {MAX_JPEG_SCANS} scans"
            )));
        }
        let length = file.get(at + 1..at + 3).ok_or_else(truncated)?;
        at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
}

/// Walks the chunks of a WebP (RIFF): refuses a file in which one announces more bytes than follow.
/// The decoder would allocate what it announces, up to 4 GB.
fn check_webp_structure(file: &[u8]) -> Result<(), Rejection> {
    const RIFF_HEAD: usize = 12;
    const CHUNK_HEAD: usize = 8;
    let length = |at: usize| {
        let bytes = file.get(at..at + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    // What the head does not count is not part of the image.
    let end = length(4).unwrap_or_default().saturating_add(8);
    let mut at = RIFF_HEAD;
    while at < end.min(file.len()) {
        let Some(announced) = length(at + 4) else {
            return Ok(());
        };
        let follow = file.len() - (at + CHUNK_HEAD);
        if announced > follow {
            return Err(Rejection::UnreadableImage(format!(
                "the WebP is cut off: a chunk announces {announced} bytes and {follow} follow"
            )));
        }
        at += CHUNK_HEAD + announced.next_multiple_of(2);
    }
    Ok(())
}

/// Limits of a decoder's allocations; those of the image are checked before.
fn decoder_limits(bytes: u64) -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// Header, limits, pixels, orientation.
fn pixels<D: ImageDecoder>(
    decoder: Result<D, ImageError>,
    limits: &Limits,
) -> Result<RgbImage, Rejection> {
    let mut decoder = decoder.map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    limits.check_pixels(width, height)?;
    decoder
        .set_limits(decoder_limits(MAX_DECODER_BYTES))
        .map_err(unreadable)?;
    // A damaged EXIF block is no reason to refuse a photo that can be read.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    if image.color().has_alpha() {
        image = DynamicImage::ImageRgb8(over_white(&image));
    }
    // First to 8 bits, so that the turned copy is the small one.
    let mut image = DynamicImage::ImageRgb8(image.into_rgb8());
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// What a person would see on a white page: transparent pixels must not hide another picture.
/// Pixel by pixel: a copy of the whole image in 8 bits with alpha would be the largest there is.
fn over_white(image: &DynamicImage) -> RgbImage {
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [r, g, b, alpha] = image.get_pixel(x, y).0;
        Rgb([r, g, b].map(|value| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            let blended = (value * alpha + 255 * (255 - alpha) + 127) / 255;
            u8::try_from(blended).unwrap_or(u8::MAX)
        }))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` wants")]
fn unreadable(error: ImageError) -> Rejection {
    Rejection::UnreadableImage(format!("the image is damaged: {error}"))
}
