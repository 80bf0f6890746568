//! A failed request as the client sees it: always the envelope
//! `{"success": false, "error_code", "error_message", "error_detail"}`.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use livecheck_contract::{ErrorCode, Failure};
use livecheck_engine::{Finding, Rejection};
use livecheck_store::StoreError;
use livecheck_upload::UploadError;

use crate::http::upload::ReadError;

/// How long a client should wait when the server is overloaded, starting or stopping.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// How long a client should wait when the database is away.
const RETRY_STORE: Duration = Duration::from_secs(3);

/// Marks an answer whose body lies in memory once, however many clients are reading it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared;

/// A request that failed.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    code: ErrorCode,
    status: StatusCode,
    detail: String,
    /// Whether the detail repeats words of the request, which the log must not: a client may have put
    /// its key or its photo in the wrong place.
    quotes: bool,
    retry_after: Option<Duration>,
    /// What a person could improve, when somebody asked for details.
    findings: Option<Vec<Finding>>,
    /// Whether the request's key is a sandbox key.
    sandbox: bool,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: StatusCode::from_u16(code.http_status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            detail: detail.into(),
            quotes: false,
            retry_after: None,
            findings: None,
            sandbox: false,
        }
    }

    pub(crate) fn in_sandbox(mut self, sandbox: bool) -> Self {
        self.sandbox = sandbox;
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn quoting(mut self) -> Self {
        self.quotes = true;
        self
    }

    pub(crate) fn with_findings(mut self, findings: Option<Vec<Finding>>) -> Self {
        self.findings = findings;
        self
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// `005` for a defect of ours; the reason goes to the log, not to the client.
    pub(crate) fn internal() -> Self {
        Self::new(
            ErrorCode::Internal,
            "the server failed on this request; its log has the reason under the request id",
        )
    }

    /// `005` with 503 and `Retry-After`.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, detail)
            .with_status(StatusCode::SERVICE_UNAVAILABLE)
            .retry_after(RETRY_SOON)
    }

    /// Unknown path.
    pub(crate) fn not_found(path: &str) -> Self {
        let shown: String = path.chars().take(80).collect();
        Self::new(
            ErrorCode::BadRequest,
            format!("there is nothing at {shown}"),
        )
        .with_status(StatusCode::NOT_FOUND)
        .quoting()
    }

    /// Known path, wrong method; the router adds `Allow`.
    pub(crate) fn method_not_allowed(method: &str) -> Self {
        let shown: String = method.chars().take(20).collect();
        Self::new(
            ErrorCode::BadRequest,
            format!(
                "the method {shown} is not allowed here; the Allow header lists those that are"
            ),
        )
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
        .quoting()
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    /// The detail as the log may have it.
    pub(crate) fn logged_detail(&self) -> &str {
        if self.quotes {
            "(not logged: it quotes the request)"
        } else {
            &self.detail
        }
    }

    pub(crate) fn body(&self) -> Failure<Finding> {
        Failure {
            findings: self.findings.clone(),
            sandbox: self.sandbox,
            ..Failure::new(self.code, &self.detail)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up: a client that waits that long waited long enough.
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let detail = error.to_string();
        match error {
            UploadError::FileTooLarge { .. } | UploadError::BodyTooLarge { .. } => {
                Self::new(ErrorCode::ImageTooLarge, detail)
            }
            UploadError::UnsupportedMediaType(_) => Self::new(ErrorCode::BadRequest, detail)
                .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .quoting(),
            UploadError::Malformed(_) => Self::new(ErrorCode::BadRequest, detail),
            UploadError::NotBase64(_) => Self::new(ErrorCode::UnreadableImage, detail),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        let detail = error.to_string();
        match error {
            ReadError::Upload(error) => error.into(),
            ReadError::TooSlow(_) => {
                Self::new(ErrorCode::BadRequest, detail).with_status(StatusCode::REQUEST_TIMEOUT)
            }
            ReadError::Broken => Self::new(ErrorCode::BadRequest, detail),
            ReadError::NoMemory => Self::unavailable(detail),
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        // Unknown digits would be a bug in our own table.
        let code = ErrorCode::from_digits(rejection.code()).unwrap_or(ErrorCode::Internal);
        Self::new(code, rejection.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let StoreError::Unavailable(_) = error {
            tracing::error!(%error, "store");
            Self::unavailable("the key and session database is not available: try again shortly")
                .retry_after(RETRY_STORE)
        } else {
            tracing::error!(%error, "store");
            Self::internal()
        }
    }
}
