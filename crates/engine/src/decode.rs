//! File bytes → upright 8-bit RGB pixels, within limits. The only code that reads image files.
//!
//! [`decode`] reads any image at its full size; [`reducible`] offers large JPEGs at a reduced one.
//! Every byte is hostile: the format is told by its magic numbers, size and pixel count are
//! checked before pixels are decoded, and a decoder's error or panic becomes
//! [`Rejection::UnreadableImage`].

mod exif;
mod format;
mod jpeg;
mod png;
mod webp;

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, Rgb, RgbImage,
    codecs::{png::PngDecoder, webp::WebPDecoder},
    metadata::Orientation,
};

use crate::{
    detect::BBox,
    error::Rejection,
    photo::{ContentBox, Photo},
    policy::Limits,
};
use jpeg::{Jpeg, Part, Picture, Refusal};

/// Most bytes a decoder may allocate: 64 megapixels of 16-bit RGBA, the largest image that the
/// default limits let through.
const MAX_DECODER_BYTES: u64 = 64_000_000 * 8;

/// Most bytes that a PNG's chunks beside the pixels may take, packed and unpacked: a colour profile
/// of 10 MB may hold 10 GB of zeros.
const MAX_PNG_CHUNK_BYTES: u64 = 32 * 1024 * 1024;

/// Pixels from which a JPEG is large. Of smaller ones most faces need the half or the whole size.
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
pub(crate) struct Reducible(Jpeg);

/// Reads a large JPEG; `None` for every other file, which [`decode`] then reads or refuses.
///
/// # Errors
/// As [`decode`].
pub(crate) fn reducible(file: &[u8], limits: &Limits) -> Result<Option<Reducible>, Rejection> {
    /// Stands for a small one until it is known to be one.
    const SMALL: Option<Rejection> = None;

    limits.check_file(file.len())?;
    if format::accepted(file)? != ImageFormat::Jpeg {
        return Ok(None);
    }
    let read = || {
        Jpeg::read(file, |width, height| {
            limits.check_pixels(width, height).map_err(Some)?;
            if u64::from(width) * u64::from(height) < LARGE_PIXELS {
                return Err(SMALL);
            }
            Ok(())
        })
    };
    match guarded(read)? {
        Ok(large) => Ok(Some(Reducible(large))),
        Err(Refusal::Size(SMALL)) => Ok(None),
        Err(Refusal::Size(Some(rejection))) => Err(rejection),
        Err(Refusal::Unreadable(reason)) => Err(Rejection::UnreadableImage(reason)),
    }
}

/// What `read` gives; a panic of it becomes a refusal.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, Rejection> {
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| {
        Rejection::UnreadableImage("the image is damaged: its decoder failed".to_owned())
    })
}

/// See [`crate::fuzzing::reduced_jpeg`].
#[cfg(feature = "fuzzing")]
pub(crate) fn reduced_of_any_size(file: &[u8], limits: &Limits) -> Option<[Photo; 4]> {
    let large = Reducible(read_jpeg(file, limits).ok()?);
    let [whole, half, quarter, eighth] =
        [1, 2, 4, 8].map(|reduction| large.render(reduction, &large.whole(reduction), 0));
    Some([whole?, half?, quarter?, eighth?])
}

fn read_jpeg(file: &[u8], limits: &Limits) -> Result<Jpeg, Rejection> {
    Jpeg::read(file, |width, height| limits.check_pixels(width, height)).map_err(|refusal| {
        match refusal {
            Refusal::Unreadable(reason) => Rejection::UnreadableImage(reason),
            Refusal::Size(rejection) => rejection,
        }
    })
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

    /// The photo at 1/`reduction` (1, 2, 4 or 8) of its size, turned as its orientation says and then
    /// clockwise by `rotated` degrees.
    pub(crate) fn photo(&self, reduction: u32, rotated: u16) -> Option<Photo> {
        let render = || self.render(reduction, &self.whole(reduction), rotated);
        catch_unwind(AssertUnwindSafe(render)).ok()?
    }

    fn whole(&self, reduction: u32) -> Area {
        let (width, height) = self.0.reduced(reduction);
        Area([0, 0, width, height])
    }

    /// As [`Reducible::photo`], turned as `located`, but black where no crop of a face in `bbox` (pixels
    /// of the upright photo at that size) reaches: what is not looked at is not made.
    pub(crate) fn photo_around(
        &self,
        reduction: u32,
        located: &Photo,
        bbox: &BBox,
    ) -> Option<Photo> {
        let orientation = turned_further(self.0.orientation(), located.rotated);
        let size = self.0.reduced(reduction);
        let (width, height) = turned_size(orientation, size);
        let content = located.content.reduced(reduction, width, height);
        let side = PART_FACTOR * bbox.width().max(bbox.height());
        // As crops do: shifted inside the content.
        let span = |from: f32, to: f32, start: u32, end: u32| {
            let (start, end) = (start as f32, end as f32);
            let first = ((from + to - side) / 2.0).min(end - side).max(start);
            let last = (first + side).ceil().min(end);
            (first as u32, last as u32)
        };
        let (left, right) = span(bbox.x0, bbox.x1, content.x0, content.x1);
        let (top, bottom) = span(bbox.y0, bbox.y1, content.y0, content.y1);
        let upright = Area([left, top, right, bottom]);
        let stored = upright.turned(inverse(orientation), (width, height));
        let render = || self.render(reduction, &stored, located.rotated);
        catch_unwind(AssertUnwindSafe(render)).ok()?
    }

    /// The upright photo with at least this area of the stored one.
    fn render(&self, reduction: u32, area: &Area, rotated: u16) -> Option<Photo> {
        let orientation = turned_further(self.0.orientation(), rotated);
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
            content: ContentBox::whole(full_width, full_height),
            rotated,
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

/// The same, and then clockwise by so many degrees.
fn turned_further(orientation: Orientation, degrees: u16) -> Orientation {
    // Quarters of a circle, and whether it is then mirrored from left to right.
    let (quarters, mirrored) = match orientation {
        Orientation::NoTransforms => (0, false),
        Orientation::Rotate90 => (1, false),
        Orientation::Rotate180 => (2, false),
        Orientation::Rotate270 => (3, false),
        Orientation::FlipHorizontal => (0, true),
        Orientation::Rotate90FlipH => (1, true),
        Orientation::FlipVertical => (2, true),
        Orientation::Rotate270FlipH => (3, true),
    };
    let further = degrees / 90 % 4;
    // A mirrored picture turns the other way.
    let further = if mirrored { 4 - further } else { further };
    match ((quarters + further) % 4, mirrored) {
        (0, false) => Orientation::NoTransforms,
        (1, false) => Orientation::Rotate90,
        (2, false) => Orientation::Rotate180,
        (3, false) => Orientation::Rotate270,
        (0, true) => Orientation::FlipHorizontal,
        (1, true) => Orientation::Rotate90FlipH,
        (2, true) => Orientation::FlipVertical,
        _ => Orientation::Rotate270FlipH,
    }
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
    guarded(|| match format {
        ImageFormat::Jpeg => {
            let large = Reducible(read_jpeg(file, limits)?);
            large
                .render(1, &large.whole(1), 0)
                .ok_or_else(|| Rejection::UnreadableImage("the JPEG has no pixels".to_owned()))
        }
        ImageFormat::Png => {
            let ended = png::ended(file);
            let file = ended.as_deref().unwrap_or(file);
            let limited = decoder_limits(MAX_PNG_CHUNK_BYTES);
            pixels(
                PngDecoder::with_limits(Cursor::new(file), limited),
                png::orientation(file),
                limits,
                format,
                |error| png::refusal(file, error),
            )
        }
        _ => {
            let orientation = webp::check(file)?;
            pixels(
                WebPDecoder::new(Cursor::new(file)),
                orientation,
                limits,
                format,
                unreadable,
            )
        }
    })?
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Png => "png",
        _ => "webp",
    }
}

/// Limits of a decoder's allocations; those of the image are checked before.
fn decoder_limits(bytes: u64) -> image::Limits {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// Header, limits, pixels; turned as the file says.
fn pixels<D: ImageDecoder>(
    decoder: Result<D, ImageError>,
    orientation: Orientation,
    limits: &Limits,
    format: ImageFormat,
    refusal: impl FnOnce(ImageError) -> Rejection,
) -> Result<Photo, Rejection> {
    let mut decoder = decoder.map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    limits.check_pixels(width, height)?;
    decoder
        .set_limits(decoder_limits(MAX_DECODER_BYTES))
        .map_err(unreadable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    if image.color().has_alpha() {
        image = DynamicImage::ImageRgb8(over_white(&image));
    }
    // First to 8 bits, so that the turned copy is the small one.
    let mut image = DynamicImage::ImageRgb8(image.into_rgb8());
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    let (width, height) = image.dimensions();
    Ok(Photo::new(width, height, image.into_raw(), name(format)))
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
