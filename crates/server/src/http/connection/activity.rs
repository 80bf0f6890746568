//! What the parts of the server that work on one connection tell each other: whether a request is under
//! way, since when none is, and how much of its answers the client has still to read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::observability::metrics::{ConnectionGauge, ConnectionState};

/// Most bytes of unread answers on a connection with which another request of it is begun.
const UNREAD_PER_CONNECTION: usize = 128 * 1024;

/// How long a client may leave its answers untouched before its connection counts as one without a
/// request, should another need its place.
const DEAF_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Activity {
    state: Mutex<State>,
    http2: AtomicBool,
    unread: AtomicUsize,
    taken: Notify,
    /// Ends the connection at once.
    pub(super) close: CancellationToken,
}

struct State {
    requests: usize,
    /// Those of them that have their answers, which the client has still to take.
    answered: usize,
    begun: u64,
    idle_since: Instant,
    /// When the client last took something of an answer, or had taken everything.
    read_at: Instant,
    gauge: ConnectionGauge,
}

impl Activity {
    pub(super) fn new(gauge: ConnectionGauge) -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                requests: 0,
                answered: 0,
                begun: 0,
                idle_since: now,
                read_at: now,
                gauge,
            }),
            http2: AtomicBool::new(false),
            unread: AtomicUsize::new(0),
            taken: Notify::new(),
            close: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has begun; it ends when the value is dropped.
    pub(super) fn request(self: &Arc<Self>) -> Working {
        let mut state = self.state();
        state.requests += 1;
        state.begun += 1;
        state.gauge.enter(ConnectionState::Active);
        drop(state);
        Working {
            activity: Arc::clone(self),
            answered: false,
        }
    }

    /// On HTTP/2 bytes between requests are normal, and show nothing.
    pub(super) fn mark_http2(&self) {
        self.http2.store(true, Ordering::Release);
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Acquire)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state().requests == 0
    }

    /// How many requests have come.
    pub(super) fn begun(&self) -> u64 {
        self.state().begun
    }

    /// Since when no request is under way; `None`: one is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.requests == 0).then_some(state.idle_since)
    }

    /// Since when the connection only waits for its client: first those without a request, then those
    /// whose clients leave their answers untouched. `None`: the server is at work for it.
    pub(super) fn waits_since(&self) -> Option<(Waits, Instant)> {
        let state = self.state();
        if state.requests == 0 {
            return Some((Waits::ForRequest, state.idle_since));
        }
        let deaf = state.requests == state.answered && state.read_at.elapsed() >= DEAF_AFTER;
        deaf.then_some((Waits::ForReader, state.read_at))
    }

    /// Bytes of answers that the client has still to take.
    pub(super) fn unread(&self) -> usize {
        self.unread.load(Ordering::Acquire)
    }

    /// When the client last took something.
    pub(super) fn read_at(&self) -> Instant {
        self.state().read_at
    }

    /// An answer is on its way to the client.
    pub(super) fn answer(&self, bytes: usize) {
        if self.unread.fetch_add(bytes, Ordering::AcqRel) == 0 {
            self.state().read_at = Instant::now();
        }
    }

    /// The client took a piece of an answer.
    pub(super) fn took(&self) {
        self.state().read_at = Instant::now();
    }

    /// Nothing of an answer is left.
    pub(super) fn answered(&self, bytes: usize) {
        self.unread.fetch_sub(bytes, Ordering::AcqRel);
        self.taken.notify_waiters();
    }

    /// Waits while the client leaves too much unread.
    pub(super) async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            if self.unread() <= UNREAD_PER_CONNECTION {
                return;
            }
            taken.await;
        }
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waits {
    ForRequest,
    ForReader,
}

/// Marks a request under way, until its answer was handed over.
pub(super) struct Working {
    activity: Arc<Activity>,
    answered: bool,
}

impl Working {
    /// The request has its answer, which is still to be taken.
    pub(super) fn answered(&mut self) {
        if !self.answered {
            self.answered = true;
            self.activity.state().answered += 1;
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests -= 1;
        state.answered -= usize::from(self.answered);
        if state.requests == 0 {
            state.idle_since = Instant::now();
            state.gauge.enter(ConnectionState::Idle);
        }
    }
}
