//! File bytes → upright 8-bit RGB pixels at the full size, within limits.

use std::io::Cursor;

use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, Rgb, RgbImage,
    codecs::{png::PngDecoder, webp::WebPDecoder},
    metadata::Orientation,
};

use crate::{
    decoded::DecodedImage,
    error::{DecodeError, catch},
    format,
    limits::FileLimits,
    png,
    scaled::ScaledJpeg,
    webp,
};

/// Most bytes a decoder may allocate: 64 megapixels of 16-bit RGBA, the largest image that the
/// default limits let through.
const MAX_DECODER_BYTES: u64 = 64_000_000 * 8;

/// Reads one image file at its full size.
///
/// ```
/// use livecheck_image::{DecodeError, FileLimits, decode};
///
/// let limits = FileLimits::default();
/// # let png = livecheck_testing::drawn::png_of(&livecheck_testing::drawn::pattern(24, 16));
/// let image = decode(&png, &limits)?;
/// assert_eq!(image.rgb.len(), (image.width * image.height * 3) as usize);
///
/// let error = decode(b"GIF89a", &limits).unwrap_err();
/// assert!(error.to_string().contains("GIF"));
/// # Ok::<(), DecodeError>(())
/// ```
///
/// # Errors
/// [`DecodeError`] says what is wrong with the file, in one sentence.
pub fn decode(file: &[u8], limits: &FileLimits) -> Result<DecodedImage, DecodeError> {
    limits.check_bytes(file.len())?;
    let format = format::accepted(file)?;
    catch(|| match format {
        ImageFormat::Jpeg => ScaledJpeg::read(file, limits, 0)?
            .and_then(|jpeg| jpeg.render(1, 0))
            .ok_or_else(|| DecodeError::unreadable("the JPEG has no pixels")),
        ImageFormat::Png => {
            let ended = png::ended(file);
            let file = ended.as_deref().unwrap_or(file);
            let limited = decoder_limits(png::MAX_CHUNK_BYTES);
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
                DecodeError::damaged,
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
    limits: &FileLimits,
    format: ImageFormat,
    refusal: impl FnOnce(ImageError) -> DecodeError,
) -> Result<DecodedImage, DecodeError> {
    let mut decoder = decoder.map_err(DecodeError::damaged)?;
    let (width, height) = decoder.dimensions();
    limits.check_pixels(width, height)?;
    decoder
        .set_limits(decoder_limits(MAX_DECODER_BYTES))
        .map_err(DecodeError::damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    if image.color().has_alpha() {
        image = DynamicImage::ImageRgb8(over_white(&image));
    }
    // First to 8 bits, so that the turned copy is the small one.
    let mut image = DynamicImage::ImageRgb8(image.into_rgb8());
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    let (width, height) = image.dimensions();
    let rgb = image.into_raw();
    Ok(DecodedImage::whole(width, height, rgb, name(format)))
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
