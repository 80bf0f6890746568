//! Face → covering score: the `face-mask` net on the aligned crop, and the colours of its eyes.
//!
//! The net is trained on masks over nose and mouth. A surgical mask pulled up over the eyes leaves both
//! bare; there the colours tell: eyelids and bridge of the nose have the skin's red, a mask has less.

use std::ops::Range;

use crate::{
    crop,
    error::{EngineError, Rejection},
    face::Landmarks,
    inference::{self, Network, Runtime},
    photo::Photo,
};

/// Tells whether a face covering is worn.
pub(crate) struct MaskClassifier {
    network: Box<dyn Network>,
}

impl MaskClassifier {
    /// The net, for the self-test.
    pub(crate) fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    pub(crate) fn load(runtime: &Runtime) -> Result<Self, EngineError> {
        Ok(Self {
            network: runtime.load_model(&inference::FACE_MASK)?,
        })
    }

    /// Probability, 0 to 1, that the face wears a covering, also one worn under the nose.
    pub(crate) fn score(&self, photo: &Photo, landmarks: &Landmarks) -> Result<f32, Rejection> {
        let crop = crop::aligned_crop(photo, landmarks, self.network.size())?;
        let outputs = self
            .network
            .run_square(&crop)
            .map_err(Rejection::Internal)?;
        match outputs.first().map(Vec::as_slice) {
            Some([score]) if score.is_finite() => {
                Ok(score.max(eyes_covered(&crop, self.network.size() as usize)))
            }
            _ => Err(Rejection::Internal(
                "the mask model did not return a single number".to_owned(),
            )),
        }
    }
}

/// Left, top, right and bottom of a part of an aligned crop, in hundredths of its side.
type Part = [usize; 4];

/// Bridge of the nose, left and right eye.
const EYES: [Part; 3] = [[44, 30, 56, 42], [22, 32, 42, 42], [58, 32, 78, 42]];

/// Nose and upper lip, which a mask over the eyes leaves bare.
const NOSE: Part = [36, 52, 64, 66];

/// How much less red (Cr of ITU-R BT.601, levels of 256) all of [`EYES`] are than the nose when the score
/// of a cover over them is 0 and 1. Of 3,181 bare faces none differs by more than 13.
const LESS_RED: Range<f32> = 10.0..20.0;

/// Least luma of each eye over that of the nose: dark glasses are no mask.
const LEAST_LUMA: f32 = 0.7;

/// Score, 0 to 1, of a light mask over both eyes of an aligned crop of `side` × `side` pixels.
fn eyes_covered(crop: &[u8], side: usize) -> f32 {
    let nose = Tone::of(crop, side, NOSE);
    let mut less_red = f32::INFINITY;
    for part in EYES {
        let eye = Tone::of(crop, side, part);
        if eye.luma < LEAST_LUMA * nose.luma {
            return 0.0;
        }
        less_red = less_red.min(nose.red - eye.red);
    }
    ((less_red - LESS_RED.start) / (LESS_RED.end - LESS_RED.start)).clamp(0.0, 1.0)
}

/// Medians over a part of a crop.
struct Tone {
    luma: f32,
    /// Cr.
    red: f32,
}

impl Tone {
    fn of(crop: &[u8], side: usize, [left, top, right, bottom]: Part) -> Self {
        let pixel = |share: usize| share * side / 100;
        let rows = crop.chunks_exact(side * 3).take(pixel(bottom));
        let (lumas, reds) = rows
            .skip(pixel(top))
            .flat_map(|row| row.chunks_exact(3).take(pixel(right)).skip(pixel(left)))
            .map(|rgb| {
                let [r, g, b] = [0, 1, 2].map(|channel| f32::from(rgb[channel]));
                let luma = 0.299 * r + 0.587 * g + 0.114 * b;
                (luma, 0.713 * (r - luma))
            })
            .unzip();
        Self {
            luma: median(lumas),
            red: median(reds),
        }
    }
}

fn median(mut values: Vec<f32>) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
