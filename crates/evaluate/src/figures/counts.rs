//! Counts and shares.

/// `None` for the NaN of an empty class.
pub(super) fn known(share: f64) -> Option<f64> {
    share.is_finite().then_some(share)
}

/// A sum of weights that are all 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count"
)]
pub(super) fn whole(sum: f64) -> u64 {
    sum.round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(super) fn share_of(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
