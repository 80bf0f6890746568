//! The numbers behind `/metrics`. One set a server, so that several in one process do not mix.

mod labels;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use livecheck_contract::ErrorCode;
use livecheck_engine::Verdict;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use strum::VariantArray as _;

use crate::check::judge::Judge;
use crate::check::pool::Pool;
use crate::http::client::Full;
use crate::http::upload::UploadMemory;
use crate::observability::telemetry;

use labels::{
    AnswerLabels, CodeLabel, FullLabels, KeyCounts, KindLabel, OutcomeLabel, RequestLabels,
    RouteLabel, StageLabel, VerdictLabel, full_labels,
};
pub(crate) use labels::{
    AuditLines, AuthFailure, ConnectionGauge, ConnectionState, InFlight, StateLabel,
};

/// Upper bounds of the score buckets. Close together at the top, where thresholds lie.
const SCORES: [f64; 12] = [
    0.05, 0.1, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 1.0,
];

/// The histogram of scores.
const SCORE: &str = "score";

/// Upper bounds of the duration buckets, seconds.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Every metric of a server.
pub(crate) struct Metrics {
    registry: Registry,
    /// The histogram of scores, which not everybody may see who sees the rest.
    score_registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    verdicts: Family<VerdictLabel, Counter>,
    reviews: Counter,
    sandbox: Family<AnswerLabels, Counter>,
    keys: KeyCounts,
    resident: Gauge,
    upload_memory: Gauge,
    rejections: Family<CodeLabel, Counter>,
    scores: Histogram,
    stage_seconds: Family<StageLabel, Histogram, fn() -> Histogram>,
    queue_depth: Gauge,
    busy: Gauge,
    connections: Family<StateLabel, Gauge>,
    connections_full: Family<FullLabels, Counter>,
    answer_memory: Gauge,
    store_errors: Counter,
    panics: Counter,
    auth_failures: Family<KindLabel, Counter>,
    replays: Family<OutcomeLabel, Counter>,
    audit: AuditLines,
    log_dropped: Counter,
    log_stalled: Gauge,
    uptime: Gauge<f64, AtomicU64>,
}

fn durations() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    pub(crate) fn new(judge: &dyn Judge) -> Self {
        let mut registry = Registry::with_prefix("livecheck");
        let requests = Family::default();
        registry.register(
            "http_requests",
            "Requests answered, by route, HTTP status and error code (empty on success)",
            requests.clone(),
        );
        let request_seconds: Family<RouteLabel, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(durations);
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's headers to its response",
            request_seconds.clone(),
        );
        let in_flight = Gauge::default();
        registry.register(
            "http_requests_in_flight",
            "Requests being answered now",
            in_flight.clone(),
        );
        let verdicts: Family<VerdictLabel, Counter> = Family::default();
        // From the start, so that a rate knows where the count began.
        for live in ["true", "false"] {
            let live = live.to_owned();
            drop(verdicts.get_or_create(&VerdictLabel { live }));
        }
        registry.register("verdicts", "Judged photos, by verdict", verdicts.clone());
        let reviews = Counter::default();
        registry.register(
            "reviews",
            "Judged photos with a score in the review band",
            reviews.clone(),
        );
        let sandbox = Family::default();
        registry.register(
            "sandbox_requests",
            "Requests with sandbox keys, by HTTP status and error code; no other response metric counts them",
            sandbox.clone(),
        );
        let keys = KeyCounts::default();
        registry.register(
            "key_requests",
            "Requests answered, by key name; 100 names at most, further keys count as (other)",
            keys.requests.clone(),
        );
        registry.register(
            "key_refusals",
            "Requests answered with an error code, by key name",
            keys.refusals.clone(),
        );
        let resident = Gauge::default();
        registry.register(
            "resident_memory_bytes",
            "Resident memory of the process as reported by the system; 0 if it does not report it",
            resident.clone(),
        );
        let upload_memory = Gauge::default();
        registry.register(
            "upload_memory_bytes",
            "Memory for waiting images; bounded by upload_memory",
            upload_memory.clone(),
        );
        let rejections = Family::default();
        registry.register(
            "rejections",
            "Liveness requests without a verdict, by error code",
            rejections.clone(),
        );
        let scores = Histogram::new(SCORES);
        let mut score_registry = Registry::with_prefix("livecheck");
        score_registry.register(
            SCORE,
            "Liveness scores of the photos judged",
            scores.clone(),
        );
        let stage_seconds: Family<StageLabel, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(durations);
        registry.register(
            "stage_duration_seconds",
            "Time of each stage: upload, queue, decode, detect, mask, liveness",
            stage_seconds.clone(),
        );
        let queue_depth = Gauge::default();
        registry.register(
            "queue_depth",
            "Jobs waiting for a thread",
            queue_depth.clone(),
        );
        let busy = Gauge::default();
        registry.register(
            "pool_tickets",
            "Requests in the pool: being judged or waiting",
            busy.clone(),
        );
        let connections = Family::default();
        for state in ConnectionState::VARIANTS {
            drop(connections.get_or_create(&state.label()));
        }
        registry.register(
            "connections",
            "Open connections: new (no request yet), active, idle, reserved (beyond the limits)",
            connections.clone(),
        );
        let connections_full = Family::default();
        for full in [Full::All, Full::Address] {
            for made_room in [true, false] {
                drop(connections_full.get_or_create(&full_labels(full, made_room)));
            }
        }
        registry.register(
            "connections_full",
            "Connections that arrived when a connection limit, in all or per address, was reached: an idle one made room, or they were refused",
            connections_full.clone(),
        );
        let answer_memory = Gauge::default();
        registry.register(
            "answer_memory_bytes",
            "Memory for responses not yet read by clients; bounded by answer_memory",
            answer_memory.clone(),
        );
        let store_errors = Counter::default();
        registry.register(
            "store_errors",
            "Requests to the key and session database that failed",
            store_errors.clone(),
        );
        let panics = Counter::default();
        registry.register("panics", "Panics caught; each is a bug", panics.clone());
        let auth_failures = Family::default();
        for why in AuthFailure::VARIANTS {
            drop(auth_failures.get_or_create(&why.label()));
        }
        registry.register(
            "auth_failures",
            "Wrong keys, wrong session tokens, and requests throttled because of them",
            auth_failures.clone(),
        );
        let replays: Family<OutcomeLabel, Counter> = Family::default();
        let audit_lines: Family<OutcomeLabel, Counter> = Family::default();
        for outcome in ["flagged", "refused"] {
            drop(replays.get_or_create(&OutcomeLabel { outcome }));
        }
        registry.register(
            "replays",
            "Files sent again within the replay window, by action taken",
            replays.clone(),
        );
        let [written, lost] = ["written", "lost"]
            .map(|outcome| audit_lines.get_or_create(&OutcomeLabel { outcome }).clone());
        registry.register(
            "audit_lines",
            "Lines of the audit log, by whether they were written",
            audit_lines,
        );
        let file_changes = Counter::default();
        registry.register(
            "audit_file_changes",
            "Times the audit log was found moved, deleted, truncated, written to by others or accessible to them",
            file_changes.clone(),
        );
        let audit = AuditLines {
            written,
            lost,
            file_changes,
        };
        let log_dropped = Counter::default();
        registry.register(
            "log_lines_dropped",
            "Log lines dropped because nobody read them, or because they could not be written",
            log_dropped.clone(),
        );
        let log_stalled = Gauge::default();
        registry.register(
            "log_stalled",
            "1 while nobody reads the log, 0 else",
            log_stalled.clone(),
        );
        let uptime = Gauge::default();
        registry.register(
            "uptime_seconds",
            "Time since the server started",
            uptime.clone(),
        );
        registry.register(
            "build",
            "The running build",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        let models: Family<Vec<(&'static str, &'static str)>, Gauge> = Family::default();
        for model in judge.models() {
            models
                .get_or_create(&vec![("name", model.name), ("sha256", model.sha256)])
                .set(1);
        }
        registry.register("model_info", "The built-in models, each 1", models);
        Self {
            registry,
            score_registry,
            requests,
            request_seconds,
            in_flight,
            verdicts,
            reviews,
            sandbox,
            keys,
            resident,
            upload_memory,
            rejections,
            scores,
            stage_seconds,
            queue_depth,
            busy,
            connections,
            connections_full,
            answer_memory,
            store_errors,
            panics,
            auth_failures,
            replays,
            audit,
            log_dropped,
            log_stalled,
            uptime,
        }
    }

    /// A request has begun; call [`Metrics::answered`] when it ends.
    pub(crate) fn begin(&self) -> InFlight {
        InFlight::new(&self.in_flight)
    }

    /// A connection was opened; it counts until the value is dropped.
    pub(crate) fn connected(&self, state: ConnectionState) -> ConnectionGauge {
        ConnectionGauge::new(&self.connections, state)
    }

    /// A connection came when all places were taken.
    pub(crate) fn connections_full(&self, full: Full, made_room: bool) {
        self.connections_full
            .get_or_create(&full_labels(full, made_room))
            .inc();
    }

    pub(crate) fn answer_memory(&self) -> Gauge {
        self.answer_memory.clone()
    }

    pub(crate) fn answered(
        &self,
        route: &str,
        status: u16,
        error: Option<ErrorCode>,
        took: Duration,
    ) {
        self.requests
            .get_or_create(&RequestLabels {
                route: route.to_owned(),
                status,
                code: error.map_or("", ErrorCode::code).to_owned(),
            })
            .inc();
        self.request_seconds
            .get_or_create(&RouteLabel {
                route: route.to_owned(),
            })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn answered_key(&self, name: &str, status: u16, error: Option<ErrorCode>) {
        self.keys.add(name, status, error);
    }

    pub(crate) fn answered_in_sandbox(&self, status: u16, error: Option<ErrorCode>) {
        let code = error.map_or("", ErrorCode::code);
        self.sandbox
            .get_or_create(&AnswerLabels { status, code })
            .inc();
    }

    pub(crate) fn judged(&self, verdict: &Verdict) {
        self.verdicts
            .get_or_create(&VerdictLabel {
                live: verdict.live.to_string(),
            })
            .inc();
        if verdict.details.thresholds.needs_review(verdict.score) {
            self.reviews.inc();
        }
        self.scores.observe(f64::from(verdict.score));
        let timings = &verdict.details.timings;
        for (stage, millis) in [
            ("decode", timings.decode_ms),
            ("detect", timings.detect_ms),
            ("mask", timings.mask_ms),
            ("liveness", timings.liveness_ms),
        ] {
            self.stage_seconds
                .get_or_create(&StageLabel { stage })
                .observe(f64::from(millis) / 1e3);
        }
    }

    pub(crate) fn rejected(&self, code: ErrorCode) {
        self.rejections
            .get_or_create(&CodeLabel { code: code.code() })
            .inc();
    }

    pub(crate) fn stage(&self, stage: &'static str, took: Duration) {
        self.stage_seconds
            .get_or_create(&StageLabel { stage })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn store_failed(&self) {
        self.store_errors.inc();
    }

    pub(crate) fn auth_failed(&self, why: AuthFailure) {
        self.auth_failures.get_or_create(&why.label()).inc();
    }

    /// A file came that was judged before.
    pub(crate) fn replayed(&self, refused: bool) {
        let outcome = if refused { "refused" } else { "flagged" };
        self.replays.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn audit(&self) -> AuditLines {
        self.audit.clone()
    }

    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    /// The text for Prometheus (OpenMetrics 1.0), with or without the histogram of scores.
    pub(crate) fn render(
        &self,
        pool: &Pool,
        uploads: &UploadMemory,
        uptime: Duration,
        scores: bool,
    ) -> Result<String, std::fmt::Error> {
        self.upload_memory.set(signed(uploads.used()));
        self.resident.set(signed(resident_bytes().unwrap_or(0)));
        self.queue_depth.set(signed(pool.waiting()));
        self.busy.set(signed(pool.busy()));
        self.log_dropped
            .inner()
            .store(telemetry::dropped_lines(), Ordering::Relaxed);
        self.log_stalled.set(i64::from(telemetry::is_stalled()));
        self.uptime.set(uptime.as_secs_f64());
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        if scores {
            let mut histogram = String::new();
            encode_registry(&mut histogram, &self.score_registry)?;
            // Two sums tell the exact score of the photo between them. OpenMetrics allows the count only
            // with the sum; the last bucket counts as well.
            let hidden = ["sum", "count"].map(|end| format!("livecheck_{SCORE}_{end} "));
            for line in histogram.split_inclusive('\n') {
                if !hidden.iter().any(|hidden| line.starts_with(hidden)) {
                    text.push_str(line);
                }
            }
        }
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// As Linux tells it.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
