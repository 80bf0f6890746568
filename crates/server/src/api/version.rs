//! `GET /version`: what runs here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use livecheck_engine::{
    CalibrationFile, Limits, ModelInfo, OperatingPoints, Preset, RuntimeInfo, RuntimeLibrary,
    SourceFigures, Thresholds,
};
use serde::Serialize;

use crate::app::App;

#[derive(Serialize)]
struct Version<'a> {
    name: &'static str,
    version: &'static str,
    models: &'static [ModelInfo],
    runtime: RuntimeInfo,
    /// The shared library behind it.
    library: Option<RuntimeLibrary>,
    thresholds: Thresholds,
    limits: Limits,
    /// The preset in force.
    preset: Option<Preset>,
    presets: Vec<PresetBody>,
    /// The user's own calibration in force.
    calibration: Option<&'a CalibrationFile>,
}

/// A preset and what it was measured at, without any calibration of the user's.
#[derive(Serialize)]
struct PresetBody {
    preset: Preset,
    thresholds: Thresholds,
    /// Empty when this build's models were not measured.
    measured: &'static [SourceFigures],
}

pub(crate) async fn show(State(app): State<Arc<App>>) -> Response {
    let engine = app.judge.config();
    Json(Version {
        name: "livecheck",
        version: env!("CARGO_PKG_VERSION"),
        models: app.judge.models(),
        runtime: app.judge.runtime(),
        library: app.judge.library(),
        thresholds: engine.thresholds,
        limits: engine.limits,
        preset: app.config.engine.preset,
        presets: Preset::ALL
            .into_iter()
            .map(|preset| PresetBody {
                preset,
                thresholds: preset.thresholds(),
                measured: OperatingPoints::shipped()
                    .and_then(|points| points.of(preset))
                    .map_or(&[], |figures| &figures.measured),
            })
            .collect(),
        calibration: app.calibration.as_ref(),
    })
    .into_response()
}
