//! The bodies of answers.

use serde::Serialize;

use crate::error_code::ErrorCode;

/// The body of every failed request. `F` is one finding.
///
/// ```
/// use livecheck_contract::{ErrorCode, Failure};
///
/// let failure: Failure<()> = Failure::new(ErrorCode::FaceMask, "a face covering was found");
/// assert_eq!(failure.error_code, "052");
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct Failure<F> {
    /// Always `false`.
    pub success: bool,
    /// The three digits of the error.
    pub error_code: &'static str,
    /// The fixed text of the error code.
    pub error_message: &'static str,
    /// One plain sentence about this very request, with the figures.
    pub error_detail: String,
    /// What a person could improve; only when details were asked for and there was a photo to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<F>>,
    /// Only with sandbox keys.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

impl<F> Failure<F> {
    /// The body for a code, without findings.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            success: false,
            error_code: code.code(),
            error_message: code.message(),
            error_detail: detail.into(),
            findings: None,
            sandbox: false,
        }
    }
}

/// The body of an opened session.
#[derive(Debug, Serialize)]
pub struct Session {
    /// Always `true`.
    pub success: bool,
    /// 32 characters of base64url: the value of the header `x-session-token`.
    pub session_token: String,
    /// Only with sandbox keys.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

/// The body of `/healthz` and `/readyz`.
#[derive(Debug, Serialize)]
pub struct Health {
    /// `ok`, `starting`, `draining` or `store unavailable`.
    pub status: &'static str,
    /// Present only if nobody reads the log, which readiness doesn't depend on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<&'static str>,
}
