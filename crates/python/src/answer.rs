//! The outcome of one photo as a Python object.

use livecheck_contract::{ErrorCode, FileName, Row};
use livecheck_engine::{Rejection, Verdict};
use pyo3::prelude::*;

/// The outcome of one photo: a verdict, or the error code that says why there is none.
#[pyclass(frozen, eq, module = "livecheck_engine")]
#[derive(PartialEq)]
pub(crate) struct Answer {
    row: Row,
    review: bool,
}

impl Answer {
    pub(crate) fn new(outcome: &Result<Verdict, Rejection>) -> Self {
        Self {
            row: row(None, outcome),
            review: outcome.as_ref().is_ok_and(|verdict| {
                let thresholds = &verdict.details.thresholds;
                thresholds.needs_review(verdict.score)
            }),
        }
    }
}

/// The outcome as a row.
pub(crate) fn row(name: Option<FileName>, outcome: &Result<Verdict, Rejection>) -> Row {
    let outcome = match outcome {
        Ok(verdict) => Ok((verdict.live, verdict.score)),
        Err(rejection) => {
            let code = ErrorCode::from_digits(rejection.code()).unwrap_or(ErrorCode::Internal);
            Err((code, rejection.to_string()))
        }
    };
    Row::new(name, outcome)
}

#[pymethods]
impl Answer {
    /// Whether there is a verdict.
    #[getter]
    fn success(&self) -> bool {
        self.row.success
    }

    /// Whether the face is a live person's; ``None`` without a verdict.
    #[getter]
    fn liveness(&self) -> Option<bool> {
        self.row.liveness
    }

    /// Calibrated confidence, 0 to 1, that the face is a live person's; ``None`` without a verdict.
    #[getter]
    fn score(&self) -> Option<f32> {
        self.row.score
    }

    /// Whether the score lies between ``review_threshold`` and ``liveness_threshold``.
    #[getter]
    fn review(&self) -> bool {
        self.review
    }

    /// Three digits, such as ``"051"``; ``None`` with a verdict.
    #[getter]
    fn error_code(&self) -> Option<&'static str> {
        self.row.error_code
    }

    /// The text that goes with the code; ``None`` with a verdict.
    #[getter]
    fn error_message(&self) -> Option<&'static str> {
        self.row.error_message
    }

    /// Why there is no verdict, in one sentence with the figures; ``None`` with a verdict.
    #[getter]
    fn error_detail(&self) -> Option<&str> {
        self.row.error_detail.as_deref()
    }

    fn __repr__(&self) -> String {
        let Row {
            liveness,
            score,
            error_code,
            error_detail,
            ..
        } = &self.row;
        match (liveness, score) {
            (Some(live), Some(score)) => {
                let live = if *live { "True" } else { "False" };
                let review = if self.review { ", review=True" } else { "" };
                format!("Answer(liveness={live}, score={score}{review})")
            }
            _ => format!(
                "Answer(error_code={:?}, error_detail={:?})",
                error_code.unwrap_or_default(),
                error_detail.as_deref().unwrap_or_default()
            ),
        }
    }
}
