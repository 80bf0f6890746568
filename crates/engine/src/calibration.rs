//! The user's own calibration: a logistic map over the shipped score, and the file it comes in.
//!
//! `livecheck calibrate` writes the file; `crates/evaluate/src/calibrate.rs` says how it is fitted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{error::EngineError, inference, liveness, odds};

/// Maps the logit of the shipped score to the score of the API:
/// `score = sigmoid(slope · logit + intercept)`. The default leaves the score as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreCalibration {
    /// Above 0: a calibration never changes which of two faces looks more alive.
    pub slope: f64,
    /// In logits.
    pub intercept: f64,
}

impl Default for ScoreCalibration {
    fn default() -> Self {
        Self {
            slope: 1.0,
            intercept: 0.0,
        }
    }
}

impl ScoreCalibration {
    /// The score, 0 to 1, of a shipped logit.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a probability")]
    pub fn score(&self, logit: f64) -> f32 {
        let logit = self.slope * logit + self.intercept;
        odds::score(logit) as f32
    }

    /// Checks that the map is finite and rising.
    ///
    /// # Errors
    /// [`EngineError::Setting`] names the number that is not.
    pub fn validate(&self) -> Result<(), EngineError> {
        let wrong = |setting, value: f64, allowed| {
            Err(EngineError::Setting {
                setting,
                value: value.to_string(),
                allowed,
            })
        };
        if !(self.slope > 0.0 && self.slope.is_finite()) {
            return wrong("the slope of the calibration", self.slope, "above 0");
        }
        if !self.intercept.is_finite() {
            return wrong(
                "the intercept of the calibration",
                self.intercept,
                "a finite number",
            );
        }
        Ok(())
    }
}

/// A share with its counts and its 95 % interval (Clopper-Pearson, two-sided).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rate {
    /// How many went wrong.
    pub errors: u64,
    /// Of how many.
    pub of: u64,
    /// `errors / of`, 0 to 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub rate: f64,
    /// Lower end of the interval, 0 to 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub lower: f64,
    /// Upper end of the interval, 0 to 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub upper: f64,
}

/// Something that a score depends on, with its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreSource {
    /// Name of the model, or `liveness-fusion` for the numbers that join the nets' answers.
    pub name: String,
    /// SHA-256 of its file, lower-case hexadecimal.
    pub sha256: String,
}

/// Everything that the score of a face depends on: the nets that find and judge it and the
/// numbers that join their answers. Figures and calibrations hold for these alone.
#[must_use]
pub fn score_sources() -> Vec<ScoreSource> {
    let fusion = Sha256::digest(liveness::FUSION.as_bytes());
    inference::infos()
        .iter()
        // Decides whether a face is judged at all, not how alive it looks.
        .filter(|model| model.name != inference::FACE_MASK.name)
        .map(|model| ScoreSource {
            name: model.name.to_owned(),
            sha256: model.sha256.to_owned(),
        })
        .chain([ScoreSource {
            name: "liveness-fusion".to_owned(),
            sha256: hex::encode(fusion),
        }])
        .collect()
}

/// What `format` says in a calibration file.
const FORMAT: &str = "livecheck-calibration";

/// The version of the file's format that this build writes and reads.
const VERSION: u32 = 1;

/// A calibration with what it was made from, as `livecheck calibrate` writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationFile {
    /// `"livecheck-calibration"`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// What the scores were made with.
    pub made_for: Vec<ScoreSource>,
    /// When it was made, as its maker wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Name of the manifest or folder.
    pub data: String,
    /// SHA-256 over the names and labels of the photos, lower-case hexadecimal.
    pub data_sha256: String,
    /// The map.
    pub calibration: ScoreCalibration,
    /// What was asked for: which error rate a score of 0.90 stands for.
    pub asked: OperatingPoint,
    /// What it was fitted to.
    pub counts: CalibrationCounts,
    /// Cross-validated figures at a threshold of 0.90.
    pub measured: Vec<MeasuredPoint>,
    /// How `measured` was measured, in words.
    pub method: String,
}

/// The operating point that a calibration puts at 0.90.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperatingPoint {
    /// At most this share of bona fide presentations is refused, 0 to 1.
    Bpcer(f64),
    /// At most this share of the attacks of each kind passes, 0 to 1.
    Apcer(f64),
}

/// How much a calibration was fitted to; those without a score are not among the first three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationCounts {
    /// Bona fide presentations with a score.
    pub bona_fide: u64,
    /// Attacks with a score, by kind.
    pub attacks: BTreeMap<String, u64>,
    /// People; each photo counts as one of its own when the data names none.
    pub subjects: u64,
    /// Presentations without a score (an error code instead).
    pub no_response: u64,
}

/// Error rates at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredPoint {
    /// Of the calibrated score, 0 to 1.
    pub threshold: f64,
    /// Bona fide presentations refused.
    pub bpcer: Rate,
    /// Attacks that passed, by kind.
    pub apcer: BTreeMap<String, Rate>,
}

/// Why a calibration file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// It is not one.
    #[error("this is not a calibration file: {0}")]
    NotOne(String),
    /// Another version's.
    #[error(
        "its format has version {found}; this program reads version {VERSION}: make it again with `livecheck calibrate`"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// Made with other models.
    #[error(
        "it was made for other models ({0}), and the scores of this version mean something else: make it again with `livecheck calibrate`"
    )]
    OtherModels(String),
    /// Its numbers are out of range.
    #[error(transparent)]
    Range(EngineError),
}

impl CalibrationFile {
    /// A file for the models of this build.
    #[must_use]
    pub fn new(
        data: String,
        data_sha256: String,
        calibration: ScoreCalibration,
        asked: OperatingPoint,
        counts: CalibrationCounts,
        measured: Vec<MeasuredPoint>,
        method: String,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_for: score_sources(),
            date: None,
            data,
            data_sha256,
            calibration,
            asked,
            counts,
            measured,
            method,
        }
    }

    /// Reads a file and checks that it was made for the models of this build.
    ///
    /// # Errors
    /// It is none, of another version, made for other models, or out of range.
    pub fn parse(text: &str) -> Result<Self, CalibrationError> {
        /// What is looked at first, so that a newer version is told from a broken file.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let not_one = |error: serde_json::Error| CalibrationError::NotOne(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(not_one)?;
        if head.format != FORMAT {
            return Err(CalibrationError::NotOne(format!(
                "its format is {:?}, not {FORMAT:?}",
                head.format
            )));
        }
        if head.version != VERSION {
            return Err(CalibrationError::Version {
                found: head.version,
            });
        }
        let file: Self = serde_json::from_str(text).map_err(not_one)?;
        let here = score_sources();
        let differing: Vec<&str> = here
            .iter()
            .filter(|own| !file.made_for.contains(own))
            .map(|own| own.name.as_str())
            .chain(
                file.made_for
                    .iter()
                    .filter(|other| here.iter().all(|own| own.name != other.name))
                    .map(|other| other.name.as_str()),
            )
            .collect();
        if !differing.is_empty() {
            return Err(CalibrationError::OtherModels(differing.join(", ")));
        }
        file.calibration
            .validate()
            .map_err(CalibrationError::Range)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> CalibrationFile {
        CalibrationFile::new(
            "photos".to_owned(),
            "00".to_owned(),
            ScoreCalibration {
                slope: 2.0,
                intercept: -1.0,
            },
            OperatingPoint::Bpcer(0.05),
            CalibrationCounts {
                bona_fide: 100,
                attacks: BTreeMap::from([("print".to_owned(), 50)]),
                subjects: 10,
                no_response: 1,
            },
            Vec::new(),
            "by hand".to_owned(),
        )
    }

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        let text = serde_json::to_string(&file()).expect("JSON");
        assert_eq!(CalibrationFile::parse(&text).expect("a file"), file());
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let mut other = file();
        other.made_for[0].sha256 = "0".repeat(64);
        let mut newer = file();
        newer.version = 2;
        let mut falling = file();
        falling.calibration.slope = 0.0;
        let mut extra = file();
        extra.made_for.push(ScoreSource {
            name: "a-third-net".to_owned(),
            sha256: String::new(),
        });
        let shown = |file: &CalibrationFile| serde_json::to_string(file).expect("JSON");
        for (text, words) in [
            ("{}".to_owned(), "not a calibration file"),
            ("[1, 2".to_owned(), "not a calibration file"),
            (r#"{"format": "x", "version": 1}"#.to_owned(), "\"x\""),
            (shown(&newer), "version 2"),
            (shown(&other), "other models (face-detector)"),
            (shown(&extra), "other models (a-third-net)"),
            (shown(&falling), "slope"),
        ] {
            let error = CalibrationFile::parse(&text).expect_err(words).to_string();
            assert!(error.contains(words), "{words} in {error}");
        }
    }

    #[test]
    fn the_neutral_calibration_is_the_sigmoid() {
        for (logit, score) in [(0.0, 0.5), (3f64.ln(), 0.75), (1e9, 1.0), (-1e9, 0.0)] {
            let found = ScoreCalibration::default().score(logit);
            assert!((found - score).abs() < 1e-6, "{logit}: {found}");
        }
    }

    #[test]
    fn the_score_rises_with_the_logit() {
        let calibration = ScoreCalibration {
            slope: 0.3,
            intercept: 2.0,
        };
        let scores: Vec<f32> = (-40i8..40)
            .map(|step| calibration.score(f64::from(step)))
            .collect();
        assert!(scores.is_sorted_by(|a, b| a < b));
    }
}
