//! `GET /healthz` and `GET /readyz`, for load balancers and orchestrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livecheck_contract::Health;

use crate::app::{App, Now};

/// The process is up.
pub(crate) async fn healthz() -> Response {
    Json(Health { status: "ok" }).into_response()
}

/// The server can judge: models loaded and tested, store reachable, not stopping.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let status = match app.phase.now() {
        Now::Starting => "starting",
        Now::Draining => "draining",
        Now::Ready => match app.store.ping().await {
            Ok(()) => "ok",
            Err(error) => {
                app.metrics.store_failed();
                tracing::warn!(%error, "not ready");
                "store unavailable"
            }
        },
    };
    let code = if status == "ok" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(Health { status })).into_response()
}
