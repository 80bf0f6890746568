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
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};

use crate::app::App;

/// What runs here.
#[derive(Serialize, ToSchema)]
pub(super) struct Version<'a> {
    name: &'static str,
    version: &'static str,
    models: &'static [ModelInfo],
    runtime: RuntimeInfo,
    #[schema(schema_with = library, required)]
    library: Option<RuntimeLibrary>,
    thresholds: Thresholds,
    limits: Limits,
    /// Name of the preset in force, or null.
    #[schema(value_type = Option<String>, required)]
    preset: Option<Preset>,
    presets: Vec<PresetBody>,
    #[schema(schema_with = calibration, required)]
    calibration: Option<&'a CalibrationFile>,
}

/// A named set of thresholds, and what it was measured at without any calibration.
#[derive(Serialize, ToSchema)]
#[schema(as = MeasuredPreset)]
struct PresetBody {
    preset: Preset,
    thresholds: Thresholds,
    /// Error rates on each set of photos; empty when this build's models were not measured.
    measured: &'static [SourceFigures],
}

fn library() -> ObjectBuilder {
    object_or_null(
        "`path` and `sha256` of the shared library that the runtime was loaded from; null with the embedded one.",
    )
}

fn calibration() -> ObjectBuilder {
    object_or_null(
        "The file behind the setting `calibration`, as `livecheck calibrate` wrote it; null when scores are the shipped ones.",
    )
}

/// An object whose fields are another document's matter, or null.
fn object_or_null(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .description(Some(description))
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
