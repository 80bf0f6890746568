//! Scores from 0 to 1 and their logits.

/// ln(score / (1 - score)).
pub(crate) fn logit(score: f64) -> f64 {
    (score / (1.0 - score)).ln()
}

/// The score of a logit.
pub(crate) fn score(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}
