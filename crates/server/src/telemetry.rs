//! The log, and traces for an OpenTelemetry collector. Spans carry the request id; no key, token
//! or image is ever logged.

#[cfg(feature = "otlp")]
mod otlp;

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Why the log could not be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// `log_level` is no filter.
    #[error("log_level is {value:?}, which is no log filter: {reason}")]
    Filter {
        /// The setting.
        value: String,
        /// What the parser said.
        reason: String,
    },
    /// The traces cannot be sent.
    #[error("otlp_endpoint: {0}")]
    Otlp(String),
    /// This process has a log already.
    #[error("the log is set up already")]
    Twice,
}

/// Sends the log of this process to standard error, in the format and from the level of the
/// settings. Once a process.
///
/// # Errors
/// See [`TelemetryError`].
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.log_level).map_err(|error| TelemetryError::Filter {
        value: config.log_level.clone(),
        reason: error.to_string(),
    })?;
    #[cfg(feature = "otlp")]
    let traces = config
        .otlp_endpoint
        .as_deref()
        .map(otlp::layer)
        .transpose()?;
    #[cfg(not(feature = "otlp"))]
    let traces: Option<tracing_subscriber::layer::Identity> = match config.otlp_endpoint {
        None => None,
        Some(_) => {
            return Err(TelemetryError::Otlp(
                "this build cannot send traces; build it with the feature `otlp`".to_owned(),
            ));
        }
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter).with(traces);
    match config.log_format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry
            .with(
                lines
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false),
            )
            .try_init(),
    }
    .map_err(|_| TelemetryError::Twice)
}

/// From now on a panic is logged by its place alone. Its message may quote what was being read: text
/// of a request, bytes of a photo.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            place = place.as_deref().unwrap_or("unknown"),
            thread = std::thread::current().name().unwrap_or("unnamed"),
            "panicked"
        );
    }));
}

/// Sends the traces that still wait. Blocking, for a few seconds at most.
pub(crate) fn flush() {
    #[cfg(feature = "otlp")]
    otlp::flush();
}
