//! Face → live or which presentation attack: the `liveness` net on the context crop, and the
//! calibration of its answer.

use serde::Deserialize;

use crate::{
    AttackScores, Photo, crop,
    detect::BBox,
    error::{EngineError, Rejection},
    network::{self, Network},
};

/// Side of the context crop over the mean side of the face box: enough for paper edges, hands and
/// phone bezels. The view of Silent-Face's first net, which taught this one.
const CONTEXT_FACTOR: f64 = 2.7;

/// The numbers that turn the nets' margins into one logit, as the training pipeline wrote them.
pub(crate) const FUSION: &str = include_str!("../models/liveness.json");

/// Maps the net's margin to the score of the API: `sigmoid(a · margin + b)`, where the margin is
/// `logit(live) − ln(e^logit(print) + e^logit(screen))`. Fitted by the training pipeline.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Calibration {
    a: f64,
    b: f64,
}

/// What the liveness net says of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Liveness {
    /// Logit of the confidence in a live person, before any calibration of the user's.
    pub(crate) logit: f64,
    /// Uncalibrated probabilities of the attack species.
    pub(crate) attacks: AttackScores,
}

/// Judges whether a face is a live person.
pub(crate) struct LivenessClassifier {
    context: Box<dyn Network>,
    calibration: Calibration,
}

impl LivenessClassifier {
    /// The net, for the self-test.
    pub(crate) fn network(&self) -> &dyn Network {
        self.context.as_ref()
    }

    pub(crate) fn load() -> Result<Self, EngineError> {
        let calibration = serde_json::from_str(FUSION).map_err(|error| EngineError::Network {
            name: network::LIVENESS.name,
            reason: format!("its calibration cannot be read: {error}"),
        })?;
        Ok(Self {
            context: network::LIVENESS.load()?,
            calibration,
        })
    }

    pub(crate) fn judge(&self, photo: &Photo, face: &BBox) -> Result<Liveness, Rejection> {
        let crop = crop::square_crop(photo, face, CONTEXT_FACTOR, self.context.size())?;
        let outputs = self
            .context
            .run(crop::planes(&crop))
            .map_err(Rejection::Internal)?;
        match outputs.first().map(Vec::as_slice) {
            Some(&[live, print, screen]) if [live, print, screen].iter().all(|l| l.is_finite()) => {
                Ok(fuse([live, print, screen].map(f64::from), self.calibration))
            }
            _ => Err(Rejection::Internal(
                "the liveness net gave no three numbers".to_owned(),
            )),
        }
    }
}

/// Logits (live, print, screen) → logit of the score and attack probabilities.
#[expect(clippy::cast_possible_truncation, reason = "probabilities")]
fn fuse(logits: [f64; 3], calibration: Calibration) -> Liveness {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [live, print, screen] = logits.map(|logit| (logit - largest).exp());
    let total = live + print + screen;
    // In logits and not in probabilities: the margin stays exact where a probability rounds to 1.
    let attack_peak = logits[1].max(logits[2]);
    let attack_logit =
        attack_peak + ((logits[1] - attack_peak).exp() + (logits[2] - attack_peak).exp()).ln();
    let margin = logits[0] - attack_logit;
    Liveness {
        logit: calibration.a * margin + calibration.b,
        attacks: AttackScores {
            print: (print / total) as f32,
            screen: (screen / total) as f32,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScoreCalibration;

    #[test]
    fn the_score_is_the_softmax_when_the_calibration_is_neutral() {
        let neutral = Calibration { a: 1.0, b: 0.0 };
        let liveness = fuse([2.0, 0.5, -1.0], neutral);
        let total = 2f64.exp() + 0.5f64.exp() + (-1f64).exp();
        let score = ScoreCalibration::default().score(liveness.logit);
        assert!((f64::from(score) - 2f64.exp() / total).abs() < 1e-6);
        assert!((f64::from(liveness.attacks.print) - 0.5f64.exp() / total).abs() < 1e-6);
        let sum = score + liveness.attacks.print + liveness.attacks.screen;
        assert!((sum - 1.0).abs() < 1e-6);
    }

    #[test]
    fn extreme_logits_stay_inside_zero_to_one() {
        for logits in [[1e4, -1e4, -1e4], [-1e4, 1e4, 1e4], [1e30, 1e30, 1e30]] {
            let liveness = fuse(logits, Calibration { a: 3.0, b: -1.0 });
            let score = ScoreCalibration::default().score(liveness.logit);
            assert!((0.0..=1.0).contains(&score), "{logits:?}");
        }
    }
}
