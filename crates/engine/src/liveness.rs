//! Face → live or which presentation attack, fused into one calibrated score.
//!
//! The views net sees three averaged views at three scales: wide (edges of paper and screens, hands,
//! the room), middle, and near (skin, gloss, moiré). The grain net sees single pixels of the photo:
//! noise, print grain, the raster of a screen, in neutral light. Each view fails on other attacks, so beside their
//! sum the score has a soft minimum: one view that is sure of an attack is not outvoted.
//!
//! These two learnt from cameras of today. Photos of fewer pixels than any of those cameras gives
//! are judged by another pair, the small nets, which learnt from pictures of that size; between the
//! two sizes both count.

use serde::Deserialize;

use crate::{
    crop,
    error::{EngineError, Rejection},
    face::{BBox, Face},
    inference::{self, Network, Runtime},
    odds,
    photo::Photo,
};

/// Sides of the wide, the middle and the near view over the side of the face box, as the views net
/// was trained on them.
pub(crate) const VIEW_FACTORS: [f64; 3] = [4.0, 2.7, 1.5];

/// Side of the view of the grain nets and of the small context net over the side of the face box: that of
/// Silent-Face's first net, which taught them.
const GRAIN_FACTOR: f64 = 2.7;

/// Shares of its view that the grain net sees, one look each; the mean of their margins counts. Which pixels it sees
/// depends on where the face box lies to a pixel, and every look sees others: on sources that were left out of training
/// two looks miss fewer attacks than one (`training/notes/2026-11-29-grain-looks.md`).
const GRAIN_LOOKS: [f64; 2] = [1.0, 0.9];

/// Scores of the first look from which, and below which, a second one is taken: beyond them it turned no verdict of
/// 1,746 training photos at thresholds of 0.85 to 0.95, and seven faces in eight are beyond them (the same notes).
const GRAIN_DOUBT: [f64; 2] = [0.3, 0.995];

/// Most by which a channel of the grain net's view is made stronger or weaker.
const MOST_GAIN: f32 = 3.0;

/// Rolls of a face, degrees: up to the first the grain net's view stays as the photo is, from the second
/// on it is turned upright, and between them by a growing part. The net learnt from upright faces and takes
/// a turned print for skin more often.
const TURNED: [f64; 2] = [5.0, 15.0];

/// The score that both scales are set by: the recommended threshold.
const ANCHOR: f64 = 0.90;

/// Views of a face: those of [`VIEW_FACTORS`] and the grain net's.
const VIEWS: usize = VIEW_FACTORS.len() + 1;

/// The numbers that turn the nets' margins into one logit, as the training pipeline wrote them.
pub(crate) const FUSION: &str = include_str!("../models/liveness.json");

/// `models/liveness.json`, which `training/livecheck_training/threeview/fuse.py` writes.
#[derive(Debug, Clone, Deserialize)]
struct Settings {
    fusion: Fusion,
    small: SmallFusion,
    /// Longer sides of a photo, pixels: up to the first the small nets alone judge, from the second
    /// on the others alone.
    sides: [f64; 2],
}

impl Settings {
    /// Weight of the views net and the grain net against the small nets, 0 to 1.
    fn large_share(&self, photo: &Photo) -> f64 {
        let [small, large] = self.sides;
        let longer = f64::from(photo.full_width.max(photo.full_height));
        ((longer - small) / (large - small)).clamp(0.0, 1.0)
    }
}

/// Maps the margins of the views to the logit of the score.
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
        let mean = held
            .map(|m| (-self.sharpness * m).exp())
            .iter()
            .sum::<f64>()
            / VIEWS as f64;
        sum - self.alarm * mean.ln() / self.sharpness + self.offset
    }
}

/// Maps the margins of the small nets to the logit of the score.
#[derive(Debug, Clone, Deserialize)]
struct SmallFusion {
    context: f64,
    grain: f64,
    offset: f64,
    /// How many times as fast the logit falls below that of [`ANCHOR`]. There it stands for even odds, and so it would
    /// make too much of attacks: photos with a score of 0.5 would be attacks, nine in ten.
    below: f64,
    /// Scores of the first look, from the one to below the other, that are made of two looks. Before `below` counts.
    doubt: [f64; 2],
    /// Share of its view that the grain net sees then.
    closer: f64,
}

impl SmallFusion {
    fn logit(&self, context: f64, grain: f64) -> f64 {
        self.context * context + self.grain * grain + self.offset
    }
}

/// What the liveness nets say of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Liveness {
    /// Logit of the confidence in a live person, before any calibration of the user's.
    pub(crate) logit: f64,
    /// Uncalibrated probability of an attack: the mean over the views.
    pub(crate) attack_score: f32,
}

impl Liveness {
    /// The one and the other, which counts `share`.
    #[expect(clippy::cast_possible_truncation, reason = "a share of 0 to 1")]
    fn mixed(self, other: Self, share: f64) -> Self {
        Self {
            logit: self.logit + (other.logit - self.logit) * share,
            attack_score: self.attack_score
                + (other.attack_score - self.attack_score) * share as f32,
        }
    }
}

/// Judges whether a face is a live person.
pub(crate) struct LivenessClassifier {
    views: Box<dyn Network>,
    grain: Box<dyn Network>,
    small_context: Box<dyn Network>,
    small_grain: Box<dyn Network>,
    settings: Settings,
}

impl LivenessClassifier {
    /// The nets with their names, for the self-test.
    pub(crate) fn networks(&self) -> [(&'static str, &dyn Network); 4] {
        [
            (inference::LIVENESS_VIEWS.name, self.views.as_ref()),
            (inference::LIVENESS_GRAIN.name, self.grain.as_ref()),
            (
                inference::LIVENESS_SMALL_CONTEXT.name,
                self.small_context.as_ref(),
            ),
            (
                inference::LIVENESS_SMALL_GRAIN.name,
                self.small_grain.as_ref(),
            ),
        ]
    }

    pub(crate) fn load(runtime: &Runtime) -> Result<Self, EngineError> {
        let settings = serde_json::from_str(FUSION).map_err(|error| EngineError::Network {
            name: inference::LIVENESS_VIEWS.name,
            reason: format!("models/liveness.json cannot be read: {error}"),
        })?;
        Ok(Self {
            views: runtime.load_model(&inference::LIVENESS_VIEWS)?,
            grain: runtime.load_model(&inference::LIVENESS_GRAIN)?,
            small_context: runtime.load_model(&inference::LIVENESS_SMALL_CONTEXT)?,
            small_grain: runtime.load_model(&inference::LIVENESS_SMALL_GRAIN)?,
            settings,
        })
    }

    pub(crate) fn judge(&self, photo: &Photo, face: &Face) -> Result<Liveness, Rejection> {
        let share = self.settings.large_share(photo);
        if share >= 1.0 {
            return self.judge_large(photo, face);
        }
        let small = self.judge_small(photo, &face.bbox)?;
        let judged = if share <= 0.0 {
            small
        } else {
            small.mixed(self.judge_large(photo, face)?, share)
        };
        let below = 1.0 + (self.settings.small.below - 1.0) * (1.0 - share);
        Ok(Liveness {
            logit: steeper(judged.logit, below),
            ..judged
        })
    }

    /// By the views net and the grain net.
    fn judge_large(&self, photo: &Photo, face: &Face) -> Result<Liveness, Rejection> {
        let mut margins = [0.0; VIEWS];
        let mut balance = Balance::default();
        for (number, factor) in VIEW_FACTORS.into_iter().enumerate() {
            let view = crop::square_crop(photo, &face.bbox, factor, self.views.size())?;
            if number == 0 {
                balance.add(&view);
            }
            // The net answers for every scale; only the answer for the scale that it saw counts.
            margins[number] =
                logits(self.views.as_ref(), &view, number, VIEW_FACTORS.len())?.margin();
        }
        let turn = turn(crop::roll(&face.landmarks));
        let size = self.grain.size();
        let mut looks = 0.0;
        let mut logit = 0.0;
        for (before, share) in GRAIN_LOOKS.into_iter().enumerate() {
            if before > 0 && !in_doubt(logit, GRAIN_DOUBT) {
                break;
            }
            let mut sampled = if turn == 0.0 {
                crop::sampled_crop(photo, &face.bbox, GRAIN_FACTOR, share, size)
            } else {
                crop::turned_sampled_crop(photo, &face.bbox, GRAIN_FACTOR, share, turn, size)
            };
            balance.apply(&mut sampled);
            let look = logits(self.grain.as_ref(), &sampled, 0, 1)?;
            looks += look.margin();
            margins[VIEWS - 1] = looks / (before + 1) as f64;
            logit = self.settings.fusion.logit(margins);
        }
        Ok(Liveness {
            logit,
            attack_score: attack_score(&margins),
        })
    }

    /// By the small nets. Which pixels the grain net sees depends on where the face box lies to a pixel,
    /// so where the score is in doubt it looks again, closer, at other pixels.
    fn judge_small(&self, photo: &Photo, face: &BBox) -> Result<Liveness, Rejection> {
        let fusion = &self.settings.small;
        let averaged = crop::square_crop(photo, face, GRAIN_FACTOR, self.small_context.size())?;
        let context = logits(self.small_context.as_ref(), &averaged, 0, 1)?;
        let grain = grain_logits(self.small_grain.as_ref(), photo, face, 1.0)?;
        let mut logit = fusion.logit(context.margin(), grain.margin());
        if in_doubt(logit, fusion.doubt) {
            let closer = grain_logits(self.small_grain.as_ref(), photo, face, fusion.closer)?;
            let mean = f64::midpoint(grain.margin(), closer.margin());
            logit = fusion.logit(context.margin(), mean);
        }
        Ok(Liveness {
            logit,
            attack_score: attack_score(&[context.margin(), grain.margin()]),
        })
    }
}

/// Whether the score of this logit is from the one score on and below the other.
fn in_doubt(logit: f64, scores: [f64; 2]) -> bool {
    let [from, to] = scores.map(odds::logit);
    (from..to).contains(&logit)
}

/// The logit, `below` times as far from that of [`ANCHOR`] where it is below.
fn steeper(logit: f64, below: f64) -> f64 {
    let beyond = logit - odds::logit(ANCHOR);
    logit + (below - 1.0) * beyond.min(0.0)
}

/// By how much the grain net's view is turned for a face of this roll; both in radians.
fn turn(roll: f64) -> f64 {
    let [from, whole] = TURNED;
    roll * ((roll.abs().to_degrees() - from) / (whole - from)).clamp(0.0, 1.0)
}

/// The white balance that makes the mean colour of what it has seen grey. The grain net takes a print under a
/// warm lamp for skin; so the lamp is taken out of its view. Beyond [`MOST_GAIN`] the light stays.
#[derive(Default)]
struct Balance {
    sums: [f32; 3],
}

impl Balance {
    fn add(&mut self, view: &[u8]) {
        for pixel in view.chunks_exact(3) {
            for (sum, value) in self.sums.iter_mut().zip(pixel) {
                *sum += f32::from(*value);
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held to bytes"
    )]
    fn apply(&self, view: &mut [u8]) {
        let mean = self.sums.iter().sum::<f32>() / 3.0;
        let tables: [[u8; 256]; 3] = self.sums.map(|sum| {
            let gain = (mean / sum.max(1.0)).clamp(1.0 / MOST_GAIN, MOST_GAIN);
            std::array::from_fn(|level| (level as f32 * gain + 0.5).min(255.0) as u8)
        });
        for pixel in view.chunks_exact_mut(3) {
            for (value, table) in pixel.iter_mut().zip(&tables) {
                *value = table[usize::from(*value)];
            }
        }
    }
}

/// A grain net on `share` of its view.
fn grain_logits(
    network: &dyn Network,
    photo: &Photo,
    face: &BBox,
    share: f64,
) -> Result<Logits, Rejection> {
    let sampled = crop::sampled_crop(photo, face, GRAIN_FACTOR, share, network.size());
    logits(network, &sampled, 0, 1)
}

/// Runs a net on a view: the answer at `scale` of the `scales` that it gives.
fn logits(
    network: &dyn Network,
    view: &[u8],
    scale: usize,
    scales: usize,
) -> Result<Logits, Rejection> {
    let outputs = network.run_square(view).map_err(Rejection::Internal)?;
    let numbers = outputs.first().map_or(&[][..], Vec::as_slice);
    match numbers.get(3 * scale..3 * scale + 3) {
        Some(&[live, print, screen])
            if numbers.len() == 3 * scales && numbers.iter().all(|logit| logit.is_finite()) =>
        {
            Ok(Logits([live, print, screen].map(f64::from)))
        }
        _ => Err(Rejection::Internal(format!(
            "a liveness model returned {} numbers instead of {} finite ones",
            numbers.len(),
            3 * scales
        ))),
    }
}

/// A net's answer: logits of live, print, screen.
#[derive(Clone, Copy)]
struct Logits([f64; 3]);

impl Logits {
    /// `logit(live) − ln(e^logit(print) + e^logit(screen))`. In logits and not in probabilities:
    /// it stays exact where a probability rounds to 1.
    fn margin(self) -> f64 {
        let [live, print, screen] = self.0;
        let peak = print.max(screen);
        live - (peak + ((print - peak).exp() + (screen - peak).exp()).ln())
    }
}

/// The mean over the views of the probability of an attack, of print and screen together. Which of the two it is, the
/// nets can't tell well enough for anybody to be told.
#[expect(clippy::cast_possible_truncation, reason = "a probability")]
fn attack_score(margins: &[f64]) -> f32 {
    let sum: f64 = margins
        .iter()
        .map(|margin| 1.0 / (1.0 + margin.exp()))
        .sum();
    (sum / margins.len() as f64) as f32
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
        let attack = attack_score(&[logits.margin(); VIEWS]);
        let total = 2f64.exp() + 0.5f64.exp() + (-1f64).exp();
        assert!((f64::from(score) - 2f64.exp() / total).abs() < 1e-6);
        assert!((score + attack - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_attack_score_is_the_mean_over_the_views_whichever_attack_they_see() {
        let sure = 40.0;
        let [live, print, screen] = [[sure, 0.0, 0.0], [0.0, sure, 0.0], [0.0, 0.0, sure]]
            .map(|logits| Logits(logits).margin());
        for (views, expected) in [
            ([live; VIEWS], 0.0),
            ([live, print, live, screen], 0.5),
            ([print, screen, live, screen], 0.75),
            ([Logits([-1e30, 1e30, 1e30]).margin(); VIEWS], 1.0),
            ([Logits([1e30, -1e30, -1e30]).margin(); VIEWS], 0.0),
        ] {
            let found = attack_score(&views);
            assert!((found - expected).abs() < 1e-6, "{views:?}: {found}");
        }
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
    fn the_light_of_a_lamp_is_taken_out() {
        let grey: Vec<u8> = (20..120)
            .flat_map(|level| [level, level + 3, level + 6])
            .collect();
        let lamp = |view: &[u8]| -> Vec<u8> {
            let gains = [1.5_f32, 1.0, 0.5];
            let lit = view.iter().zip(gains.iter().cycle());
            lit.map(|(level, gain)| (f32::from(*level) * gain + 0.5) as u8)
                .collect()
        };
        let balanced = |mut view: Vec<u8>| {
            let mut balance = Balance::default();
            balance.add(&view);
            balance.apply(&mut view);
            view
        };
        let (plain, lit) = (balanced(grey.clone()), balanced(lamp(&grey)));
        for (one, other) in plain.iter().zip(&lit) {
            assert!(one.abs_diff(*other) <= 2, "{one} and {other}");
        }
        // A picture of one colour, and none at all, end in no fault.
        assert_eq!(balanced(vec![0; 300]), vec![0; 300]);
        assert_eq!(balanced(Vec::new()), Vec::<u8>::new());
    }

    #[test]
    fn the_grain_view_is_turned_by_a_part_that_grows_with_the_roll() {
        let turned = |degrees: f64| turn(degrees.to_radians()).to_degrees();
        for (roll, expected) in [
            (0.0, 0.0),
            (5.0, 0.0),
            (10.0, 5.0),
            (15.0, 15.0),
            (40.0, 40.0),
        ] {
            assert!((turned(roll) - expected).abs() < 1e-9, "{roll}");
            assert!((turned(-roll) + expected).abs() < 1e-9, "-{roll}");
        }
    }

    #[test]
    fn equal_margins_are_their_own_soft_minimum() {
        let logit = fusion([0.0; VIEWS], 1.0).logit([1.5; VIEWS]);
        assert!((logit - 1.5).abs() < 1e-12, "{logit}");
    }

    fn settings() -> Settings {
        serde_json::from_str(FUSION).expect("models/liveness.json as the pipeline writes it")
    }

    #[test]
    fn the_small_nets_judge_small_photos_and_the_share_of_the_others_grows_with_the_longer_side() {
        let settings = settings();
        let [small, large] = settings.sides;
        let share = |side: f64| {
            let side = side as u32;
            let tall = Photo::new(side / 2, side, Vec::new(), "jpeg");
            settings.large_share(&tall)
        };
        assert_eq!(share(small - 1.0), 0.0);
        assert_eq!(share(small), 0.0);
        assert!((share((small + large) / 2.0) - 0.5).abs() < 1e-9);
        assert_eq!(share(large), 1.0);
        assert_eq!(share(large * 4.0), 1.0);
    }

    #[test]
    fn mixing_goes_from_the_one_judgement_to_the_other() {
        let of = |logit: f64, attack_score: f32| Liveness {
            logit,
            attack_score,
        };
        let (one, other) = (of(-2.0, 0.25), of(2.0, 0.75));
        assert_eq!(one.mixed(other, 0.0), one);
        assert_eq!(one.mixed(other, 1.0), other);
        assert_eq!(one.mixed(other, 0.5), of(0.0, 0.5));
    }

    #[test]
    fn doubt_begins_with_its_first_score_and_ends_before_its_second() {
        for doubt in [settings().small.doubt, GRAIN_DOUBT] {
            let [from, to] = doubt;
            assert!(in_doubt(odds::logit(from), doubt));
            assert!(!in_doubt(odds::logit(from - 1e-6), doubt));
            assert!(in_doubt(odds::logit(to - 1e-6), doubt));
            assert!(!in_doubt(odds::logit(to), doubt));
        }
    }

    #[test]
    fn only_scores_below_the_recommended_threshold_fall_faster() {
        let scaled = |score: f64, below: f64| odds::score(steeper(odds::logit(score), below));
        for score in [0.90, 0.95, 0.999] {
            assert!((scaled(score, 2.0) - score).abs() < 1e-12, "{score}");
        }
        // Even odds at 0.90: one in ten is live at the logit of 0.5.
        assert!((scaled(0.5, 2.0) - 0.1).abs() < 1e-12);
        assert!((scaled(0.5, 1.0) - 0.5).abs() < 1e-12);
        let rising: Vec<f64> = (1..100)
            .map(|percent| scaled(f64::from(percent) / 100.0, 2.412))
            .collect();
        assert!(rising.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn extreme_logits_stay_inside_zero_to_one() {
        for logits in [[1e4, -1e4, -1e4], [-1e4, 1e4, 1e4], [1e30, 1e30, 1e30]] {
            let score = score([Logits(logits).margin(); VIEWS], &fusion([3.0; VIEWS], 2.0));
            assert!((0.0..=1.0).contains(&score), "{logits:?}");
        }
    }
}
