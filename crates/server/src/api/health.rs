//! `GET /healthz` and `GET /readyz`, for load balancers and orchestrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livecheck_contract::Health;

use crate::app::{App, Now};
use crate::observability::telemetry;

/// The process is up.
pub(crate) async fn healthz() -> Response {
    Json(Health {
        status: "ok",
        log: None,
    })
    .into_response()
}

/// The server can judge: models loaded and tested, photos being judged and connections taken, store
/// reachable, not stopping.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let status = match app.phase.now() {
        Now::Starting => "starting",
        Now::Draining => "draining",
        Now::Ready if app.pool.stalled_for(app.config.times.judge_timeout) => {
            tracing::warn!("not ready: no thread has finished a photo within judge_timeout");
            "judging stalled"
        }
        Now::Ready if app.connections.is_full() => "connections full",
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
    let log = telemetry::is_stalled().then_some("stalled");
    (code, Json(Health { status, log })).into_response()
}
