//! Face → live or which presentation attack: two nets over two views of the face and its
//! surroundings, fused into one calibrated score.
//!
//! The context net sees an averaged view: paper edges, hands, bezels, flat light. The grain net
//! sees single pixels of the photo: noise, print grain, the raster of a screen. Each fails on
//! other attacks. Which pixels the grain net sees depends on where the face box lies to a pixel, so
//! where the score is in doubt it looks again, closer, at other pixels.

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
#[derive(Debug, Clone, Deserialize)]
struct Calibration {
    context: f64,
    grain: f64,
    offset: f64,
    /// Scores of the first look, from the one to below the other, that are made of two looks.
    doubt: [f64; 2],
    /// Share of its view that the grain net sees then.
    closer: f64,
}

impl Calibration {
    /// Logit of the score, of both nets' margins.
    fn logit(&self, context: f64, grain: f64) -> f64 {
        self.context * context + self.grain * grain + self.offset
    }

    fn in_doubt(&self, logit: f64) -> bool {
        let [from, to] = self.doubt.map(|score| (score / (1.0 - score)).ln());
        (from..to).contains(&logit)
    }
}

/// What the liveness nets say of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Liveness {
    /// Logit of the confidence in a live person, before any calibration of the user's.
    pub(crate) logit: f64,
    /// Uncalibrated probabilities of the attack species: the mean of both nets' at the first look.
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
        let grain = self.grain_logits(photo, face, 1.0)?;
        let mut logit = self.calibration.logit(context.margin(), grain.margin());
        if self.calibration.in_doubt(logit) {
            let closer = self.grain_logits(photo, face, self.calibration.closer)?;
            let mean = f64::midpoint(grain.margin(), closer.margin());
            logit = self.calibration.logit(context.margin(), mean);
        }
        Ok(Liveness {
            logit,
            attacks: attacks(context, grain),
        })
    }

    /// The grain net on `share` of its view.
    fn grain_logits(&self, photo: &Photo, face: &BBox, share: f64) -> Result<Logits, Rejection> {
        let sampled = crop::sampled_crop(photo, face, VIEW_FACTOR, share, self.grain.size());
        logits(self.grain.as_ref(), &sampled)
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

/// The mean of what both nets say of the attack species.
#[expect(clippy::cast_possible_truncation, reason = "probabilities")]
fn attacks(context: Logits, grain: Logits) -> AttackScores {
    let [of_context, of_grain] = [context, grain].map(Logits::attacks);
    let mean = |kind: usize| ((of_context[kind] + of_grain[kind]) / 2.0) as f32;
    AttackScores {
        print: mean(0),
        screen: mean(1),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{ScoreCalibration, network::InputSize};

    fn calibration(context: f64, grain: f64, offset: f64) -> Calibration {
        Calibration {
            context,
            grain,
            offset,
            doubt: [0.8, 0.96],
            closer: 0.8,
        }
    }

    /// The score of both nets' answers, of one look.
    fn fused(context: Logits, grain: Logits, calibration: &Calibration) -> f32 {
        let logit = calibration.logit(context.margin(), grain.margin());
        ScoreCalibration::default().score(logit)
    }

    #[test]
    fn the_score_is_the_softmax_when_the_calibration_is_neutral() {
        let logits = Logits([2.0, 0.5, -1.0]);
        let score = fused(logits, logits, &calibration(1.0, 0.0, 0.0));
        let attacks = attacks(logits, logits);
        let total = 2f64.exp() + 0.5f64.exp() + (-1f64).exp();
        assert!((f64::from(score) - 2f64.exp() / total).abs() < 1e-6);
        assert!((f64::from(attacks.print) - 0.5f64.exp() / total).abs() < 1e-6);
        assert!((score + attacks.print + attacks.screen - 1.0).abs() < 1e-6);
    }

    #[test]
    fn either_net_can_turn_the_verdict() {
        let both = calibration(1.0, 1.0, 0.0);
        let (live, attack) = (Logits([3.0, 0.0, 0.0]), Logits([-6.0, 0.0, 0.0]));
        assert!(fused(live, live, &both) > 0.9);
        assert!(fused(attack, live, &both) < 0.1);
        assert!(fused(live, attack, &both) < 0.1);
    }

    #[test]
    fn extreme_logits_stay_inside_zero_to_one() {
        for logits in [[1e4, -1e4, -1e4], [-1e4, 1e4, 1e4], [1e30, 1e30, 1e30]] {
            let score = fused(Logits(logits), Logits(logits), &calibration(3.0, 2.0, -1.0));
            assert!((0.0..=1.0).contains(&score), "{logits:?}");
        }
    }

    /// A net that answers each call with the next of its margins, and the last one ever after.
    struct Scripted {
        margins: Vec<f32>,
        calls: AtomicUsize,
    }

    impl Network for Scripted {
        fn size(&self) -> u32 {
            8
        }

        fn run(&self, _: Vec<f32>, _: InputSize) -> Result<Vec<Vec<f32>>, String> {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let margin = self.margins[call.min(self.margins.len() - 1)];
            // Print has no part in it.
            Ok(vec![vec![margin, -1e9, 0.0]])
        }
    }

    /// Logit of a face whose first look has this margin, and the second 0.
    fn looked_at(first: f32) -> f64 {
        let scripted = |margins: Vec<f32>| -> Box<dyn Network> {
            Box::new(Scripted {
                margins,
                calls: AtomicUsize::new(0),
            })
        };
        let classifier = LivenessClassifier {
            context: scripted(vec![0.0]),
            grain: scripted(vec![first, 0.0]),
            calibration: calibration(1.0, 1.0, 0.0),
        };
        let photo = Photo::new(64, 64, vec![0; 64 * 64 * 3], "png");
        let face = BBox {
            x0: 16.0,
            y0: 16.0,
            x1: 48.0,
            y1: 48.0,
        };
        classifier.judge(&photo, &face).expect("a verdict").logit
    }

    #[test]
    fn a_doubtful_face_is_looked_at_again_and_a_clear_one_is_not() {
        // 0.80 and 0.96 are logits of 1.386 and 3.178.
        for clear in [-3.0, 1.38, 3.18, 9.0] {
            assert!(
                (looked_at(clear) - f64::from(clear)).abs() < 1e-6,
                "{clear}"
            );
        }
        for doubtful in [1.39, 2.0, 3.17] {
            let mean = f64::from(doubtful) / 2.0;
            assert!((looked_at(doubtful) - mean).abs() < 1e-6, "{doubtful}");
        }
    }
}
