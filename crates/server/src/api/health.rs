//! `GET /healthz` and `GET /readyz`, for load balancers and orchestrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use livecheck_contract::{Health, HealthStatus, LogStatus};

use crate::app::{App, Now};
use crate::observability::telemetry;

/// The process is up.
pub(crate) async fn healthz() -> Response {
    Json(Health {
        status: HealthStatus::Ok,
        log: None,
    })
    .into_response()
}

/// The server can judge: models loaded and tested, photos being judged and connections taken, store
/// reachable, not stopping.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let status = match app.phase.now() {
        Now::Starting => HealthStatus::Starting,
        Now::Draining => HealthStatus::Draining,
        Now::Ready if app.pool.stalled_for(app.config.times.judge_timeout) => {
            tracing::warn!("not ready: no thread has finished a photo within judge_timeout");
            HealthStatus::JudgingStalled
        }
        Now::Ready if app.connections.is_full() => HealthStatus::ConnectionsFull,
        Now::Ready => match app.store.ping().await {
            Ok(()) => HealthStatus::Ok,
            Err(error) => {
                app.metrics.store_failed();
                tracing::warn!(%error, "not ready");
                HealthStatus::StoreUnavailable
            }
        },
    };
    let code = if status == HealthStatus::Ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let log = telemetry::is_stalled().then_some(LogStatus::Stalled);
    (code, Json(Health { status, log })).into_response()
}
