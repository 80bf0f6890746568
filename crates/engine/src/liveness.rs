//! Face → live or which presentation attack: two nets over two views of the face and its
//! surroundings, fused into one calibrated score.
//!
//! The context net sees an averaged view: paper edges, hands, bezels, flat light. The grain net
//! sees single pixels of the photo: noise, print grain, the raster of a screen. Each fails on
//! other attacks.

use serde::Deserialize;

use crate::{
    AttackScores, Photo, crop,
    detect::BBox,
    error::{EngineError, Rejection},
    network::{self, Network},
    runtime::Runtime,
};

/// Side of both views over the side of the face box: enough for paper edges, hands and phone
/// bezels. The view of Silent-Face's first net, which taught these.
const VIEW_FACTOR: f64 = 2.7;

/// The numbers that turn the nets' margins into one logit, as the training pipeline wrote them.
pub(crate) const FUSION: &str = include_str!("../models/liveness.json");

/// Maps the nets' margins to the score of the API:
/// `sigmoid(context · margin + grain · margin + offset)`. Fitted by the training pipeline.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Calibration {
    context: f64,
    grain: f64,
    offset: f64,
}

/// What the liveness nets say of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Liveness {
    /// Logit of the confidence in a live person, before any calibration of the user's.
    pub(crate) logit: f64,
    /// Uncalibrated probabilities of the attack species: the mean of both nets'.
    pub(crate) attacks: AttackScores,
}

/// Judges whether a face is a live person.
pub(crate) struct LivenessClassifier {
    context: Box<dyn Network>,
    grain: Box<dyn Network>,
    calibration: Calibration,
}

impl LivenessClassifier {
    /// The nets with their names, for the self-test.
    pub(crate) fn networks(&self) -> [(&'static str, &dyn Network); 2] {
        [
            (network::LIVENESS_CONTEXT.name, self.context.as_ref()),
            (network::LIVENESS_GRAIN.name, self.grain.as_ref()),
        ]
    }

    pub(crate) fn load(runtime: &Runtime) -> Result<Self, EngineError> {
        let calibration = serde_json::from_str(FUSION).map_err(|error| EngineError::Network {
            name: network::LIVENESS_CONTEXT.name,
            reason: format!("its calibration cannot be read: {error}"),
        })?;
        Ok(Self {
            context: network::LIVENESS_CONTEXT.load(runtime)?,
            grain: network::LIVENESS_GRAIN.load(runtime)?,
            calibration,
        })
    }

    pub(crate) fn judge(&self, photo: &Photo, face: &BBox) -> Result<Liveness, Rejection> {
        let averaged = crop::square_crop(photo, face, VIEW_FACTOR, self.context.size())?;
        let context = logits(self.context.as_ref(), &averaged)?;
        let sampled = crop::sampled_crop(photo, face, VIEW_FACTOR, self.grain.size());
        let grain = logits(self.grain.as_ref(), &sampled)?;
        Ok(fuse(context, grain, self.calibration))
    }
}

/// Runs one net on its view.
fn logits(network: &dyn Network, view: &[u8]) -> Result<Logits, Rejection> {
    let outputs = network
        .run_square(crop::planes(view))
        .map_err(Rejection::Internal)?;
    match outputs.first().map(Vec::as_slice) {
        Some(&[live, print, screen]) if [live, print, screen].iter().all(|l| l.is_finite()) => {
            Ok(Logits([live, print, screen].map(f64::from)))
        }
        _ => Err(Rejection::Internal(
            "a liveness net gave no three numbers".to_owned(),
        )),
    }
}

/// A net's answer: logits of live, print, screen.
#[derive(Debug, Clone, Copy)]
struct Logits([f64; 3]);

impl Logits {
    /// `logit(live) − ln(e^logit(print) + e^logit(screen))`. In logits and not in probabilities:
    /// it stays exact where a probability rounds to 1.
    fn margin(self) -> f64 {
        let [live, print, screen] = self.0;
        let peak = print.max(screen);
        live - (peak + ((print - peak).exp() + (screen - peak).exp()).ln())
    }

    /// Probabilities of print and screen.
    fn attacks(self) -> [f64; 2] {
        let peak = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let [live, print, screen] = self.0.map(|logit| (logit - peak).exp());
        let total = live + print + screen;
        [print / total, screen / total]
    }
}

/// Both nets' logits → logit of the score and attack probabilities.
#[expect(clippy::cast_possible_truncation, reason = "probabilities")]
fn fuse(context: Logits, grain: Logits, calibration: Calibration) -> Liveness {
    let logit = calibration.context * context.margin()
        + calibration.grain * grain.margin()
        + calibration.offset;
    let [of_context, of_grain] = [context, grain].map(Logits::attacks);
    let mean = |kind: usize| ((of_context[kind] + of_grain[kind]) / 2.0) as f32;
    Liveness {
        logit,
        attacks: AttackScores {
            print: mean(0),
            screen: mean(1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScoreCalibration;

    fn score(liveness: Liveness) -> f32 {
        ScoreCalibration::default().score(liveness.logit)
    }

    const ONLY_CONTEXT: Calibration = Calibration {
        context: 1.0,
        grain: 0.0,
        offset: 0.0,
    };

    #[test]
    fn the_score_is_the_softmax_when_the_calibration_is_neutral() {
        let logits = Logits([2.0, 0.5, -1.0]);
        let liveness = fuse(logits, logits, ONLY_CONTEXT);
        let total = 2f64.exp() + 0.5f64.exp() + (-1f64).exp();
        assert!((f64::from(score(liveness)) - 2f64.exp() / total).abs() < 1e-6);
        assert!((f64::from(liveness.attacks.print) - 0.5f64.exp() / total).abs() < 1e-6);
        let sum = score(liveness) + liveness.attacks.print + liveness.attacks.screen;
        assert!((sum - 1.0).abs() < 1e-6);
    }

    #[test]
    fn either_net_can_turn_the_verdict() {
        let both = Calibration {
            context: 1.0,
            grain: 1.0,
            offset: 0.0,
        };
        let (live, attack) = (Logits([3.0, 0.0, 0.0]), Logits([-6.0, 0.0, 0.0]));
        assert!(score(fuse(live, live, both)) > 0.9);
        assert!(score(fuse(attack, live, both)) < 0.1);
        assert!(score(fuse(live, attack, both)) < 0.1);
    }

    #[test]
    fn extreme_logits_stay_inside_zero_to_one() {
        for logits in [[1e4, -1e4, -1e4], [-1e4, 1e4, 1e4], [1e30, 1e30, 1e30]] {
            let calibration = Calibration {
                context: 3.0,
                grain: 2.0,
                offset: -1.0,
            };
            let liveness = fuse(Logits(logits), Logits(logits), calibration);
            assert!((0.0..=1.0).contains(&score(liveness)), "{logits:?}");
        }
    }
}
