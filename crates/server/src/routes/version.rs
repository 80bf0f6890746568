//! `GET /version`: what runs here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use livecheck_engine::{Limits, ModelInfo, Thresholds};
use serde::Serialize;

use crate::app::App;

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
    models: &'static [ModelInfo],
    thresholds: Thresholds,
    limits: Limits,
}

pub(crate) async fn show(State(app): State<Arc<App>>) -> Response {
    let engine = app.judge.config();
    Json(Version {
        name: "livecheck",
        version: env!("CARGO_PKG_VERSION"),
        models: app.judge.models(),
        thresholds: engine.thresholds,
        limits: engine.limits,
    })
    .into_response()
}
