//! What every request handler shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use livecheck_engine::CalibrationFile;
use livecheck_store::{Clock, KeyCache, Store};
use tokio_util::task::TaskTracker;

use crate::access::throttle::AuthThrottle;
use crate::check::audit::Audit;
use crate::check::image_key::SharedImageKey;
use crate::check::judge::Judge;
use crate::check::pool::Pool;
use crate::config::ServerConfig;
use crate::http::connection::Registry;
use crate::http::upload::UploadMemory;
use crate::observability::metrics::Metrics;

/// Shared state; cheap to clone behind its `Arc`.
pub(crate) struct App {
    pub(crate) config: ServerConfig,
    /// The file behind the setting `calibration`, for `/version`.
    pub(crate) calibration: Option<CalibrationFile>,
    pub(crate) judge: Arc<dyn Judge>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: KeyCache,
    pub(crate) throttle: AuthThrottle,
    pub(crate) image_key: SharedImageKey,
    pub(crate) audit: Option<Audit>,
    pub(crate) pool: Pool,
    pub(crate) uploads: UploadMemory,
    pub(crate) metrics: Metrics,
    /// The connections of the API's listener.
    pub(crate) connections: Arc<Registry>,
    pub(crate) phase: Phase,
    /// Work that goes on when its client has gone; the server waits for it before it ends.
    pub(crate) tasks: TaskTracker,
}

/// Where the server is in its life.
#[derive(Default)]
pub(crate) struct Phase(AtomicU8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Now {
    Starting,
    Ready,
    Draining,
}

impl Phase {
    pub(crate) fn now(&self) -> Now {
        match self.0.load(Ordering::Acquire) {
            0 => Now::Starting,
            1 => Now::Ready,
            _ => Now::Draining,
        }
    }

    /// The self-test has passed. A server that is already draining stays so.
    pub(crate) fn ready(&self) {
        // Failure means that draining began first, which stands.
        let _ = self
            .0
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(crate) fn drain(&self) {
        self.0.store(2, Ordering::Release);
    }
}
