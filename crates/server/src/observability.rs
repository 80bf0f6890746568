//! What operators see: the log and the metrics.

pub(crate) mod metrics;
pub mod telemetry;
