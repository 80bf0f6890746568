//! Traces for an OpenTelemetry collector, over OTLP and plain HTTP.

use std::sync::OnceLock;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::error::TelemetryError;

/// The name of the service and of what makes its spans.
const NAME: &str = "livecheck";

/// Kept for [`flush`]; the log of a process is set up once.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// A layer that sends every span to `endpoint`, in batches, on a thread of its own.
pub(super) fn layer<S>(endpoint: &str) -> Result<impl Layer<S> + use<S>, TelemetryError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| TelemetryError::Otlp(error.to_string()))?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(NAME).build())
        .build();
    let tracer = provider.tracer(NAME);
    if PROVIDER.set(provider).is_err() {
        return Err(TelemetryError::Twice);
    }
    Ok(tracing_opentelemetry::layer().with_tracer(tracer))
}

pub(super) fn flush() {
    if let Some(Err(error)) = PROVIDER.get().map(SdkTracerProvider::force_flush) {
        tracing::warn!(%error, "the last traces could not be sent");
    }
}
