//! Doubtful face → the face: the `face-refiner` net looks at it again, at its own scale.

use std::ops::Range;

use crate::{
    Photo, crop,
    detect::{BBox, Face},
    error::{EngineError, Rejection},
    network::{self, Network},
    runtime::Runtime,
};

/// Side of the net's window, in mean sides of the proposed box.
pub(crate) const WINDOW_FACTOR: f64 = 1.5;

/// Scores of the faces in doubt, which are looked at again. The end spares the usual selfie a second
/// look, the beginning weak spots of the background.
const DOUBT: Range<f32> = 0.50..0.93;

/// Most faces of a photo that are looked at again, best first: bounds the time that a crowd costs.
const MOST_FACES: usize = 16;

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
            network: network::FACE_REFINER.load(runtime)?,
        })
    }

    /// The detector's faces, which come best first, those in doubt as detector and refiner see
    /// them: logit, box and landmarks are the mean of both.
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

    fn look_at(&self, photo: &Photo, face: &Face) -> Result<Face, Rejection> {
        let crop = crop::window_crop(photo, &face.bbox, WINDOW_FACTOR, self.network.size())?;
        let outputs = self
            .network
            .run_square(crop::planes(&crop))
            .map_err(Rejection::Internal)?;
        let Some([logit, x0, y0, x1, y1, points @ ..]) = outputs.first().map(Vec::as_slice) else {
            return Err(Rejection::Internal(
                "the face refiner gave no face".to_owned(),
            ));
        };
        let window = crop::Window::about(&face.bbox, WINDOW_FACTOR);
        let mean = |before: f32, start: f64, share: f32| {
            f64::midpoint(f64::from(before), start + f64::from(share) * window.side) as f32
        };
        let across = |before, share: f32| mean(before, window.left, share);
        let down = |before, share: f32| mean(before, window.top, share);
        let mut landmarks = face.landmarks;
        for ([x, y], point) in landmarks.iter_mut().zip(points.chunks_exact(2)) {
            *x = across(*x, point[0]);
            *y = down(*y, point[1]);
        }
        Ok(Face {
            bbox: BBox {
                x0: across(face.bbox.x0, *x0),
                y0: down(face.bbox.y0, *y0),
                x1: across(face.bbox.x1, *x1),
                y1: down(face.bbox.y1, *y1),
            },
            landmarks,
            score: mean_score(face.score, *logit),
        })
    }
}

/// The score whose logit is the mean of that of `score`, which lies between 0 and 1, and `logit`.
fn mean_score(score: f32, logit: f32) -> f32 {
    let score = f64::from(score);
    let mean = f64::midpoint((score / (1.0 - score)).ln(), f64::from(logit));
    (1.0 / (1.0 + (-mean).exp())) as f32
}
