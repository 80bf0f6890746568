//! Why the log could not be set up.

use std::io;

use thiserror::Error;

/// Why the log could not be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// `log_level` is no filter.
    #[error("log_level is {value:?}, which is not a log filter: {reason}")]
    Filter {
        /// The setting.
        value: String,
        /// What the parser said.
        reason: String,
    },
    /// The traces cannot be sent.
    #[error("otlp_endpoint: {0}")]
    Otlp(String),
    /// The thread that writes the log could not be started.
    #[error("the thread that writes the log could not be started: {0}")]
    Thread(io::Error),
    /// This process has a log already.
    #[error("the log is set up already")]
    Twice,
}
