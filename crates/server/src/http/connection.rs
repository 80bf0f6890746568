//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them, within the limits of the settings.

mod activity;
mod answer;
mod error_heads;
mod half_closed;
mod registry;
mod strict_lines;
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
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::app::App;
use crate::error::Shared;
use crate::http::client::Peer;
use crate::http::upload::HTTP2_STREAM_WINDOW;
use answer::{AnswerBody, Streams};
use error_heads::ErrorHeads;
use half_closed::HalfClosed;
pub(crate) use registry::Registry;
use registry::Slot;
use timed::Timed;

/// How long to wait when the system cannot accept a connection (out of file handles, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Most bytes of answers that the system holds for a connection whose client is slow to take them
/// (Linux uses as much again for their management). Left to itself it holds up to 4 MB, of memory
/// that no setting counts: a thousand clients that never read would hold 4 GB. This much still
/// moves a megabyte a second to a client 100 ms away.
const SEND_BUFFER: u32 = 128 * 1024;

/// Most bytes that are read from a connection at once: each piece of a body goes through two tasks.
const READ: usize = 64 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 16;

/// Most bytes of bodies that a client may send on an HTTP/2 connection before they are looked at.
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Most bytes of an answer that wait on an HTTP/2 stream for the connection.
const STREAM_SEND_BUFFER: usize = 64 * 1024;

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
    pub(crate) registry: Arc<Registry>,
}

impl Front {
    /// Serves `listener` until told to stop.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let network = &self.app.config.network;
        let registry = Arc::clone(&self.registry);
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let slot = registry.enter(peer.ip(), network, &self.app.metrics);
                    let front = self.clone();
                    self.connections.spawn(async move {
                        let killed = front.killed.clone();
                        let close = slot.activity.close.clone();
                        tokio::select! {
                            () = killed.cancelled() => {}
                            () = close.cancelled() => {}
                            () = front.connection(stream, peer, &slot) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    if is_out_of_files(&error) {
                        registry.close_one();
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr, slot: &Slot) {
        // Answers are small and written whole: waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "TCP_NODELAY could not be set");
        }
        let activity = Arc::clone(&slot.activity);
        let (stream, leftover) = Timed::new(stream, activity, &self.app.config.times);
        let result = match self.tls.clone() {
            None => self.http(stream, peer, slot).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => self.http(stream, peer, slot).await,
                Err(error) => Err(error.into()),
            },
        };
        if let Err(error) = result {
            tracing::debug!(%error, %peer, "the connection ended early");
        }
        if let Err(error) = leftover.close().await {
            tracing::debug!(%error, %peer, "the connection could not be closed gracefully");
        }
    }

    async fn http<S>(
        self,
        stream: S,
        peer: SocketAddr,
        slot: &Slot,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let owed = Arc::new(AtomicUsize::new(0));
        let current = half_closed::Request::of(&slot.activity);
        let network = &self.app.config.network;
        let stream = HalfClosed::new(stream, Arc::clone(&current), network.max_header_bytes);
        let too_large = Arc::clone(&current.head_too_large);
        let stream = ErrorHeads::new(stream, Arc::clone(&owed), too_large);
        let mut builder = Builder::new(Streams {
            activity: Arc::clone(&slot.activity),
            write_timeout: self.app.config.times.write_timeout,
        });
        builder
            .http1()
            .timer(TokioTimer::new())
            // Times are kept by `Timed`, which also sees idle connections and HTTP/2.
            .header_read_timeout(None)
            // How large a head may be, `StrictLines` knows.
            .max_buf_size(network.max_header_bytes.max(READ));
        builder
            .http2()
            .timer(TokioTimer::new())
            .initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(STREAM_SEND_BUFFER)
            .max_header_list_size(u32::try_from(network.max_header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS);
        let router = self.router.clone();
        let activity = Arc::clone(&slot.activity);
        let registry = Arc::clone(&slot.registry);
        let full = slot.full;
        let last = CancellationToken::new();
        let was_last = last.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let working = activity.request();
            if request.version() == Version::HTTP_2 {
                activity.mark_http2();
            } else {
                owed.fetch_add(1, Ordering::AcqRel);
            }
            let request_version = request.version();
            let http1 = request_version != Version::HTTP_2;
            // Where a body has its own end marks, a proxy may have read another end than this server:
            // what follows is then no request of the client's.
            let chunked = request.headers().contains_key(TRANSFER_ENCODING);
            let (head, body) = request.into_parts();
            // Requests of HTTP/1 come one after the other; an interim answer is of HTTP/1.1.
            let whole = if http1 {
                current
                    .waits
                    .store(request_version == Version::HTTP_11, Ordering::Release);
                Arc::clone(&current.whole)
            } else {
                Arc::default()
            };
            let (body, unread) = unread::watch(body, whole);
            let mut request = Request::from_parts(head, Body::new(body));
            request.extensions_mut().insert(Peer(peer.ip()));
            if let Some(full) = full {
                request.extensions_mut().insert(full);
            }
            let (router, last) = (router.clone(), last.clone());
            let (activity, registry) = (Arc::clone(&activity), Arc::clone(&registry));
            let current = Arc::clone(&current);
            async move {
                activity.room().await;
                let mut response = router.oneshot(request).await?;
                current.waits.store(false, Ordering::Release);
                if http1 && (chunked || unread.is_left() || full.is_some()) {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                if full.is_some() {
                    last.cancel();
                }
                let shared = response.extensions_mut().remove::<Shared>().is_some();
                let memory = &registry.answers;
                let response =
                    response.map(|body| AnswerBody::new(body, shared, &activity, working, memory));
                registry.bound_answers();
                Ok::<_, Infallible>(response)
            }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            result = connection.as_mut() => return result,
            () = self.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
            () = was_last.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// Whether the process, or the system, has as many files open as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    cfg!(unix) && matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}
