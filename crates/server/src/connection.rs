//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them, within the limits of the settings.

mod error_heads;
mod places;
mod timed;
mod unread;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::app::App;
use crate::client::Peer;
use error_heads::ErrorHeads;
use places::Places;
use timed::{Activity, Timed};

/// How long to wait when the system cannot accept a connection (out of file handles, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Most bytes of answers that the system holds for a connection whose client is slow to take them
/// (Linux uses as much again for their management). Left to itself it holds up to 4 MB, of memory
/// that no setting counts: a thousand clients that never read would hold 4 GB. This much still
/// moves a megabyte a second to a client 100 ms away.
const SEND_BUFFER: u32 = 128 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 64;

/// Opens a socket whose connections have bounded send buffers.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart need not wait until the connections of the process before are forgotten. On Windows
    // the option means that another program may take the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What a listener serves.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
    pub(crate) tls: Option<TlsAcceptor>,
    /// No new connections; those that are open end after the request they are at.
    pub(crate) stopping: CancellationToken,
    /// Everything ends now.
    pub(crate) killed: CancellationToken,
    pub(crate) connections: TaskTracker,
}

impl Front {
    /// Serves `listener` until told to stop.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let network = &self.app.config.network;
        let places = Arc::new(Semaphore::new(network.max_connections));
        let by_address = Places::new(network);
        loop {
            let place = tokio::select! {
                () = self.stopping.cancelled() => return,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(own) = by_address.take(peer.ip(), network) else {
                        // Closed at once: an answer would cost what the limit is there to save.
                        self.app.metrics.connection_refused();
                        tracing::debug!(%peer, "the address has too many connections");
                        continue;
                    };
                    let front = self.clone();
                    self.connections.spawn(async move {
                        let _places = (place, own);
                        let _counted = front.app.metrics.connected();
                        let killed = front.killed.clone();
                        tokio::select! {
                            () = killed.cancelled() => {}
                            () = front.connection(stream, peer) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        // Answers are small and written whole: waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "TCP_NODELAY could not be set");
        }
        let activity = Arc::new(Activity::default());
        let (stream, leftover) = Timed::new(stream, Arc::clone(&activity), &self.app.config.times);
        let result = match self.tls.clone() {
            None => self.http(stream, peer, activity).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => self.http(stream, peer, activity).await,
                Err(error) => Err(error.into()),
            },
        };
        if let Err(error) = result {
            tracing::debug!(%error, %peer, "the connection ended early");
        }
        if let Err(error) = leftover.close().await {
            tracing::debug!(%error, %peer, "the connection could not be closed gently");
        }
    }

    async fn http<S>(
        self,
        stream: S,
        peer: SocketAddr,
        activity: Arc<Activity>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let owed = Arc::new(AtomicUsize::new(0));
        let stream = ErrorHeads::new(stream, Arc::clone(&owed));
        let network = &self.app.config.network;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // Times are kept by `Timed`, which also sees idle connections and HTTP/2.
            .header_read_timeout(None)
            .max_buf_size(network.max_header_bytes);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(network.max_header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS);
        let router = self.router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let working = activity.request();
            if request.version() == Version::HTTP_2 {
                activity.is_http2();
            } else {
                owed.fetch_add(1, Ordering::AcqRel);
            }
            let http1 = request.version() != Version::HTTP_2;
            // Where a body has its own end marks, a proxy may have read another end than this server:
            // what follows is then no request of the client's.
            let chunked = request.headers().contains_key(TRANSFER_ENCODING);
            let (head, body) = request.into_parts();
            let (body, unread) = unread::watch(body);
            let mut request = Request::from_parts(head, Body::new(body));
            request.extensions_mut().insert(Peer(peer.ip()));
            let router = router.clone();
            async move {
                let mut response = router.oneshot(request).await?;
                drop(working);
                if http1 && (chunked || unread.is_left()) {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            result = connection.as_mut() => return result,
            () = self.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}
