//! The service under load, and how long it takes.

use std::net::SocketAddr;

/// The service under load.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) key: String,
    pub(super) pid: u32,
}

/// Latencies, seconds.
#[derive(Default)]
pub(super) struct Latencies(pub(super) Vec<f64>);

impl Latencies {
    pub(super) fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in the list"
        )]
        let place = (last as f64 * percent / 100.0).round() as usize;
        sorted.get(place).copied().unwrap_or(f64::NAN)
    }
}
