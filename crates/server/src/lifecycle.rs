//! The server's life: its sockets are opened, it starts, serves, drains and stops.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use livecheck_store::{Clock, KeyCache, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::throttle::AuthThrottle;
use crate::api::router;
use crate::app::{App, Phase};
use crate::check::audit::Audit;
use crate::check::image_key::SharedImageKey;
use crate::check::judge::Judge;
use crate::check::pool::Pool;
use crate::config::ServerConfig;
use crate::http::connection::{self, Front, Registry};
use crate::http::tls::{self, Certificate};
use crate::http::upload::UploadMemory;
use crate::observability::metrics::Metrics;
use crate::observability::telemetry;
use crate::purge::purge;
use crate::startup::ServerError;

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

impl Server {
    /// Opens the sockets that `config.network` names (port 0: any free port) and starts the
    /// threads that judge. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on, the certificate cannot be read, or a thread cannot be started.
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
            throttle: AuthThrottle::new(&config.access),
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
