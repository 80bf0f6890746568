//! The log, and traces for an OpenTelemetry collector. Spans carry the request id; no key, token
//! or image is ever logged.

mod error;
mod lines;
#[cfg(feature = "otlp")]
mod otlp;

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::{LogConfig, LogFormat};

use lines::Lines;

pub use error::TelemetryError;
pub(crate) use lines::dropped as dropped_lines;

/// How long a line of the log may take to be written before the log counts as stalled.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// Longest time that the end of the process waits for a log that is read slowly.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Kept for [`set_level`].
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Kept for [`flush`] and [`last_words`]; the log of a process is set up once.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Sends the log of this process to standard error, in the format and from the level of the
/// settings. Once a process. Nothing ever waits for the log: lines that nobody reads are dropped and
/// counted (`livecheck_log_lines_dropped_total`).
///
/// # Errors
/// See [`TelemetryError`].
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let (filter, level) = reload::Layer::new(filter(&config.log_level)?);
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
    let writer = Lines::start(io::stderr()).map_err(TelemetryError::Thread)?;
    if LINES.set(writer.clone()).is_err() || LEVEL.set(level).is_err() {
        return Err(TelemetryError::Twice);
    }
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
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

fn filter(log_level: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(log_level).map_err(|error| TelemetryError::Filter {
        value: log_level.to_owned(),
        reason: error.to_string(),
    })
}

/// Logs from another level on. Without a log ([`init`]) nothing happens.
///
/// # Errors
/// When `log_level` is no filter; the old level stays then.
pub fn set_level(log_level: &str) -> Result<(), TelemetryError> {
    let filter = filter(log_level)?;
    if let Some(level) = LEVEL.get() {
        // It fails only where the log is gone with the process.
        drop(level.reload(filter));
    }
    Ok(())
}

/// Whether nobody reads the log, so that the line at its head has waited for seconds.
pub(crate) fn is_stalled() -> bool {
    LINES
        .get()
        .is_some_and(|lines| lines.waits_for(STALLED_AFTER))
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

/// Sends the traces and writes the log lines that still wait. Blocking, for a few seconds at most.
pub(crate) fn flush() {
    #[cfg(feature = "otlp")]
    otlp::flush();
    if let Some(lines) = LINES.get() {
        lines.flush(LAST_LINES);
    }
}

/// Says on standard error why the process ends, after the lines of the log and without waiting longer
/// than a second for whoever reads it.
pub fn last_words(text: &str) {
    match LINES.get() {
        Some(lines) => {
            lines.push(format!("{text}\n").as_bytes());
            lines.flush(LAST_LINES);
        }
        None => eprintln!("{text}"),
    }
}
