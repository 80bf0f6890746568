//! What is judged: files, or faces drawn here.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use image::{ImageFormat, Rgb, RgbImage};

use crate::check::files;

/// Photos of about the same kind.
pub(super) struct Group {
    /// What they are.
    pub(super) name: String,
    /// Their files.
    pub(super) files: Vec<Vec<u8>>,
}

/// What is judged.
pub(super) struct Photos {
    /// Where they come from, in words.
    pub(super) origin: String,
    pub(super) groups: Vec<Group>,
}

/// Width and height of the drawn photos, and how many there are of each.
const DRAWN: [(u32, u32, usize); 2] = [(1280, 720, 8), (4000, 3000, 2)];

impl Photos {
    /// The files, and the images in the folders.
    pub(super) fn find<'a>(
        paths: impl Iterator<Item = &'a PathBuf>,
        most_bytes: usize,
    ) -> Result<Self> {
        let paths: Vec<&PathBuf> = paths.collect();
        let origin = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(", ");
        let found = files::find(paths.into_iter(), None)?.files;
        let mut all = Vec::new();
        for path in &found {
            let file = read(path)?;
            if file.len() <= most_bytes {
                all.push(file);
            }
        }
        let name = format!("{} photos", all.len());
        Ok(Self {
            origin,
            groups: vec![Group { name, files: all }],
        })
    }

    /// Drawn faces: what a machine needs for them is near what it needs for people, as sizes,
    /// formats and the nets' work are the same.
    pub(super) fn draw() -> Result<Self> {
        let mut groups = Vec::new();
        for (width, height, count) in DRAWN {
            let files = (0..count)
                .map(|number| portrait(width, height, number as u32))
                .collect::<Result<_>>()?;
            groups.push(Group {
                name: format!("{width}x{height} JPEG"),
                files,
            });
        }
        Ok(Self {
            origin: "drawn faces: name a folder of photos to measure your own".to_owned(),
            groups,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// A JPEG of a face of ellipses before a wall, with the noise of a camera.
fn portrait(width: u32, height: u32, number: u32) -> Result<Vec<u8>> {
    let side = f64::from(height) * 0.55;
    let centre = [
        f64::from(width) * (0.45 + 0.02 * f64::from(number % 5)),
        f64::from(height) * 0.5,
    ];
    let mut noise = Noise(number.wrapping_mul(0x9E37_79B9) | 1);
    let image = RgbImage::from_fn(width, height, |x, y| {
        let at = [
            (f64::from(x) - centre[0]) / side + 0.5,
            (f64::from(y) - centre[1]) / side + 0.5,
        ];
        let ground = if f64::from(y) < 0.7 * f64::from(height) {
            [96, 120, 150]
        } else {
            [70, 84, 60]
        };
        let colour = FACE
            .iter()
            .rev()
            .find(|part| part.holds(at))
            .map_or(ground, |part| part.colour);
        let grain = noise.grain();
        Rgb(colour.map(|level: u8| level.saturating_add_signed(grain)))
    });
    let mut file = Cursor::new(Vec::new());
    image
        .write_to(&mut file, ImageFormat::Jpeg)
        .context("a photo could not be drawn")?;
    Ok(file.into_inner())
}

/// An ellipse, in shares of the face's side.
struct Part {
    centre: [f64; 2],
    radii: [f64; 2],
    colour: [u8; 3],
}

impl Part {
    const fn new(centre: [f64; 2], radii: [f64; 2], colour: [u8; 3]) -> Self {
        Self {
            centre,
            radii,
            colour,
        }
    }

    fn holds(&self, at: [f64; 2]) -> bool {
        let [x, y] = [0, 1].map(|axis| (at[axis] - self.centre[axis]) / self.radii[axis]);
        x * x + y * y <= 1.0
    }
}

/// Hair, skin, brows, eyes, nose and mouth; later ones lie over earlier ones.
const FACE: [Part; 10] = [
    Part::new([0.5, 0.45], [0.52, 0.62], [60, 40, 30]),
    Part::new([0.5, 0.52], [0.42, 0.56], [224, 178, 150]),
    Part::new([0.34, 0.30], [0.10, 0.025], [60, 40, 30]),
    Part::new([0.66, 0.30], [0.10, 0.025], [60, 40, 30]),
    Part::new([0.34, 0.38], [0.085, 0.045], [250, 250, 250]),
    Part::new([0.66, 0.38], [0.085, 0.045], [250, 250, 250]),
    Part::new([0.34, 0.38], [0.035, 0.04], [50, 70, 90]),
    Part::new([0.66, 0.38], [0.035, 0.04], [50, 70, 90]),
    Part::new([0.5, 0.54], [0.06, 0.09], [205, 150, 125]),
    Part::new([0.5, 0.72], [0.15, 0.05], [170, 70, 75]),
];

/// Grey levels of a camera's noise (a 32-bit xorshift; G. Marsaglia, "Xorshift RNGs", 2003): with
/// a fixed seed, so that every run judges the same photos.
struct Noise(u32);

impl Noise {
    fn grain(&mut self) -> i8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // The sum of four even values is near a bell: -12 to 12, standard deviation 4.
        self.0
            .to_le_bytes()
            .into_iter()
            .map(|byte| (byte % 7) as i8 - 3)
            .sum()
    }
}
