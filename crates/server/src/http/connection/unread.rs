//! Says whether a request's body was read to its end.
//!
//! An answer that comes before the end of the body (a wrong key, a body too large) leaves an
//! HTTP/1.1 connection unusable. A client that isn't told would send its next request there.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

/// A request's body that notes when its end was reached.
pub(super) struct Watched {
    body: Incoming,
    finished: Arc<AtomicBool>,
}

/// Whether a body was left unread.
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    pub(super) fn is_left(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}

/// Watches a body, and keeps in `finished` whether its end was reached.
pub(super) fn watch(body: Incoming, finished: Arc<AtomicBool>) -> (Watched, Unread) {
    finished.store(body.is_end_stream(), Ordering::Release);
    let unread = Unread(Arc::clone(&finished));
    (Watched { body, finished }, unread)
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.finished.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
