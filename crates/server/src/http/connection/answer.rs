//! Answers on their way to a client: given out in pieces, counted until the last byte has left, and on
//! HTTP/2 given up when the client takes nothing of them.
//!
//! A body given to hyper whole would lie in its buffers whole, once for each stream and connection whose
//! client reads slowly.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::task::AtomicWaker;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::activity::{Activity, Working};
use super::registry::AnswerMemory;

/// Most bytes that are given to hyper at once, which copies them on HTTP/1.1.
const PIECE: usize = 16 * 1024;

/// What an answer takes besides its body: its head and the state of its stream.
const ANSWER_HEAD: usize = 2 * 1024;

tokio::task_local! {
    /// The progress of the HTTP/2 stream that the task serves.
    static PROGRESS: Arc<Progress>;
}

/// When the client of an HTTP/2 stream last took something of its answer.
#[derive(Default)]
struct Progress {
    taken_at: Mutex<Option<Instant>>,
    begun: Notify,
}

impl Progress {
    fn taken_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.taken_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer has begun, or the client took a piece of it.
    fn note(&self) {
        let first = self.taken_at().replace(Instant::now()).is_none();
        if first {
            self.begun.notify_one();
        }
    }

    /// Waits until the client has taken nothing for so long.
    async fn stalls(&self, longest: Duration) {
        self.begun.notified().await;
        loop {
            let deadline = match *self.taken_at() {
                Some(taken_at) => taken_at + longest,
                None => Instant::now() + longest,
            };
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

/// Runs the streams of one HTTP/2 connection, and resets those whose clients take nothing.
#[derive(Clone)]
pub(super) struct Streams {
    pub(super) activity: Arc<Activity>,
    pub(super) write_timeout: Duration,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let activity = Arc::clone(&self.activity);
        let write_timeout = self.write_timeout;
        tokio::spawn(async move {
            let progress = Arc::new(Progress::default());
            let served = PROGRESS.scope(Arc::clone(&progress), stream);
            tokio::select! {
                () = served => {}
                // A stream that is dropped is reset.
                () = progress.stalls(write_timeout) => tracing::debug!("a client did not read its response"),
                () = activity.close.cancelled() => {}
            }
        });
    }
}

/// The body of an answer.
pub(super) struct AnswerBody {
    body: Body,
    /// Of `body`, to be given out in pieces.
    rest: Bytes,
    begun: bool,
    http2: bool,
    held: Arc<Held>,
    _working: Working,
}

/// An answer's share of the memory, held until the last of its pieces is gone.
struct Held {
    activity: Arc<Activity>,
    memory: Arc<AnswerMemory>,
    bytes: usize,
    /// Pieces that hyper has.
    pieces: AtomicUsize,
    taken: AtomicWaker,
    progress: Option<Arc<Progress>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.activity.answered(self.bytes);
        self.memory.give_back(self.bytes);
    }
}

/// A piece of a body, noticed when it is gone.
struct Piece {
    bytes: Bytes,
    held: Arc<Held>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.held.pieces.fetch_sub(1, Ordering::AcqRel);
        self.held.activity.took();
        if let Some(progress) = &self.held.progress {
            progress.note();
        }
        self.held.taken.wake();
    }
}

impl AnswerBody {
    /// `shared`: the body lies in memory once, whoever reads it.
    pub(super) fn new(
        body: Body,
        shared: bool,
        activity: &Arc<Activity>,
        mut working: Working,
        memory: &Arc<AnswerMemory>,
    ) -> Self {
        let own = if shared { 0 } else { body.size_hint().lower() };
        let bytes = usize::try_from(own)
            .unwrap_or(usize::MAX)
            .saturating_add(ANSWER_HEAD);
        activity.answer(bytes);
        working.answered();
        memory.take(bytes);
        let http2 = activity.is_http2();
        let progress = http2.then(|| PROGRESS.try_with(Arc::clone).ok()).flatten();
        if let Some(progress) = &progress {
            progress.note();
        }
        Self {
            body,
            rest: Bytes::new(),
            begun: false,
            http2,
            held: Arc::new(Held {
                activity: Arc::clone(activity),
                memory: Arc::clone(memory),
                bytes,
                pieces: AtomicUsize::new(0),
                taken: AtomicWaker::new(),
                progress,
            }),
            _working: working,
        }
    }

    fn is_taken(&self) -> bool {
        self.held.pieces.load(Ordering::Acquire) == 0
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            if !this.rest.is_empty() {
                let bytes = this.rest.split_to(this.rest.len().min(PIECE));
                this.begun = true;
                this.held.pieces.fetch_add(1, Ordering::AcqRel);
                let piece = Piece {
                    bytes,
                    held: Arc::clone(&this.held),
                };
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))));
            }
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    // On HTTP/2 the end is told only when all was taken: a stream whose end was told
                    // could not be reset any more.
                    if this.http2 && !this.is_taken() {
                        this.held.taken.register(context.waker());
                        if !this.is_taken() {
                            return Poll::Pending;
                        }
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream() && !(self.http2 && self.begun)
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(bytes) => SizeHint::with_exact(bytes + self.rest.len() as u64),
            None => SizeHint::default(),
        }
    }
}
