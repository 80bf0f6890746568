//! The bodies of answers.

use serde::Serialize;

use crate::error_code::ErrorCode;
#[cfg(feature = "openapi")]
use crate::openapi::{ErrorMessage, False, True};

/// The answer to every request that failed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure<F> {
    /// Always `false`.
    #[cfg_attr(feature = "openapi", schema(value_type = False, inline))]
    pub success: bool,
    /// The three digits of the error.
    #[cfg_attr(feature = "openapi", schema(value_type = ErrorCode))]
    pub error_code: &'static str,
    /// The fixed text of the code.
    #[cfg_attr(feature = "openapi", schema(value_type = ErrorMessage, inline))]
    pub error_message: &'static str,
    /// One plain sentence about this very request, with the figures, such as
    /// `2 faces found (scores 0.98, 0.91)`.
    pub error_detail: String,
    /// Everything that a person could improve; only when details were asked for. None of it refuses
    /// a photo.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<F>>,
    /// Only with sandbox keys: no photo was judged.
    #[cfg_attr(feature = "openapi", schema(value_type = True, inline))]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

impl<F> Failure<F> {
    /// The body for a code, without findings.
    ///
    /// ```
    /// use livecheck_contract::{ErrorCode, Failure};
    ///
    /// let failure: Failure<()> = Failure::new(ErrorCode::FaceMask, "a face covering was found");
    /// assert_eq!(failure.error_code, "052");
    /// ```
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

/// A new session.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Always `true`.
    #[cfg_attr(feature = "openapi", schema(value_type = True, inline))]
    pub success: bool,
    /// The value of the header `x-session-token`.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 32, max_length = 32, pattern = "^[A-Za-z0-9_-]+$")
    )]
    pub session_token: String,
    /// Only with sandbox keys: no photo was judged.
    #[cfg_attr(feature = "openapi", schema(value_type = True, inline))]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

/// The state of the server: the body of `/healthz` and `/readyz`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// Whether the server can judge, and why not.
    pub status: HealthStatus,
    /// Only while nobody reads the log, which readiness doesn't depend on.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogStatus>,
}

/// Whether the server can judge, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum HealthStatus {
    /// It can.
    #[serde(rename = "ok")]
    Ok,
    /// The models are being loaded and tested.
    #[serde(rename = "starting")]
    Starting,
    /// The server is stopping: it answers what it has begun.
    #[serde(rename = "draining")]
    Draining,
    /// No thread has finished a photo in time.
    #[serde(rename = "judging stalled")]
    JudgingStalled,
    /// No connection is left.
    #[serde(rename = "connections full")]
    ConnectionsFull,
    /// The database of keys and sessions doesn't answer.
    #[serde(rename = "store unavailable")]
    StoreUnavailable,
}

/// What is wrong with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogStatus {
    /// Nobody reads it.
    Stalled,
}
