//! The figures, each defined where it is a field; shares are 0 to 1.

use std::collections::BTreeMap;

use livecheck_engine::Rate;
use serde::{Deserialize, Serialize};

/// A figure that is no share of a count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// 95 % interval of the bootstrap over subjects.
    pub bootstrap: Option<(f64, f64)>,
}

/// A share of a count, with the exact interval (which takes every photo for a draw of its own) and
/// the one of the bootstrap (which draws people, and is the wider the more their photos resemble
/// one another).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Counts and Clopper-Pearson interval.
    #[serde(flatten)]
    pub rate: Rate,
    /// 95 % interval of the bootstrap over subjects.
    pub bootstrap: Option<(f64, f64)>,
}

/// How many presentations of a class got a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Responses {
    /// All presentations.
    pub presented: u64,
    /// Those with a verdict: what APCER and BPCER are counted over.
    pub responded: u64,
    /// Share without one: the BPNRR of bona fide presentations, the APNRR of a species.
    pub non_response: Rate,
    /// Those without one by error code.
    pub by_code: BTreeMap<String, u64>,
}

/// What holds for one PAI species at every threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Species {
    /// How many got a verdict.
    pub responses: Responses,
    /// Area under the ROC curve against all bona fide presentations.
    pub auc: Option<Estimate>,
    /// Detection equal error rate.
    pub d_eer: Option<Estimate>,
}

/// The worst species.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Its name.
    pub species: String,
    /// Its APCER.
    pub apcer: f64,
}

/// Error rates at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtThreshold {
    /// From this score on a presentation is classified as bona fide.
    pub threshold: f64,
    /// Bona fide presentations classified as attacks, of those with a verdict.
    pub bpcer: Share,
    /// Attacks classified as bona fide, of those with a verdict, by species.
    pub apcer: BTreeMap<String, Share>,
    /// The highest of them.
    pub worst: Option<Worst>,
    /// Bona fide presentations that did not pass, refused or without a verdict, of all presented:
    /// what users notice.
    pub bona_fide_turned_away: Rate,
    /// Attacks that passed, of all presented, by species.
    pub attacks_let_in: BTreeMap<String, Rate>,
}

/// Error rates at the highest threshold that keeps a BPCER.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtBpcer {
    /// The BPCER allowed.
    pub bpcer: f64,
    /// That threshold.
    pub threshold: f64,
    /// APCER by species.
    pub apcer: BTreeMap<String, Share>,
    /// The highest of them.
    pub worst: Option<Worst>,
    /// Attacks of all species together.
    pub all_attacks: Share,
}

/// Error rates at the lowest threshold at which no species' APCER is above a rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtApcer {
    /// The APCER allowed.
    pub apcer: f64,
    /// BPCER there; at 10, 5 and 1 % the BPCER10, BPCER20 and BPCER100 of the standard.
    pub bpcer: Share,
}

/// Counts of scores in equal bins from 0 to 1; the last one holds 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Bona fide presentations.
    pub bona_fide: Vec<u64>,
    /// Attacks by species.
    pub attacks: BTreeMap<String, Vec<u64>>,
}

/// Error rates at a threshold, without intervals, for drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The threshold.
    pub threshold: f64,
    /// BPCER there.
    pub bpcer: f64,
    /// APCER there, by species.
    pub apcer: BTreeMap<String, f64>,
}

/// One bin of the reliability diagram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Mean score in the bin.
    pub mean_score: f64,
    /// Share of bona fide presentations in it.
    pub bona_fide: Rate,
}

/// Whether a score can be read as a probability (DeGroot and Fienberg 1983).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Bins that hold something.
    pub bins: Vec<ReliabilityBin>,
    /// Mean distance of mean score and share, weighted by the counts of the bins.
    pub expected_calibration_error: f64,
}

/// Everything measured on one group of presentations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// People, each counted once within a source.
    pub subjects: u64,
    /// Presentations whose subject is not told: each counts as a subject of its own in the
    /// bootstrap, which makes its intervals too narrow.
    pub without_subject: u64,
    /// Bona fide presentations.
    pub bona_fide: Responses,
    /// Attacks by species.
    pub attacks: BTreeMap<String, Species>,
    /// Area under the ROC curve, all attacks together.
    pub auc: Option<Estimate>,
    /// Detection equal error rate, all attacks together.
    pub d_eer: Option<Estimate>,
    /// At 1, 5 and 10 % BPCER.
    pub at_bpcer: Vec<AtBpcer>,
    /// At 1, 5 and 10 % APCER.
    pub at_apcer: Vec<AtApcer>,
    /// At the thresholds asked for.
    pub at_threshold: Vec<AtThreshold>,
    /// Where the scores lie.
    pub histogram: Histogram,
    /// Errors over the threshold.
    pub curve: Vec<CurvePoint>,
    /// Pairs of APCER and BPCER of the DET curve, by species and for all attacks.
    pub det: BTreeMap<String, Vec<(f64, f64)>>,
    /// Whether the score can be read as a probability.
    pub reliability: Reliability,
}

impl Figures {
    /// The figures at a threshold that was asked for.
    #[must_use]
    pub fn at(&self, threshold: f64) -> Option<&AtThreshold> {
        self.at_threshold
            .iter()
            .find(|at| at.threshold == threshold)
    }
}
