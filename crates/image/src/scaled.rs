//! Large JPEGs: read once, rendered at several sizes and in part.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{DynamicImage, ImageFormat, RgbImage};

use crate::{
    content_box::ContentBox,
    decoded::DecodedImage,
    error::{DecodeError, catch},
    format,
    jpeg::{Jpeg, Part, Picture, Refusal},
    limits::FileLimits,
    orientation::{Area, inverse_orientation, turned_further, turned_size},
};

/// A JPEG that has been read and can be rendered at several sizes.
///
/// ```
/// use livecheck_image::{FileLimits, ScaledJpeg};
///
/// # fn main() -> Result<(), livecheck_image::DecodeError> {
/// # let file = livecheck_testing::drawn::jpeg(640, 480);
/// let jpeg = ScaledJpeg::read(&file, &FileLimits::default(), 0)?.expect("a JPEG");
/// let small = jpeg.render(4, 0).expect("pixels");
/// assert_eq!((small.width, small.full_width), (160, 640));
/// # Ok(())
/// # }
/// ```
pub struct ScaledJpeg(Jpeg);

impl ScaledJpeg {
    /// Reads a JPEG of at least so many pixels; `None` for every other file, which
    /// [`decode`](crate::decode()) then reads or refuses.
    ///
    /// # Errors
    /// As [`decode`](crate::decode()).
    pub fn read(
        file: &[u8],
        limits: &FileLimits,
        least_pixels: u64,
    ) -> Result<Option<Self>, DecodeError> {
        /// Stands for a small one until it is known to be one.
        const SMALL: Option<DecodeError> = None;

        limits.check_bytes(file.len())?;
        if format::accepted(file)? != ImageFormat::Jpeg {
            return Ok(None);
        }
        let read = || {
            Jpeg::read(file, |width, height| {
                limits.check_pixels(width, height).map_err(Some)?;
                if u64::from(width) * u64::from(height) < least_pixels {
                    return Err(SMALL);
                }
                Ok(())
            })
        };
        match catch(read)? {
            Ok(jpeg) => Ok(Some(Self(jpeg))),
            Err(Refusal::Size(SMALL)) => Ok(None),
            Err(Refusal::Size(Some(error))) => Err(error),
            Err(Refusal::Unreadable(reason)) => Err(DecodeError::Unreadable(reason)),
        }
    }

    /// The longer side as stored, pixels.
    #[must_use]
    pub fn longer_side(&self) -> u32 {
        self.0.width().max(self.0.height())
    }

    /// Width and height at 1/`reduction` (1, 2, 4 or 8) of its size, turned as its orientation says and then
    /// clockwise by `rotated` degrees.
    #[must_use]
    pub fn size(&self, reduction: u32, rotated: u16) -> (u32, u32) {
        let orientation = turned_further(self.0.orientation(), rotated);
        turned_size(orientation, self.0.reduced(reduction))
    }

    /// The image at 1/`reduction` (1, 2, 4 or 8) of its size, turned as its orientation says and then
    /// clockwise by `rotated` degrees. `None`: it has no pixels, or the decoder gave up.
    #[must_use]
    pub fn render(&self, reduction: u32, rotated: u16) -> Option<DecodedImage> {
        let (width, height) = self.0.reduced(reduction);
        let render = || self.render_stored(reduction, &Area([0, 0, width, height]), rotated);
        catch_unwind(AssertUnwindSafe(render)).ok()?
    }

    /// As [`ScaledJpeg::render`], but black outside a region (pixels of the upright image at that size):
    /// what nobody looks at is not decoded.
    #[must_use]
    pub fn render_region(
        &self,
        reduction: u32,
        rotated: u16,
        region: &ContentBox,
    ) -> Option<DecodedImage> {
        let orientation = turned_further(self.0.orientation(), rotated);
        let upright = Area([region.x0, region.y0, region.x1, region.y1]);
        let size = self.size(reduction, rotated);
        let stored = upright.turned(inverse_orientation(orientation), size);
        let render = || self.render_stored(reduction, &stored, rotated);
        catch_unwind(AssertUnwindSafe(render)).ok()?
    }

    /// The upright image with at least this area of the stored one.
    fn render_stored(&self, reduction: u32, area: &Area, rotated: u16) -> Option<DecodedImage> {
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
        let rgb = paste_on_black(image.into_rgb8(), (width, height), (left, top));
        let full = (self.0.width(), self.0.height());
        let (full_width, full_height) = turned_size(orientation, full);
        Some(DecodedImage {
            reduction,
            full_width,
            full_height,
            ..DecodedImage::whole(width, height, rgb, "jpeg")
        })
    }
}

/// The picture with its corner at `at` in a black one of `size`.
fn paste_on_black(picture: RgbImage, size: (u32, u32), at: (u32, u32)) -> Vec<u8> {
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
