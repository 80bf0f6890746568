//! `GET /metrics`, for Prometheus.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::ApiError;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn show(app: &App, scores: bool) -> Result<Response, ApiError> {
    let mut text = app
        .metrics
        .render(&app.pool, &app.uploads, app.clock.monotonic(), scores)
        .map_err(|error| {
            tracing::error!(%error, "the metrics could not be written");
            ApiError::internal()
        })?;
    // It may lie unread for a while.
    text.shrink_to_fit();
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
