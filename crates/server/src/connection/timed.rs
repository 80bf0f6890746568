//! A TCP stream that does not wait for ever: not for a request's head, not on an idle connection,
//! not for a client that stopped reading. And one that closes gently.
//!
//! When a connection is closed while the client still sends (an answer that came before the end of
//! the body), the system would reset it, and the client might never see the answer. So the stream
//! comes back from the HTTP layer through [`Leftover`], however that layer let go of it (hyper 1
//! drops a connection on which the client asked for another protocol without closing it first),
//! and is closed there: no more writing, then throw away what still arrives until the client has
//! finished, or for [`LINGER`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::config::TimesConfig;

/// How long a closed connection listens to a client that still sends.
const LINGER: Duration = Duration::from_secs(2);

/// What the HTTP layer knows of a connection and its stream must know too.
#[derive(Default)]
pub(super) struct Activity {
    requests: AtomicUsize,
    http2: AtomicBool,
}

impl Activity {
    /// A request has begun; it ends when the value is dropped.
    pub(super) fn request(self: &Arc<Self>) -> Working {
        self.requests.fetch_add(1, Ordering::AcqRel);
        Working(Arc::clone(self))
    }

    /// On HTTP/2 bytes between requests are normal.
    pub(super) fn is_http2(&self) {
        self.http2.store(true, Ordering::Release);
    }

    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0
    }
}

/// Marks a request under way.
pub(super) struct Working(Arc<Activity>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(super) struct Timed {
    /// None once the client was given up.
    stream: Option<TcpStream>,
    leftover: Option<oneshot::Sender<TcpStream>>,
    activity: Arc<Activity>,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    phase: Phase,
    deadline: Pin<Box<Sleep>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
}

/// The stream, after the HTTP layer has let go of it.
pub(super) struct Leftover(oneshot::Receiver<TcpStream>);

impl Leftover {
    /// Closes the connection gently; does nothing when the client was given up.
    pub(super) async fn close(self) -> io::Result<()> {
        let Ok(mut stream) = self.0.await else {
            return Ok(());
        };
        stream.shutdown().await?;
        let mut waste = vec![0; 16 * 1024];
        let listen = async { while stream.read(&mut waste).await.is_ok_and(|read| read > 0) {} };
        // What has not come by then is lost.
        let _: Result<(), Elapsed> = timeout(LINGER, listen).await;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Bytes of a head (or of a TLS handshake) have come or are due.
    Head,
    /// A request is being read or answered.
    Busy,
    /// Between requests.
    Idle,
}

impl Timed {
    pub(super) fn new(
        stream: TcpStream,
        activity: Arc<Activity>,
        times: &TimesConfig,
    ) -> (Self, Leftover) {
        let (leftover, returned) = oneshot::channel();
        let timed = Self {
            stream: Some(stream),
            leftover: Some(leftover),
            activity,
            header_timeout: times.header_timeout,
            idle_timeout: times.keep_alive_timeout,
            write_timeout: times.write_timeout,
            phase: Phase::Head,
            deadline: Box::pin(sleep(times.header_timeout)),
            write_deadline: None,
        };
        (timed, Leftover(returned))
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok(Pin::new(stream))
    }

    /// Drops the connection at once.
    fn give_up(&mut self) -> io::Error {
        self.stream = None;
        io::ErrorKind::TimedOut.into()
    }

    fn enter(&mut self, phase: Phase) {
        let wait = match phase {
            Phase::Head => self.header_timeout,
            Phase::Busy | Phase::Idle => self.idle_timeout,
        };
        self.phase = phase;
        self.deadline.as_mut().reset(Instant::now() + wait);
    }

    /// Called when nothing can be read: `Err` when that has lasted too long.
    fn check_deadline(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.phase == Phase::Busy && self.activity.is_idle() {
            self.enter(Phase::Idle);
        }
        while self.deadline.as_mut().poll(context).is_ready() {
            if self.activity.is_idle() {
                return Err(self.give_up());
            }
            // A request under way has time limits of its own.
            self.enter(Phase::Busy);
        }
        Ok(())
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match this.stream()?.poll_read(context, buffer) {
            Poll::Ready(result) => {
                if !this.activity.is_idle() {
                    this.phase = Phase::Busy;
                } else if this.activity.http2.load(Ordering::Acquire) {
                    this.enter(Phase::Idle);
                } else if this.phase != Phase::Head {
                    this.enter(Phase::Head);
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                if !this.activity.is_idle() && this.phase != Phase::Busy {
                    this.enter(Phase::Busy);
                }
                this.check_deadline(context)?;
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match this.stream()?.poll_write(context, bytes) {
            Poll::Ready(result) => {
                this.write_deadline = None;
                Poll::Ready(result)
            }
            Poll::Pending => {
                let wait = this.write_timeout;
                let deadline = this
                    .write_deadline
                    .get_or_insert_with(|| Box::pin(sleep(wait)));
                ready!(deadline.as_mut().poll(context));
                Poll::Ready(Err(this.give_up()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        if let (Some(stream), Some(leftover)) = (self.stream.take(), self.leftover.take()) {
            // Nobody waits for it when the server is killed.
            let _: Result<(), TcpStream> = leftover.send(stream);
        }
    }
}
