//! Bars and fills at the edges of a photo.

use image::{Rgb, RgbImage, imageops};

/// Longest side of the pictures, pixels.
const LONGEST: u32 = 255;

/// Three bytes for width, height and grain, then six for each thing that is drawn: what, where, how large, and
/// in which colour. Something is left of any picture, also when what is left is looked at again.
///
/// # Panics
/// When that is not so.
pub fn borders(input: &[u8]) {
    let Some((&[width, height, grain], things)) = input.split_first_chunk::<3>() else {
        return;
    };
    let mut image = RgbImage::new(u32::from(width).max(1), u32::from(height).max(1));
    for thing in things.chunks_exact(6).take(64) {
        draw(&mut image, thing);
    }
    if grain > 0 {
        for (at, level) in image.iter_mut().enumerate() {
            let noise = (at * 7919 + at / 251 * 104_729) % usize::from(grain);
            *level = level.saturating_add(u8::try_from(noise).unwrap_or(u8::MAX));
        }
    }
    let (width, height) = image.dimensions();
    let left = check(width, height, image.as_raw());
    let (width, height) = (left[2] - left[0], left[3] - left[1]);
    let inner = imageops::crop_imm(&image, left[0], left[1], width, height).to_image();
    check(width, height, inner.as_raw());
}

/// Left, top, right and bottom of what is left of a photo.
pub(crate) fn check(width: u32, height: u32, rgb: &[u8]) -> [u32; 4] {
    let left = livecheck_image::content(width, height, rgb);
    assert!(left.x0 < left.x1 && left.x1 <= width, "{left:?}");
    assert!(left.y0 < left.y1 && left.y1 <= height, "{left:?}");
    [left.x0, left.y0, left.x1, left.y1]
}

fn draw(image: &mut RgbImage, thing: &[u8]) {
    let &[what, x, y, width, height, colour] = thing else {
        return;
    };
    let [x, y, width, height] = [x, y, width, height].map(u32::from);
    let (across, down) = image.dimensions();
    // Two bits for red, three for green and blue.
    let colour = Rgb([colour & 0xC0, colour << 2 & 0xE0, colour << 5]);
    match what % 4 {
        // A bar or another rectangle.
        0 => {
            for (row, column) in (y..(y + height).min(down))
                .flat_map(|row| (x..(x + width).min(across)).map(move |column| (row, column)))
            {
                image.put_pixel(column, row, colour);
            }
        }
        // The picture itself, enlarged and blurred, behind a part of it.
        1 => {
            let part = imageops::crop_imm(image, x, y, width, height).to_image();
            if part.width() < 2 || part.height() < 2 {
                return;
            }
            let small = imageops::resize(&part, 16, 16, imageops::FilterType::Triangle);
            *image = imageops::resize(&small, across, down, imageops::FilterType::CatmullRom);
            imageops::replace(image, &part, i64::from(x), i64::from(y));
        }
        // Stripes.
        2 => {
            for (column, _, pixel) in image.enumerate_pixels_mut() {
                if column % (width + 1) < x {
                    *pixel = colour;
                }
            }
        }
        // Another picture of it: smaller, in its own middle.
        _ => {
            let small = imageops::resize(
                image,
                width.clamp(1, LONGEST),
                height.clamp(1, LONGEST),
                imageops::FilterType::Triangle,
            );
            imageops::replace(image, &small, i64::from(x), i64::from(y));
        }
    }
}
