//! Named sets of thresholds, and the error rates they were measured at.
//!
//! The figures are those of `models/operating-points.json`, which
//! `livecheck evaluate --operating-points` writes; they are never typed by hand.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{
    calibration::{Rate, ScoreSource, score_sources},
    policy::{Limits, Thresholds},
};

/// A named set of thresholds.
///
/// ```
/// use livecheck_engine::Preset;
///
/// assert_eq!(Preset::from_name("strict"), Some(Preset::Strict));
/// assert_eq!(Preset::from_name("lax"), None);
/// assert!(Preset::Strict.thresholds().liveness > Preset::Balanced.thresholds().liveness);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(description = "A named set of thresholds.")
)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// For when rejecting live people is costly: few are rejected, and more attacks pass.
    Convenience,
    /// The defaults.
    Balanced,
    /// For when accepting attacks is costly: fewer pass, and more live people are rejected.
    Strict,
}

impl Preset {
    /// From the most to the least lenient.
    pub const ALL: [Self; 3] = [Self::Convenience, Self::Balanced, Self::Strict];

    /// As in the setting `preset`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Convenience => "convenience",
            Self::Balanced => "balanced",
            Self::Strict => "strict",
        }
    }

    /// The preset of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Its thresholds: `balanced` and `strict` are the product's 0.90 and 0.95, and
    /// `training/README.md` ("The convenience preset") says how that of `convenience` is chosen.
    ///
    /// The face and mask thresholds say which photos can be judged at all, not how strict the
    /// judgement is, and are the defaults in all of them.
    #[must_use]
    pub fn thresholds(self) -> Thresholds {
        let liveness = match self {
            Self::Convenience => 0.75,
            Self::Balanced => return Thresholds::default(),
            Self::Strict => 0.95,
        };
        Thresholds {
            liveness,
            ..Thresholds::default()
        }
    }
}

/// What the presets were measured at, and on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoints {
    /// What the scores were made with.
    pub models: Vec<ScoreSource>,
    /// The command that repeats the measurement.
    pub command: String,
    /// The limits in force while measuring.
    pub limits: Limits,
    /// The presentations measured on.
    pub data: Vec<Dataset>,
    /// One for each [`Preset`], in their order.
    pub presets: Vec<PresetFigures>,
}

/// One source of presentations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its name.
    pub source: String,
    /// SHA-256 over the names and labels of its photos, lower-case hexadecimal.
    pub labels_sha256: String,
    /// Bona fide presentations.
    pub bona_fide: u64,
    /// Attacks by kind.
    pub attacks: BTreeMap<String, u64>,
    /// People.
    pub subjects: u64,
}

/// A preset and its error rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresetFigures {
    /// Which one.
    pub preset: Preset,
    /// Its thresholds.
    pub thresholds: Thresholds,
    /// Error rates on each source.
    pub measured: Vec<SourceFigures>,
}

/// Error rates on one source, as ISO/IEC 30107-3 defines them: over the presentations that got a
/// verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SourceFigures {
    /// Name of the source.
    pub source: String,
    /// Bona fide presentations classified as attacks: BPCER.
    pub bpcer: Rate,
    /// Attacks classified as bona fide, by kind: APCER.
    pub apcer: BTreeMap<String, Rate>,
    /// Presentations without a verdict, bona fide ones and attacks together.
    pub no_response: Rate,
}

impl OperatingPoints {
    /// The figures of this build; `None` when they were measured with other models.
    #[must_use]
    pub fn shipped() -> Option<&'static Self> {
        static SHIPPED: LazyLock<Option<OperatingPoints>> = LazyLock::new(|| {
            let points: OperatingPoints =
                serde_json::from_str(include_str!("../models/operating-points.json")).ok()?;
            (points.models == score_sources()).then_some(points)
        });
        SHIPPED.as_ref()
    }

    /// The figures of one preset.
    #[must_use]
    pub fn of(&self, preset: Preset) -> Option<&PresetFigures> {
        self.presets.iter().find(|figures| figures.preset == preset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_this_build_and_of_these_thresholds() {
        let points = OperatingPoints::shipped().expect(
            "models/operating-points.json was measured with other models: training/README.md, \"After an export\", says how to measure again",
        );
        for preset in Preset::ALL {
            let figures = points.of(preset).expect("every preset is measured");
            assert_eq!(figures.thresholds, preset.thresholds(), "{preset:?}");
            assert_eq!(figures.measured.len(), points.data.len());
            for (source, data) in figures.measured.iter().zip(&points.data) {
                assert_eq!(source.source, data.source);
                let attacks: u64 = data.attacks.values().sum();
                assert_eq!(source.no_response.of, data.bona_fide + attacks);
                let judged: u64 = source.apcer.values().map(|rate| rate.of).sum();
                assert_eq!(
                    judged + source.bpcer.of + source.no_response.errors,
                    source.no_response.of
                );
            }
        }
    }

    #[test]
    fn from_the_most_to_the_least_lenient() {
        let thresholds = Preset::ALL.map(|preset| preset.thresholds().liveness);
        assert!(thresholds.is_sorted_by(|a, b| a < b), "{thresholds:?}");
        assert_eq!(Preset::Balanced.thresholds(), Thresholds::default());
        for preset in Preset::ALL {
            assert_eq!(Preset::from_name(preset.name()), Some(preset));
            preset.thresholds().validate().expect("in range");
        }
    }
}
