//! What lamps, cameras and clients do to a picture without changing what it shows, and the table of
//! all of it that `livecheck evaluate --stability` measures.
//!
//! The training pipeline disturbs by the same definitions. Values are stored as in the file (sRGB)
//! unless said otherwise, and rounded half up.

use std::{
    f32::consts::TAU,
    fmt::{self, Display},
    sync::LazyLock,
};

use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use livecheck_engine::BBox;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Shares of red, green and blue in the luma (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Where the three channels of a camera are most sensitive, metres.
const WAVELENGTHS: [f64; 3] = [610e-9, 545e-9, 460e-9];

/// `h c / k` of Planck's law, metre kelvin.
const SECOND_RADIATION: f64 = 0.014_388;

/// The light that a picture was taken in, as far as we assume, kelvin.
const DAYLIGHT: f64 = 6500.0;

/// Between stored values and linear light.
const GAMMA: f32 = 2.2;

/// Share of a channel's pixels that autocontrast clips at either end.
const CLIPPED: f64 = 0.005;

/// Numbers in the table that noise is taken from.
const GRAINS: usize = 1 << 20;

/// Least side of a resized picture, pixels.
const LEAST_SIDE: u32 = 16;

/// Seed of the noise: the same picture gets the same noise in each run.
const SEED: u64 = 11;

/// One change of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Light of a black body of this temperature in kelvin, which the camera takes for daylight
    /// (6500 K), by Wien's approximation, with green `green` times as strong; in linear light. The
    /// luma of white stays.
    Light {
        /// Temperature.
        kelvin: f64,
        /// Factor on green.
        green: f32,
    },
    /// Factors on the stored red, green and blue.
    Gains([f32; 3]),
    /// White balance that makes the mean of the picture grey.
    GreyWorld,
    /// Each channel stretched from its 0.5 to its 99.5 percentile.
    Autocontrast,
    /// 0 is grey, 1 the picture itself.
    Saturation(f32),
    /// A power of the stored values: darker above 1, brighter below.
    Gamma(f32),
    /// Gaussian noise of this standard deviation in grey levels, in each channel its own.
    Noise(f32),
    /// A Gaussian blur of this standard deviation in pixels.
    Blur(f32),
    /// Compression as JPEG of this quality and back, colours at half the resolution.
    Jpeg(u8),
    /// To this share of the size, bilinear with antialiasing.
    Resize(f64),
    /// Left and right exchanged.
    Mirror,
    /// Turned about the middle by degrees, counter-clockwise; the border goes on beyond itself.
    Turn(f32),
    /// A frame added.
    Frame {
        /// Its width, pixels.
        pixels: u32,
        /// Its grey value.
        value: u8,
    },
    /// Black bars added above and below, or left and right, up to this ratio of width to height.
    Bars {
        /// Of the width.
        width: u32,
        /// Of the height.
        height: u32,
    },
}

impl Change {
    /// The changed picture.
    #[must_use]
    pub fn apply(self, image: &RgbImage) -> RgbImage {
        match self {
            Self::Light { kelvin, green } => curves(image, light(kelvin, green)),
            Self::Gains(gains) => curves(image, |at, channel| at * gains[channel]),
            Self::GreyWorld => grey_world(image),
            Self::Autocontrast => autocontrast(image),
            Self::Saturation(keep) => saturated(image, keep),
            Self::Gamma(power) => curves(image, |at, _| at.powf(power)),
            Self::Noise(sigma) => noisy(image, sigma),
            Self::Blur(sigma) => imageops::blur(image, sigma),
            Self::Jpeg(quality) => compressed(image, quality),
            Self::Resize(factor) => resized(image, factor),
            Self::Mirror => imageops::flip_horizontal(image),
            Self::Turn(degrees) => turned(image, degrees),
            Self::Frame { pixels, value } => padded(image, pixels, pixels, value),
            Self::Bars { width, height } => barred(image, width, height),
        }
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f32| (share * 100.0).round();
        match *self {
            Self::Light { kelvin, green: 1.0 } => write!(f, "{kelvin} K"),
            Self::Light { green, .. } => write!(f, "green {:+} %", percent(green - 1.0)),
            Self::Gains([red, _, blue]) => write!(f, "red × {red}, blue × {blue}"),
            Self::GreyWorld => f.write_str("grey-world white balance"),
            Self::Autocontrast => f.write_str("autocontrast"),
            Self::Saturation(keep) => write!(f, "saturation {keep}"),
            Self::Gamma(power) => write!(f, "gamma {power}"),
            Self::Noise(sigma) => write!(f, "noise (sigma {sigma})"),
            Self::Blur(sigma) => write!(f, "blur (sigma {sigma} px)"),
            Self::Jpeg(quality) => write!(f, "compressed again (JPEG {quality})"),
            Self::Resize(factor) => write!(f, "resized to {} %", (factor * 100.0).round()),
            Self::Mirror => f.write_str("mirrored"),
            Self::Turn(degrees) if degrees < 0.0 => write!(f, "turned {}° right", -degrees),
            Self::Turn(degrees) => write!(f, "turned {degrees}° left"),
            Self::Frame { pixels, value } => {
                let colour = match value {
                    0 => "black",
                    255 => "white",
                    _ => "grey",
                };
                write!(f, "{colour} frame of {pixels} px")
            }
            Self::Bars { width, height } if width < height => {
                write!(f, "letterbox (bars to {width}:{height})")
            }
            Self::Bars { width, height } => write!(f, "pillarbox (bars to {width}:{height})"),
        }
    }
}

/// One change of a face box, as another detector may give it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BoxChange {
    /// By shares of its sides to the right and down.
    Move(f32, f32),
    /// About its middle, by a factor.
    Scale(f32),
}

impl BoxChange {
    /// The changed box.
    #[must_use]
    pub fn apply(self, bbox: &BBox) -> BBox {
        match self {
            Self::Move(right, down) => bbox.moved(right, down),
            Self::Scale(factor) => bbox.widened((factor - 1.0) / 2.0),
        }
    }
}

impl Display for BoxChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f32| (share.abs() * 100.0).round();
        match *self {
            Self::Move(right, 0.0) => {
                let side = if right < 0.0 { "left" } else { "right" };
                write!(f, "box {} % to the {side}", percent(right))
            }
            Self::Move(_, down) => {
                let side = if down < 0.0 { "up" } else { "down" };
                write!(f, "box {} % {side}", percent(down))
            }
            Self::Scale(factor) => {
                let size = if factor < 1.0 { "smaller" } else { "larger" };
                write!(f, "box {} % {size}", percent(factor - 1.0))
            }
        }
    }
}

/// What is done to a photo.
#[derive(Debug, Clone, PartialEq)]
pub enum Disturbance {
    /// Changes of the picture, one after the other: the whole engine judges it anew.
    Picture(Vec<Change>),
    /// A change of the face box: the liveness nets judge the face in it.
    Box(BoxChange),
}

impl Disturbance {
    /// Whether it is one of the small ones, which may turn [`crate::stability::MOST_TURNED`] of the
    /// verdicts.
    #[must_use]
    pub fn is_small(&self) -> bool {
        match self {
            Self::Picture(changes) => {
                matches!(changes[..], [Change::Jpeg(75)])
                    || matches!(changes[..], [Change::Resize(0.75)])
            }
            Self::Box(_) => true,
        }
    }
}

impl Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Picture(changes) => {
                let changes: Vec<String> = changes.iter().map(Change::to_string).collect();
                f.write_str(&changes.join(", "))
            }
            Self::Box(change) => change.fmt(f),
        }
    }
}

/// Everything that is done to a photo, in the order of the reports.
pub static DISTURBANCES: LazyLock<Vec<Disturbance>> = LazyLock::new(|| {
    let light = |kelvin: f64| Change::Light { kelvin, green: 1.0 };
    let green = |green: f32| Change::Light {
        kelvin: DAYLIGHT,
        green,
    };
    let warm = Change::Gains([1.2, 1.0, 0.7]);
    let mut pictures: Vec<Vec<Change>> = [2500.0, 3000.0, 4000.0, 5000.0, 9000.0]
        .map(light)
        .into_iter()
        .chain([green(1.15), green(0.85), warm])
        .chain([Change::GreyWorld, Change::Autocontrast])
        .chain([0.0, 0.1, 0.5].map(Change::Saturation))
        .chain([0.6, 1.6].map(Change::Gamma))
        .chain([3.0, 5.0, 8.0, 12.0].map(Change::Noise))
        .chain([1.0, 2.0].map(Change::Blur))
        .chain([20, 50, 75, 95].map(Change::Jpeg))
        .chain([0.5, 0.75, 2.0].map(Change::Resize))
        .chain([Change::Mirror])
        .map(|change| vec![change])
        .collect();
    for degrees in [20.0, -20.0] {
        let turn = Change::Turn(degrees);
        pictures.extend([vec![turn], vec![turn, warm], vec![turn, light(4000.0)]]);
    }
    for value in [0, 255, 128] {
        pictures.extend([1, 2, 4, 8, 16, 40].map(|pixels| vec![Change::Frame { pixels, value }]));
    }
    for (width, height) in [(9, 16), (16, 9)] {
        pictures.push(vec![Change::Bars { width, height }]);
    }
    let boxes = [
        BoxChange::Move(-0.1, 0.0),
        BoxChange::Move(0.1, 0.0),
        BoxChange::Move(0.0, -0.1),
        BoxChange::Move(0.0, 0.1),
        BoxChange::Scale(1.15),
        BoxChange::Scale(0.85),
    ];
    pictures
        .into_iter()
        .map(Disturbance::Picture)
        .chain(boxes.map(Disturbance::Box))
        .collect()
});

fn byte(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

/// A curve for each channel, from 0..=1 to 0..=1.
fn curves(image: &RgbImage, curve: impl Fn(f32, usize) -> f32) -> RgbImage {
    let tables = [0, 1, 2].map(|channel| {
        let mut table = [0; 256];
        for (entry, value) in table.iter_mut().zip(0..=u8::MAX) {
            *entry = byte(255.0 * curve(f32::from(value) / 255.0, channel));
        }
        table
    });
    mapped(image, |Rgb(values)| {
        Rgb([0, 1, 2].map(|channel| tables[channel][usize::from(values[channel])]))
    })
}

fn mapped(image: &RgbImage, map: impl Fn(Rgb<u8>) -> Rgb<u8>) -> RgbImage {
    let mut image = image.clone();
    for pixel in image.pixels_mut() {
        *pixel = map(*pixel);
    }
    image
}

fn luma([red, green, blue]: [f32; 3]) -> f32 {
    red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
}

/// Gains in linear light, applied to stored values.
fn light(kelvin: f64, green: f32) -> impl Fn(f32, usize) -> f32 {
    // Wien: the power at a wavelength goes with exp(-c / (wavelength × temperature)).
    let power = WAVELENGTHS.map(|wavelength| {
        let part = SECOND_RADIATION / wavelength;
        (part / DAYLIGHT - part / kelvin).exp()
    });
    let mut gains = power.map(|part| (part / power[1]) as f32);
    gains[1] *= green;
    let white = luma(gains);
    move |at, channel| (at.powf(GAMMA) * gains[channel] / white).powf(1.0 / GAMMA)
}

fn grey_world(image: &RgbImage) -> RgbImage {
    let mut sums = [0_u64; 3];
    for Rgb(values) in image.pixels() {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += u64::from(*value);
        }
    }
    let pixels = (u64::from(image.width()) * u64::from(image.height())).max(1) as f64;
    let means = sums.map(|sum| (sum as f64 / pixels).max(1.0));
    let mean = means.iter().sum::<f64>() / 3.0;
    let gains = means.map(|channel| (mean / channel) as f32);
    curves(image, |at, channel| at * gains[channel])
}

fn autocontrast(image: &RgbImage) -> RgbImage {
    let mut counts = [[0_u64; 256]; 3];
    for Rgb(values) in image.pixels() {
        for (counts, value) in counts.iter_mut().zip(values) {
            counts[usize::from(*value)] += 1;
        }
    }
    let ends = counts.map(|counts| {
        let low = percentile(&counts, CLIPPED);
        let high = percentile(&counts, 1.0 - CLIPPED);
        (low as f32, (high - low).max(1.0) as f32)
    });
    curves(image, |at, channel| {
        let (low, range) = ends[channel];
        (255.0 * at - low) / range
    })
}

/// The value below which this share lies, on the straight line between the nearest two values.
fn percentile(counts: &[u64; 256], share: f64) -> f64 {
    let last = counts.iter().sum::<u64>().saturating_sub(1);
    let place = share * last as f64;
    let value_at = |index: u64| {
        let mut before = 0;
        let found = counts.iter().position(|count| {
            before += count;
            before > index
        });
        found.unwrap_or(0) as f64
    };
    let (below, above) = (
        value_at(place.floor() as u64),
        value_at(place.ceil() as u64),
    );
    below + (above - below) * place.fract()
}

fn saturated(image: &RgbImage, keep: f32) -> RgbImage {
    mapped(image, |Rgb(values)| {
        let values = values.map(f32::from);
        let grey = luma(values);
        Rgb(values.map(|value| byte(grey + (value - grey) * keep)))
    })
}

/// Draws of the standard normal distribution (Box and Muller 1958).
static NORMAL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut random = Pcg64Mcg::seed_from_u64(SEED);
    (0..GRAINS / 2)
        .flat_map(|_| {
            // Above 0, so that the logarithm is finite.
            let (a, b): (f32, f32) = (1.0 - random.random::<f32>(), random.random());
            let (sine, cosine) = (TAU * b).sin_cos();
            let radius = (-2.0 * a.ln()).sqrt();
            [radius * sine, radius * cosine]
        })
        .collect()
});

fn noisy(image: &RgbImage, sigma: f32) -> RgbImage {
    let mut image = image.clone();
    let row = image.width() as usize * 3;
    let mut random = Pcg64Mcg::seed_from_u64(SEED);
    for values in image.chunks_mut(row.max(1)) {
        // Each row from another place, so that no pattern repeats from row to row.
        let start = random.random_range(0..GRAINS);
        let grains = NORMAL.iter().cycle().skip(start);
        for (value, grain) in values.iter_mut().zip(grains) {
            *value = byte(f32::from(*value) + grain * sigma);
        }
    }
    image
}

fn compressed(image: &RgbImage, quality: u8) -> RgbImage {
    let mut file = Vec::new();
    let written = JpegEncoder::new_with_quality(&mut file, quality)
        .encode_image(&halved_colours(image))
        .and_then(|()| image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg));
    // Only a picture without pixels, or one wider than JPEG allows, cannot be written.
    written.map_or_else(|_| image.clone(), image::DynamicImage::into_rgb8)
}

/// As cameras and libraries write a JPEG (4:2:0): two by two pixels share their colour.
fn halved_colours(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let mut halved = image.clone();
    for top in (0..height).step_by(2) {
        for left in (0..width).step_by(2) {
            let block = || {
                let right = (left + 2).min(width);
                (top..(top + 2).min(height)).flat_map(move |y| (left..right).map(move |x| (x, y)))
            };
            let mut mean = [0.0; 3];
            for (x, y) in block() {
                for (sum, value) in mean.iter_mut().zip(image.get_pixel(x, y).0) {
                    *sum += f32::from(value);
                }
            }
            let count = block().count() as f32;
            let mean = mean.map(|sum| sum / count);
            let grey = luma(mean);
            for (x, y) in block() {
                let light = luma(image.get_pixel(x, y).0.map(f32::from));
                let colour = mean.map(|value| byte(value - grey + light));
                halved.put_pixel(x, y, Rgb(colour));
            }
        }
    }
    halved
}

fn resized(image: &RgbImage, factor: f64) -> RgbImage {
    let side = |pixels: u32| ((f64::from(pixels) * factor).round() as u32).max(LEAST_SIDE);
    // A triangle as wide as a pixel of the smaller one: bilinear with antialiasing.
    imageops::resize(
        image,
        side(image.width()),
        side(image.height()),
        imageops::FilterType::Triangle,
    )
}

fn turned(image: &RgbImage, degrees: f32) -> RgbImage {
    let (width, height) = image.dimensions();
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let (middle_x, middle_y) = (width as f32 / 2.0, height as f32 / 2.0);
    RgbImage::from_fn(width, height, |x, y| {
        // Where this pixel's centre came from; y points down.
        let (right, down) = (x as f32 + 0.5 - middle_x, y as f32 + 0.5 - middle_y);
        let from_x = (middle_x + cosine * right - sine * down - 0.5).clamp(0.0, width as f32 - 1.0);
        let from_y =
            (middle_y + sine * right + cosine * down - 0.5).clamp(0.0, height as f32 - 1.0);
        let (left, top) = (from_x as u32, from_y as u32);
        let (share_x, share_y) = (from_x.fract(), from_y.fract());
        let (next_x, next_y) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
        let at = |x: u32, y: u32| image.get_pixel(x, y).0.map(f32::from);
        let [a, b, c, d] = [
            at(left, top),
            at(next_x, top),
            at(left, next_y),
            at(next_x, next_y),
        ];
        Rgb([0, 1, 2].map(|channel| {
            let upper = a[channel] + (b[channel] - a[channel]) * share_x;
            let lower = c[channel] + (d[channel] - c[channel]) * share_x;
            byte(upper + (lower - upper) * share_y)
        }))
    })
}

/// The picture in the middle of a larger one of one grey value.
fn padded(image: &RgbImage, across: u32, down: u32, value: u8) -> RgbImage {
    let (width, height) = image.dimensions();
    let mut padded = RgbImage::from_pixel(width + 2 * across, height + 2 * down, Rgb([value; 3]));
    imageops::replace(&mut padded, image, i64::from(across), i64::from(down));
    padded
}

fn barred(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    let (own_width, own_height) = image.dimensions();
    let bar = |own: u32, wanted: u32| wanted.saturating_sub(own).div_ceil(2);
    // Rounded up, so that the ratio is reached.
    let across = bar(own_width, (own_height * width).div_ceil(height));
    let down = bar(own_height, (own_width * height).div_ceil(width));
    padded(image, across, down, 0)
}
