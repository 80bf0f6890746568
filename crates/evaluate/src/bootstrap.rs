//! How far figures move when other people of the same kind had been measured: a bootstrap over
//! subjects (Efron 1979), percentile intervals.
//!
//! Photos of one person resemble each other, so drawing photos would make intervals too narrow;
//! whole subjects are drawn instead.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::interval::CONFIDENCE;

/// Least number of subjects for an interval: below, the resamples repeat one another.
pub const LEAST_SUBJECTS: usize = 5;

/// How a bootstrap is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of resamples; 0 for none.
    pub resamples: u32,
    /// Of the random numbers: the same seed gives the same intervals.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 1000,
            seed: 1,
        }
    }
}

impl Bootstrap {
    /// Intervals of `figures`, a function of how often each subject is drawn. A figure may be
    /// missing in a resample (`None`); those are left out of its interval. `None` for all when
    /// there are fewer than [`LEAST_SUBJECTS`] subjects.
    #[must_use]
    pub fn intervals(
        &self,
        subjects: usize,
        mut figures: impl FnMut(&[f64]) -> Vec<Option<f64>>,
    ) -> Vec<Option<(f64, f64)>> {
        let width = figures(&vec![1.0; subjects]).len();
        if subjects < LEAST_SUBJECTS || self.resamples == 0 {
            return vec![None; width];
        }
        let mut random = Pcg64Mcg::seed_from_u64(self.seed);
        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); width];
        let mut drawn = vec![0.0; subjects];
        for _ in 0..self.resamples {
            drawn.fill(0.0);
            for _ in 0..subjects {
                drawn[random.random_range(0..subjects)] += 1.0;
            }
            for (sample, figure) in samples.iter_mut().zip(figures(&drawn)) {
                sample.extend(figure.filter(|figure| figure.is_finite()));
            }
        }
        samples.into_iter().map(percentiles).collect()
    }
}

/// The middle 95 % of the values.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "indices of a list"
)]
fn percentiles(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let at = |share: f64| values[(share * last as f64).round() as usize];
    Some((at(tail), at(1.0 - tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean over subjects whose values are 0, 1, 2 …
    fn mean(weights: &[f64]) -> Vec<Option<f64>> {
        let total: f64 = weights.iter().sum();
        let sum: f64 = weights
            .iter()
            .zip(0u16..)
            .map(|(w, value)| w * f64::from(value))
            .sum();
        vec![Some(sum / total)]
    }

    #[test]
    fn the_interval_of_a_mean_is_about_two_standard_errors_wide() {
        let bootstrap = Bootstrap {
            resamples: 4000,
            seed: 7,
        };
        let (lower, upper) = bootstrap.intervals(50, mean)[0].expect("enough subjects");
        // Values 0 to 49: mean 24.5, standard deviation 14.43, standard error 2.04.
        assert!((lower - 20.5).abs() < 0.4, "{lower}");
        assert!((upper - 28.5).abs() < 0.4, "{upper}");
    }

    #[test]
    fn the_seed_decides_the_interval() {
        let interval = |seed| {
            Bootstrap {
                resamples: 200,
                seed,
            }
            .intervals(20, mean)
        };
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
    }

    #[test]
    fn too_few_subjects_give_no_interval() {
        let bootstrap = Bootstrap::default();
        assert_eq!(bootstrap.intervals(LEAST_SUBJECTS - 1, mean), [None]);
        assert!(bootstrap.intervals(LEAST_SUBJECTS, mean)[0].is_some());
    }
}
