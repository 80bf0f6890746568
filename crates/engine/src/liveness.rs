//! Face → live or which presentation attack: two nets over four views of the face and its
//! surroundings, fused into one calibrated score.
//!
//! The views net sees three averaged views at three scales: wide (edges of paper and screens, hands,
//! the room), middle, and near (skin, gloss, moiré). The grain net sees single pixels of the photo:
//! noise, print grain, the raster of a screen. Each view fails on other attacks, so beside their
//! weighted sum the score has a soft minimum: one view that is sure of an attack is not outvoted.

use serde::Deserialize;

use crate::{
    AttackScores, Photo, crop,
    detect::BBox,
    error::{EngineError, Rejection},
    network::{self, Network},
    runtime::Runtime,
};

/// Sides of the wide, the middle and the near view over the side of the face box, as the views net
/// was trained on them.
const VIEW_FACTORS: [f64; 3] = [4.0, 2.7, 1.5];

/// Side of the grain net's view over the side of the face box: that of Silent-Face's first net, which
/// taught it.
const GRAIN_FACTOR: f64 = 2.7;

/// Views of a face: those of [`VIEW_FACTORS`] and the grain net's.
const VIEWS: usize = VIEW_FACTORS.len() + 1;

/// The numbers that turn the nets' margins into one logit, as the training pipeline wrote them.
pub(crate) const FUSION: &str = include_str!("../models/liveness.json");

/// Maps the margins of the views to the logit of the score. Fitted by the training pipeline,
/// `training/livecheck_training/threeview/fuse.py`.
#[derive(Debug, Clone, Deserialize)]
struct Fusion {
    /// Weights of the wide, middle and near view and of the grain net's.
    weights: [f64; VIEWS],
    /// Weight of the soft minimum.
    alarm: f64,
    /// How closely the soft minimum follows the least margin, per unit of margin.
    sharpness: f64,
    /// Margins count up to this, either way.
    limit: f64,
    offset: f64,
}

impl Fusion {
    /// Logit of the score: a weighted sum of the margins and of their soft minimum
    /// `−ln(mean(e^(−sharpness · margin))) / sharpness`.
    fn logit(&self, margins: [f64; VIEWS]) -> f64 {
        let held = margins.map(|margin| margin.clamp(-self.limit, self.limit));
        let sum: f64 = held.iter().zip(self.weights).map(|(m, w)| m * w).sum();
        let mean = held.map(|m| (-self.sharpness * m).exp()).iter().sum::<f64>() / VIEWS as f64;
        sum - self.alarm * mean.ln() / self.sharpness + self.offset
    }
}

/// What the liveness nets say of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Liveness {
    /// Logit of the confidence in a live person, before any calibration of the user's.
    pub(crate) logit: f64,
    /// Uncalibrated probabilities of the attack species: the mean over the views.
    pub(crate) attacks: AttackScores,
}

/// Judges whether a face is a live person.
pub(crate) struct LivenessClassifier {
    views: Box<dyn Network>,
    grain: Box<dyn Network>,
    fusion: Fusion,
}

impl LivenessClassifier {
    /// The nets with their names, for the self-test.
    pub(crate) fn networks(&self) -> [(&'static str, &dyn Network); 2] {
        [
            (network::LIVENESS_VIEWS.name, self.views.as_ref()),
            (network::LIVENESS_GRAIN.name, self.grain.as_ref()),
        ]
    }

    pub(crate) fn load(runtime: &Runtime) -> Result<Self, EngineError> {
        let fusion = serde_json::from_str(FUSION).map_err(|error| EngineError::Network {
            name: network::LIVENESS_VIEWS.name,
            reason: format!("models/liveness.json cannot be read: {error}"),
        })?;
        Ok(Self {
            views: network::LIVENESS_VIEWS.load(runtime)?,
            grain: network::LIVENESS_GRAIN.load(runtime)?,
            fusion,
        })
    }

    pub(crate) fn judge(&self, photo: &Photo, face: &BBox) -> Result<Liveness, Rejection> {
        let mut answers = [Logits([0.0; 3]); VIEWS];
        for (number, factor) in VIEW_FACTORS.into_iter().enumerate() {
            let view = crop::square_crop(photo, face, factor, self.views.size())?;
            // The net answers for every scale; only the answer for the scale that it saw counts.
            answers[number] = logits(self.views.as_ref(), &view, number, VIEW_FACTORS.len())?;
        }
        let sampled = crop::sampled_crop(photo, face, GRAIN_FACTOR, 1.0, self.grain.size());
        answers[VIEWS - 1] = logits(self.grain.as_ref(), &sampled, 0, 1)?;
        Ok(Liveness {
            logit: self.fusion.logit(answers.map(Logits::margin)),
            attacks: attacks(&answers),
        })
    }
}

/// Runs a net on a view: the answer at `scale` of the `scales` that it gives.
fn logits(
    network: &dyn Network,
    view: &[u8],
    scale: usize,
    scales: usize,
) -> Result<Logits, Rejection> {
    let outputs = network
        .run_square(crop::planes(view))
        .map_err(Rejection::Internal)?;
    let numbers = outputs.first().map_or(&[][..], Vec::as_slice);
    match numbers.get(3 * scale..3 * scale + 3) {
        Some(&[live, print, screen])
            if numbers.len() == 3 * scales && numbers.iter().all(|logit| logit.is_finite()) =>
        {
            Ok(Logits([live, print, screen].map(f64::from)))
        }
        _ => Err(Rejection::Internal(format!(
            "a liveness net returned {} numbers, not {} finite ones",
            numbers.len(),
            3 * scales
        ))),
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

/// The mean of what the views say of the attack species.
#[expect(clippy::cast_possible_truncation, reason = "probabilities")]
fn attacks(answers: &[Logits; VIEWS]) -> AttackScores {
    let mean = |kind: usize| {
        (answers.iter().map(|answer| answer.attacks()[kind]).sum::<f64>() / VIEWS as f64) as f32
    };
    AttackScores {
        print: mean(0),
        screen: mean(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScoreCalibration;

    fn fusion(weights: [f64; VIEWS], alarm: f64) -> Fusion {
        Fusion {
            weights,
            alarm,
            sharpness: 1.0,
            limit: 8.0,
            offset: 0.0,
        }
    }

    fn score(margins: [f64; VIEWS], fusion: &Fusion) -> f32 {
        ScoreCalibration::default().score(fusion.logit(margins))
    }

    #[test]
    fn the_score_is_the_softmax_when_the_fusion_is_neutral() {
        let logits = Logits([2.0, 0.5, -1.0]);
        let neutral = fusion([0.25; VIEWS], 0.0);
        let score = score([logits.margin(); VIEWS], &neutral);
        let attacks = attacks(&[logits; VIEWS]);
        let total = 2f64.exp() + 0.5f64.exp() + (-1f64).exp();
        assert!((f64::from(score) - 2f64.exp() / total).abs() < 1e-6);
        assert!((f64::from(attacks.print) - 0.5f64.exp() / total).abs() < 1e-6);
        assert!((score + attacks.print + attacks.screen - 1.0).abs() < 1e-6);
    }

    #[test]
    fn one_view_that_is_sure_of_an_attack_turns_the_verdict() {
        let fused = fusion([0.2; VIEWS], 1.0);
        assert!(score([4.0; VIEWS], &fused) > 0.9);
        for view in 0..VIEWS {
            let mut margins = [4.0; VIEWS];
            margins[view] = -6.0;
            assert!(score(margins, &fused) < 0.1, "view {view}");
        }
    }

    #[test]
    fn equal_margins_are_their_own_soft_minimum() {
        let logit = fusion([0.0; VIEWS], 1.0).logit([1.5; VIEWS]);
        assert!((logit - 1.5).abs() < 1e-12, "{logit}");
    }

    #[test]
    fn extreme_logits_stay_inside_zero_to_one() {
        for logits in [[1e4, -1e4, -1e4], [-1e4, 1e4, 1e4], [1e30, 1e30, 1e30]] {
            let score = score([Logits(logits).margin(); VIEWS], &fusion([3.0; VIEWS], 2.0));
            assert!((0.0..=1.0).contains(&score), "{logits:?}");
        }
    }
}
