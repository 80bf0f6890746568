//! Doubtful face → the face: the `face-refiner` net looks at it again, at its own scale.

use std::ops::Range;

use crate::{
    crop,
    error::{EngineError, Rejection},
    face::{BBox, Face, Landmarks},
    inference::{self, Network, Runtime},
    odds,
    photo::Photo,
};

/// Side of the net's window, in mean sides of the proposed box.
pub(crate) const WINDOW_FACTOR: f64 = 1.5;

/// Scores of the faces in doubt, which are looked at again. The end spares the usual selfie a second
/// look, the beginning weak spots of the background.
const DOUBT: Range<f32> = 0.50..0.93;

/// From the ends of [`DOUBT`] to here the refiner's weight grows from nothing to half, evenly by the logit:
/// a face whose score moves across an end keeps its score, box and landmarks.
const FULL_WEIGHT: Range<f32> = 0.53..0.91;

/// Most faces of a photo that are looked at again, best first: bounds the time that a crowd costs.
const MOST_FACES: usize = 16;

/// Rolls of a face, degrees: from the first on it is looked at again, turned upright by what was seen, until it
/// is turned by less than the second. Both nets shorten large rolls: of 50° they see 20 to 25.
const TURNED: [f64; 2] = [6.0, 3.0];

/// Most of these looks.
const MOST_TURNS: usize = 4;

/// A face as the net sees it; places in sides of the window.
struct Seen {
    logit: f32,
    bbox: BBox,
    landmarks: Landmarks,
}

/// Looks at doubtful faces again.
pub(crate) struct FaceRefiner {
    network: Box<dyn Network>,
}

impl FaceRefiner {
    /// The net, for the self-test.
    pub(crate) fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    pub(crate) fn load(runtime: &Runtime) -> Result<Self, EngineError> {
        Ok(Self {
            network: runtime.load_model(&inference::FACE_REFINER)?,
        })
    }

    /// The detector's faces, which come best first, those in doubt as detector and refiner see
    /// them: logit, box and landmarks are the mean of both, by [`weight`].
    pub(crate) fn refine(&self, photo: &Photo, faces: &mut [Face]) -> Result<(), Rejection> {
        let doubtful = faces
            .iter_mut()
            .filter(|face| DOUBT.contains(&face.score))
            .take(MOST_FACES);
        for face in doubtful {
            *face = self.look_at(photo, face)?;
        }
        Ok(())
    }

    /// How far the face is turned in the picture's plane, degrees, clockwise: its roll.
    pub(crate) fn roll(&self, photo: &Photo, face: &Face) -> Result<f32, Rejection> {
        let [from, until] = TURNED.map(f64::to_radians);
        let mut roll = crop::roll(&face.landmarks);
        for _ in 0..MOST_TURNS {
            if roll.abs() < from {
                break;
            }
            let (bbox, size) = (&face.bbox, self.network.size());
            let crop = crop::turned_window_crop(photo, bbox, WINDOW_FACTOR, roll, size)?;
            let further = crop::roll(&self.run(&crop)?.landmarks);
            roll += further;
            if further.abs() < until {
                break;
            }
        }
        Ok(roll.to_degrees() as f32)
    }

    /// What the net sees in a window.
    fn run(&self, window: &[u8]) -> Result<Seen, Rejection> {
        let outputs = self
            .network
            .run_square(window)
            .map_err(Rejection::Internal)?;
        let Some(&[logit, x0, y0, x1, y1, ref points @ ..]) = outputs
            .first()
            .and_then(|numbers| numbers.first_chunk::<15>())
        else {
            return Err(Rejection::Internal(
                "the face refiner returned no face".to_owned(),
            ));
        };
        Ok(Seen {
            logit,
            bbox: BBox { x0, y0, x1, y1 },
            landmarks: std::array::from_fn(|point| [points[2 * point], points[2 * point + 1]]),
        })
    }

    fn look_at(&self, photo: &Photo, face: &Face) -> Result<Face, Rejection> {
        let crop = crop::window_crop(photo, &face.bbox, WINDOW_FACTOR, self.network.size())?;
        let seen = self.run(&crop)?;
        let window = crop::Window::about(&face.bbox, WINDOW_FACTOR);
        let weight = weight(face.score);
        let mean = |before: f32, start: f64, share: f32| {
            let seen = start + f64::from(share) * window.side;
            mix(f64::from(before), seen, weight) as f32
        };
        let across = |before, share: f32| mean(before, window.left, share);
        let down = |before, share: f32| mean(before, window.top, share);
        let mut landmarks = face.landmarks;
        for ([x, y], point) in landmarks.iter_mut().zip(seen.landmarks) {
            *x = across(*x, point[0]);
            *y = down(*y, point[1]);
        }
        Ok(Face {
            bbox: BBox {
                x0: across(face.bbox.x0, seen.bbox.x0),
                y0: down(face.bbox.y0, seen.bbox.y0),
                x1: across(face.bbox.x1, seen.bbox.x1),
                y1: down(face.bbox.y1, seen.bbox.y1),
            },
            landmarks,
            score: mixed_score(face.score, seen.logit, weight),
        })
    }
}

/// The refiner's share of a face that the detector gave this score: half, less near the ends of
/// [`DOUBT`], nothing beyond.
fn weight(score: f32) -> f64 {
    let [score, start, end, full_from, full_to] = [
        score,
        DOUBT.start,
        DOUBT.end,
        FULL_WEIGHT.start,
        FULL_WEIGHT.end,
    ]
    .map(|score| odds::logit(score.into()));
    let rise = (score - start) / (full_from - start);
    let fall = (end - score) / (end - full_to);
    0.5 * rise.min(fall).clamp(0.0, 1.0)
}

/// From `a` to `b` by `share`.
fn mix(a: f64, b: f64, share: f64) -> f64 {
    a + (b - a) * share
}

/// The score whose logit lies by `share` between that of `score`, which lies between 0 and 1, and `seen`.
fn mixed_score(score: f32, seen: f32, share: f64) -> f32 {
    let mean = mix(odds::logit(score.into()), f64::from(seen), share);
    odds::score(mean) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_look_counts_less_towards_the_ends_of_doubt_and_nothing_beyond() {
        for score in [0.0, 0.3, 0.5, 0.93, 0.99, 1.0] {
            assert!(weight(score) < 1e-6, "{score}: {}", weight(score));
        }
        for score in [0.531, 0.6, 0.75, 0.8, 0.909] {
            assert!((weight(score) - 0.5).abs() < 1e-9, "{score}");
        }
        // However much the refiner disagrees, a thousandth of the score makes no jump.
        let scores = (1..1000).map(|thousandth| thousandth as f32 / 1000.0);
        for seen in [-8.0, 0.0, 8.0] {
            let mixed = scores
                .clone()
                .map(|score| mixed_score(score, seen, weight(score)));
            let steps = mixed
                .clone()
                .zip(mixed.skip(1))
                .map(|(one, next)| (next - one).abs());
            let most = steps.fold(0.0, f32::max);
            assert!(most < 0.1, "{seen}: {most}");
        }
    }
}
