//! Exact intervals of shares.

use livecheck_engine::Rate;
use statrs::function::beta::beta_reg;

/// Confidence of every interval, two-sided.
pub const CONFIDENCE: f64 = 0.95;

/// Halvings of the interval in which an end is searched: more than an `f64` has digits.
const HALVINGS: u32 = 60;

/// The interval of Clopper and Pearson (1934) for a share, two-sided at 95 %: `(lower, upper)`.
/// Without any trial it is 0 to 1.
///
/// # Panics
/// When `errors` is more than `of`.
#[must_use]
pub fn clopper_pearson(errors: u64, of: u64) -> (f64, f64) {
    assert!(errors <= of, "{errors} errors in {of} trials");
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let (wrong, right) = (count(errors), count(of - errors));
    let lower = match errors {
        0 => 0.0,
        _ => beta_quantile(wrong, right + 1.0, tail),
    };
    let upper = if errors == of {
        1.0
    } else {
        beta_quantile(wrong + 1.0, right, 1.0 - tail)
    };
    (lower, upper)
}

/// A share with its counts and interval.
///
/// # Panics
/// As [`clopper_pearson`].
#[must_use]
pub fn rate(errors: u64, of: u64) -> Rate {
    let (lower, upper) = clopper_pearson(errors, of);
    let rate = if of == 0 {
        0.0
    } else {
        count(errors) / count(of)
    };
    Rate {
        errors,
        of,
        rate,
        lower,
        upper,
    }
}

/// Where the distribution function of the beta distribution reaches `probability`, by halving: it
/// rises everywhere, so this finds it to the last digit whatever the parameters.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if beta_reg(a, b, middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn intervals_from_tables() {
        for (errors, of, lower, upper) in [
            (0, 10, 0.0, 0.3085),
            (10, 10, 0.6915, 1.0),
            (1, 20, 0.0013, 0.2487),
            (50, 100, 0.3983, 0.6017),
            (0, 100, 0.0, 0.0362),
        ] {
            let found = clopper_pearson(errors, of);
            assert!(
                (found.0 - lower).abs() < 5e-5 && (found.1 - upper).abs() < 5e-5,
                "{errors} of {of}: {found:?}"
            );
        }
        // Closed forms: (tail)^(1/n) and its complement.
        let (lower, upper) = clopper_pearson(7, 7);
        assert!((lower - 0.025f64.powf(1.0 / 7.0)).abs() < 1e-12 && upper == 1.0);
        let (lower, upper) = clopper_pearson(0, 7);
        assert!((upper - (1.0 - 0.025f64.powf(1.0 / 7.0))).abs() < 1e-12 && lower == 0.0);
    }

    #[test]
    fn without_trials_nothing_is_known() {
        let rate = rate(0, 0);
        assert_eq!((rate.rate, rate.lower, rate.upper), (0.0, 0.0, 1.0));
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share_and_mirrors(of in 1u64..3000, share in 0.0f64..=1.0) {
            let errors = ((of as f64) * share) as u64;
            let (lower, upper) = clopper_pearson(errors, of);
            let rate = errors as f64 / of as f64;
            prop_assert!(0.0 <= lower && lower <= rate && rate <= upper && upper <= 1.0);
            let (other_lower, other_upper) = clopper_pearson(of - errors, of);
            prop_assert!((lower - (1.0 - other_upper)).abs() < 1e-9);
            prop_assert!((upper - (1.0 - other_lower)).abs() < 1e-9);
        }

        #[test]
        fn more_trials_narrow_it(errors in 0u64..50, of in 50u64..500) {
            let (lower, upper) = clopper_pearson(errors, of);
            let (more_lower, more_upper) = clopper_pearson(errors * 4, of * 4);
            prop_assert!(more_upper - more_lower < upper - lower);
        }
    }
}
