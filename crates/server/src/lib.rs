//! HTTP in front of the engine and the store: translates requests to their calls and decides
//! nothing about faces itself.
//!
//! [`Server::bind`] opens the sockets, [`Server::run`] serves until told to stop. The routes stand
//! in `router.rs`, what they do in `routes/`, how a body becomes an image in [`upload`], and every
//! setting in [`config`].
#![forbid(unsafe_code)]

mod app;
mod audit;
mod auth;
mod client;
pub mod config;
mod connection;
mod error;
mod guesses;
mod image_key;
mod judge;
pub mod keys;
mod metrics;
pub mod openapi;
pub mod pool;
mod router;
mod routes;
mod sandbox;
pub mod shares;
pub mod telemetry;
mod tls;
pub mod upload;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use livecheck_engine::EngineError;
use livecheck_store::{Clock, KeyCache, PURGE_BATCH, Store, StoreError};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use audit::{AuditReport, shown as audit_name, verify as verify_audit};
#[doc(hidden)]
pub use auth::sent;
pub use config::{ConfigError, ServerConfig};
pub use image_key::configured as configured_image_key;
pub use judge::Judge;
pub use tls::Certificate;

use app::{App, Phase};
use audit::Audit;
use connection::{Front, Registry};
use guesses::Guesses;
use image_key::SharedImageKey;
use metrics::Metrics;
use pool::Pool;
use upload::UploadMemory;

/// How often sessions and images whose time ended long ago are forgotten.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);

/// Shortest pause between two steps of that; a step that took longer is followed by as long a pause.
const PURGE_PAUSE: Duration = Duration::from_millis(100);

/// Why the server could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A socket could not be opened.
    #[error("{}", cannot_listen(setting, *address, source))]
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The secret for images cannot be used.
    #[error("image_key_file {0}")]
    ImageKey(String),
    /// The audit log cannot be written.
    #[error("the audit log {} cannot be written: {source}", .path.display())]
    Audit {
        /// The setting `audit_file`.
        path: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("the judging threads could not be started: {0}")]
    Threads(io::Error),
    /// The self-test failed; nothing was judged.
    #[error(transparent)]
    SelfTest(#[from] EngineError),
    /// The self-test panicked.
    #[error("the self-test panicked")]
    SelfTestPanicked,
}

/// A server with its sockets open.
pub struct Server {
    app: Arc<App>,
    public: TcpListener,
    admin: Option<TcpListener>,
    tls: Option<tls::Tls>,
}

/// [`Server::bind`], then [`Server::run`].
///
/// # Errors
/// As both.
pub async fn run(
    config: ServerConfig,
    judge: Arc<dyn Judge>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    Server::bind(config, judge, store, clock)
        .await?
        .run(shutdown)
        .await
}

/// Says which setting moves the listener.
fn cannot_listen(setting: &str, address: SocketAddr, source: &io::Error) -> String {
    let variable = format!("{}{}", config::ENV_PREFIX, setting.to_uppercase());
    let flag = setting.replace('_', "-");
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "cannot listen on {address}: another program, or another Livecheck, uses this port; stop it or choose another address with {variable} or --{flag}, such as {}:{}",
            address.ip(),
            address.port().wrapping_add(1).max(1024)
        ),
        io::ErrorKind::PermissionDenied => format!(
            "cannot listen on {address}: {source}; ports below 1024 are for root, choose another with {variable} or --{flag}"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "cannot listen on {address}: this machine has no such address; choose another with {variable} or --{flag}, such as 0.0.0.0:{}",
            address.port()
        ),
        _ => format!("cannot listen on {address} ({variable}, --{flag}): {source}"),
    }
}

impl Server {
    /// Opens the sockets that `config.network` names (port 0: any free port) and starts the
    /// threads that judge. Needs a Tokio runtime.
    ///
    /// # Errors
    /// A socket, certificate or thread that is not to be had.
    pub async fn bind(
        config: ServerConfig,
        judge: Arc<dyn Judge>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServerError> {
        let open = |setting, address| {
            connection::listen(address).map_err(|source| ServerError::Listen {
                setting,
                address,
                source,
            })
        };
        let tls = tls::acceptor(&config.network, Arc::clone(&clock))?;
        let calibration = config.engine.calibration_file()?;
        let public = open("listen", config.network.listen)?;
        let admin = config.network.admin_listen;
        let admin = admin
            .map(|address| open("admin_listen", address))
            .transpose()?;
        let pool = Pool::new(
            NonZeroUsize::new(config.pool.workers),
            config.pool.queue,
            config.pool.queue_wait,
        )
        .map_err(ServerError::Threads)?;
        let metrics = Metrics::new(judge.as_ref());
        let audit = Audit::start(&config.audit, &metrics).map_err(|source| ServerError::Audit {
            path: config.audit.audit_file.clone().unwrap_or_default(),
            source,
        })?;
        let connections = Registry::new(&config.network, metrics.answer_memory());
        let app = App {
            connections: Arc::new(connections),
            keys: KeyCache::new(Arc::clone(&store), Arc::clone(&clock)),
            guesses: Guesses::new(&config.access),
            image_key: SharedImageKey::new(&config.access)?,
            uploads: UploadMemory::new(config.pool.upload_memory),
            audit,
            metrics,
            phase: Phase::default(),
            tasks: TaskTracker::new(),
            pool,
            calibration,
            config,
            judge,
            store,
            clock,
        };
        Ok(Self {
            app: Arc::new(app),
            public,
            admin,
            tls,
        })
    }

    /// Where the API listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Where the admin listener listens, if there is one.
    ///
    /// # Errors
    /// What the system says.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// The certificate that the API speaks TLS with, to have it read again.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        self.tls.as_ref().map(|tls| tls.certificate.clone())
    }

    /// Serves until `shutdown` is done; then drains: `/readyz` says 503, after `drain_delay` no
    /// connection is accepted any more, and requests under way have `shutdown_timeout` to finish.
    ///
    /// Requests are answered from the start, liveness checks with `005` and 503 until the
    /// self-test has passed.
    ///
    /// # Errors
    /// A failed self-test ends the server.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let app = self.app;
        let front = Front {
            app: Arc::clone(&app),
            router: router::public(&app),
            tls: self.tls.map(|tls| tls.acceptor),
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
            connections: TaskTracker::new(),
            registry: Arc::clone(&app.connections),
        };
        if let Ok(address) = self.public.local_addr() {
            tracing::info!(%address, tls = front.tls.is_some(), "listening");
        }
        front.connections.spawn(front.clone().serve(self.public));
        if let Some(listener) = self.admin {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "listening for operations");
            }
            let admin = Front {
                router: router::admin(&app),
                tls: None,
                registry: Arc::new(Registry::new(
                    &app.config.network,
                    app.metrics.answer_memory(),
                )),
                ..front.clone()
            };
            front.connections.spawn(admin.serve(listener));
        }
        let purge = tokio::spawn(purge(Arc::clone(&app)));

        let result = tokio::select! {
            () = shutdown => Ok(()),
            Err(error) = start(&app) => Err(error),
        };
        drain(&app, &front, result.is_ok()).await;
        purge.abort();
        if let Some(audit) = &app.audit {
            audit.flush().await;
        }
        // Waits for a collector that may be slow; failing to is no reason to end otherwise.
        let _ = tokio::task::spawn_blocking(telemetry::flush).await;
        result
    }
}

/// Runs the self-test, then says that the server is ready, and never returns; or says why not.
async fn start(app: &Arc<App>) -> Result<(), ServerError> {
    let judge = Arc::clone(&app.judge);
    tokio::task::spawn_blocking(move || judge.self_test())
        .await
        .map_err(|_| ServerError::SelfTestPanicked)??;
    app.phase.ready();
    tracing::info!("ready");
    std::future::pending().await
}

async fn drain(app: &App, front: &Front, in_order: bool) {
    let times = &app.config.times;
    app.phase.drain();
    if in_order {
        tracing::info!("draining");
        tokio::time::sleep(times.drain_delay).await;
    }
    front.stopping.cancel();
    front.connections.close();
    app.tasks.close();
    let finished = async {
        front.connections.wait().await;
        app.tasks.wait().await;
    };
    if tokio::time::timeout(times.shutdown_timeout, finished)
        .await
        .is_err()
    {
        tracing::warn!(
            connections = front.connections.len(),
            "stopping with requests still in progress"
        );
        front.killed.cancel();
        front.connections.wait().await;
    }
    tracing::info!("stopped");
}

/// Forgets what is long over, for as long as the server runs: in small steps, with pauses in which
/// others have the database to themselves.
async fn purge(app: Arc<App>) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = app.clock.now();
        let sessions = in_batches(|| app.store.purge_sessions(now)).await;
        told(&app, "sessions", sessions);
        let images = in_batches(|| app.store.purge_images(now)).await;
        told(&app, "images", images);
    }
}

/// Repeats a purge until nothing is left to it; how many rows it deleted before it ended or failed.
async fn in_batches<F>(mut purge: impl FnMut() -> F) -> (u64, Option<StoreError>)
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut deleted = 0;
    loop {
        let started = Instant::now();
        match purge().await {
            Err(error) => return (deleted, Some(error)),
            Ok(count) => {
                deleted += count;
                if count < PURGE_BATCH {
                    return (deleted, None);
                }
            }
        }
        tokio::time::sleep(PURGE_PAUSE.max(started.elapsed())).await;
    }
}

fn told(app: &App, what: &str, (count, error): (u64, Option<StoreError>)) {
    if count > 0 {
        tracing::debug!(count, what, "purged expired rows");
    }
    if let Some(error) = error {
        app.metrics.store_failed();
        tracing::warn!(%error, what, "expired rows could not be purged");
    }
}
