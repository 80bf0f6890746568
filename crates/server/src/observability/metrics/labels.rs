//! Labels, and the small counters that others hold.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use livecheck_contract::ErrorCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use strum::{IntoStaticStr, VariantArray};

use crate::http::client::Full;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) route: String,
    pub(super) status: u16,
    pub(super) code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AnswerLabels {
    pub(super) status: u16,
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabel {
    pub(super) route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerdictLabel {
    pub(super) live: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CodeLabel {
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    pub(super) kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StateLabel {
    pub(super) state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FullLabels {
    pub(super) limit: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StageLabel {
    pub(super) stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeyLabel {
    pub(super) key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeyAnswerLabels {
    pub(super) key: String,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

/// Most keys that are counted by name; further ones are counted together.
const MOST_KEYS: usize = 100;

/// Names the keys beyond [`MOST_KEYS`]. No key can have this name.
const OTHER_KEYS: &str = "(other)";

/// Answers by the name of the key, with a bounded number of names.
#[derive(Default)]
pub(super) struct KeyCounts {
    pub(super) requests: Family<KeyLabel, Counter>,
    pub(super) refusals: Family<KeyAnswerLabels, Counter>,
    pub(super) names: Mutex<HashSet<String>>,
}

impl KeyCounts {
    pub(super) fn add(&self, name: &str, status: u16, error: Option<ErrorCode>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if names.contains(name) || names.len() < MOST_KEYS {
            names.insert(name.to_owned());
            name
        } else {
            OTHER_KEYS
        };
        drop(names);
        let key = name.to_owned();
        self.requests
            .get_or_create(&KeyLabel { key: key.clone() })
            .inc();
        if let Some(error) = error {
            self.refusals
                .get_or_create(&KeyAnswerLabels {
                    key,
                    status,
                    code: error.code(),
                })
                .inc();
        }
    }
}

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ConnectionState {
    /// No request has come.
    New,
    /// A request is under way.
    Active,
    /// Between requests.
    Idle,
    /// In a reserved place, since all others are taken.
    Reserved,
}

impl ConnectionState {
    pub(super) fn label(self) -> StateLabel {
        StateLabel { state: self.into() }
    }
}

/// Counts a connection in its state as long as it lives.
pub(crate) struct ConnectionGauge {
    pub(super) gauges: Family<StateLabel, Gauge>,
    pub(super) state: ConnectionState,
}

impl ConnectionGauge {
    pub(crate) fn new(gauges: &Family<StateLabel, Gauge>, state: ConnectionState) -> Self {
        gauges.get_or_create(&state.label()).inc();
        Self {
            gauges: gauges.clone(),
            state,
        }
    }

    /// A connection in a reserved place stays in that state.
    pub(crate) fn enter(&mut self, state: ConnectionState) {
        if self.state != state && self.state != ConnectionState::Reserved {
            self.gauges.get_or_create(&self.state.label()).dec();
            self.gauges.get_or_create(&state.label()).inc();
            self.state = state;
        }
    }
}

impl Drop for ConnectionGauge {
    fn drop(&mut self) {
        self.gauges.get_or_create(&self.state.label()).dec();
    }
}

/// The labels of a place that was wanted when all were taken.
pub(super) fn full_labels(full: Full, made_room: bool) -> FullLabels {
    FullLabels {
        limit: match full {
            Full::All => "all",
            Full::Address => "address",
        },
        outcome: if made_room { "made_room" } else { "refused" },
    }
}

/// Why a key or token did not open the door.
#[derive(Debug, Clone, Copy, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum AuthFailure {
    /// A wrong API key.
    Key,
    /// A wrong session token.
    Token,
    /// Not even tried: too many were wrong before.
    Slowed,
}

impl AuthFailure {
    pub(super) fn label(self) -> KindLabel {
        KindLabel { kind: self.into() }
    }
}

/// Counts the lines of the audit log, on the way to it and in its thread.
#[derive(Clone)]
pub(crate) struct AuditLines {
    pub(super) written: Counter,
    pub(super) lost: Counter,
    pub(super) file_changes: Counter,
}

impl AuditLines {
    /// Somebody else did something to the file.
    pub(crate) fn file_changed(&self) {
        self.file_changes.inc();
    }

    pub(crate) fn line(&self, written: bool) {
        if written {
            self.written.inc();
        } else {
            self.lost.inc();
        }
    }
}

/// Counts one as long as it lives.
pub(crate) struct InFlight(Gauge);

impl InFlight {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
