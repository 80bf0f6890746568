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
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::activity::Activity;
use crate::config::TimesConfig;

/// How long a closed connection listens to a client that still sends.
const LINGER: Duration = Duration::from_secs(2);

pub(super) struct Timed {
    /// None once the client was given up.
    stream: Option<TcpStream>,
    leftover: Option<oneshot::Sender<TcpStream>>,
    activity: Arc<Activity>,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    phase: Phase,
    /// Requests that had begun when the phase was entered.
    begun: u64,
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
            begun: 0,
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
        let now = Instant::now();
        let deadline = match phase {
            Phase::Head => now + self.header_timeout,
            Phase::Busy => now + self.idle_timeout,
            // Counted from the last request, whatever else came since.
            Phase::Idle => self.activity.idle_since().unwrap_or(now) + self.idle_timeout,
        };
        self.phase = phase;
        self.begun = self.activity.begun();
        self.deadline.as_mut().reset(deadline);
    }

    /// Called after each attempt to read: `Err` when the client has taken too long.
    fn check_deadline(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        // On HTTP/2 a request may have come and been answered since the last look. On HTTP/1.1 the next
        // one may already have begun then.
        let served = self.activity.is_http2() && self.activity.begun() != self.begun;
        if (served || self.phase == Phase::Busy) && self.activity.is_idle() {
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
                } else if this.activity.is_http2() {
                    // Frames that begin no request, such as pings, keep no connection open: the next
                    // attempt to read may find bytes again, so the time is looked at here too.
                    this.check_deadline(context)?;
                } else if this.phase != Phase::Head || this.activity.begun() != this.begun {
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
