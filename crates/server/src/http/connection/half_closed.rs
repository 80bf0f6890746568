//! Clients that say that they send no more, once their request is through, and wait for its answer.
//!
//! To TCP such a client looks like one that has gone: both end what they send. hyper takes either for gone
//! and drops the request. So the end is kept from it while a whole request is under way, and the client is
//! asked: an interim answer, which every client of HTTP/1.1 must be able to skip, is taken by one that
//! waits, while the system of one that has gone refuses it, so that the next cannot be sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::activity::Activity;
use super::strict_lines::StrictLines;

const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How long after the first interim answer the second is sent: longer than the refusal takes to arrive.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long after each further one the next is sent.
const PAUSE: Duration = Duration::from_secs(1);

/// What the service knows of the request that an HTTP/1 connection is at.
pub(super) struct Request {
    pub(super) activity: Arc<Activity>,
    /// Its body was taken to its end.
    pub(super) whole: Arc<AtomicBool>,
    /// It can be answered by an interim answer first, and has no answer yet.
    pub(super) waits: AtomicBool,
    /// Its head was larger than heads may be.
    pub(super) head_too_large: Arc<AtomicBool>,
}

impl Request {
    pub(super) fn of(activity: &Arc<Activity>) -> Arc<Self> {
        Arc::new(Self {
            activity: Arc::clone(activity),
            whole: Arc::default(),
            waits: AtomicBool::new(false),
            head_too_large: Arc::default(),
        })
    }
}

pub(super) struct HalfClosed<S> {
    stream: StrictLines<S>,
    request: Arc<Request>,
    /// When the next interim answer is due; `None`: the client sends.
    due: Option<Pin<Box<Sleep>>>,
    asked: bool,
    /// Of the interim answer under way.
    rest: &'static [u8],
    /// The last bytes of an answer could not be sent yet.
    blocked: bool,
}

impl<S: AsyncWrite + Unpin> HalfClosed<S> {
    /// Heads may have `largest_head` bytes.
    pub(super) fn new(stream: S, request: Arc<Request>, largest_head: usize) -> Self {
        let too_large = Arc::clone(&request.head_too_large);
        Self {
            stream: StrictLines::new(stream, largest_head, too_large),
            request,
            due: None,
            asked: false,
            rest: &[],
            blocked: false,
        }
    }

    /// Whether the end of what the client sends is to be kept from hyper.
    fn is_waited_for(&self) -> bool {
        let request = &self.request;
        let whole = self.stream.is_between_requests() || request.whole.load(Ordering::Acquire);
        whole && !request.activity.is_http2() && !request.activity.is_idle()
    }

    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let count = ready!(self.stream.stream().poll_write(context, self.rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest = &self.rest[count..];
        }
        self.stream.stream().poll_flush(context)
    }

    /// Asks the client whether it is there, now and then, until it has its answer; `Err`: it is not.
    fn poll_ask(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while self.request.waits.load(Ordering::Acquire) && !self.blocked {
            if let Poll::Ready(result) = self.poll_interim(context) {
                result?;
            } else {
                return Ok(());
            }
            let due = self
                .due
                .get_or_insert_with(|| Box::pin(sleep(Duration::ZERO)));
            if due.as_mut().poll(context).is_pending() {
                return Ok(());
            }
            let pause = if self.asked { PAUSE } else { FIRST_PAUSE };
            due.as_mut().reset(Instant::now() + pause);
            self.asked = true;
            self.rest = INTERIM;
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HalfClosed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let ended = buffer.filled().len() == before && buffer.remaining() > 0;
        // An error is the end as well.
        if ended && self.is_waited_for() && self.poll_ask(context).is_ok() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HalfClosed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(context))?;
        let written = self.stream.stream().poll_write(context, bytes);
        self.blocked = !matches!(written, Poll::Ready(Ok(count)) if count == bytes.len());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_interim(context))?;
        self.stream.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.stream().poll_shutdown(context)
    }
}
