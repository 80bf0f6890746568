//! The threads that decode and judge, and the bounded queue before them.
//!
//! A request first gets a [`Ticket`]; there are as many as threads and places in the queue. Who finds
//! none, or would wait longer than allowed, is turned away at once: the wait is reckoned from the
//! requests ahead and the recent time per request. With a ticket it may run jobs. Jobs of requests
//! that were begun go before those of new ones, so that work once started is finished.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, thread};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

type Work = Box<dyn FnOnce() + Send>;

/// Threads for CPU-bound work. Dropping it lets them finish what is queued and end.
pub struct Pool {
    shared: Arc<Shared>,
    admission: Arc<Semaphore>,
    places: usize,
    threads: usize,
    /// Longest wait that a request is let in for.
    most_wait: Duration,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    recent: Recent,
}

/// How long requests kept a thread lately, microseconds: a moving average of each lane's jobs. 0: none
/// has run yet.
#[derive(Default)]
struct Recent {
    fresh: AtomicU64,
    begun: AtomicU64,
}

impl Recent {
    /// A job counts for this share of the average: some thirty requests are remembered.
    const WEIGHT: u64 = 16;

    fn lane(&self, lane: Lane) -> &AtomicU64 {
        match lane {
            Lane::Fresh => &self.fresh,
            Lane::Begun => &self.begun,
        }
    }

    fn add(&self, lane: Lane, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let average = self.lane(lane);
        // Two threads at once may lose one of the two: it is an average.
        let before = average.load(Ordering::Relaxed);
        let after = if before == 0 {
            took
        } else {
            before - before / Self::WEIGHT + took / Self::WEIGHT
        };
        average.store(after.max(1), Ordering::Relaxed);
    }

    /// One request, from its first job to its last.
    fn request(&self) -> Duration {
        let lane = |lane| self.lane(lane).load(Ordering::Relaxed);
        Duration::from_micros(lane(Lane::Fresh) + lane(Lane::Begun))
    }
}

#[derive(Default)]
struct Queue {
    begun: VecDeque<Work>,
    fresh: VecDeque<Work>,
    closed: bool,
}

/// The right to run jobs. Its place is free again when it is dropped and its jobs have ended.
pub struct Ticket {
    permit: Arc<OwnedSemaphorePermit>,
}

/// Which jobs go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The first job of a request.
    Fresh,
    /// A later job of a request.
    Begun,
}

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JobError {
    /// It panicked; the thread lives on.
    #[error("the job panicked")]
    Panicked,
    /// It never ran.
    #[error("the job was dropped before it ran")]
    Dropped,
}

impl Pool {
    /// Starts `threads` threads (`None`: one a core), each with `queue` places for requests that
    /// wait for it, none for longer than `most_wait` as far as can be told.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(
        threads: Option<NonZeroUsize>,
        queue: usize,
        most_wait: Duration,
    ) -> io::Result<Self> {
        let threads = threads
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            recent: Recent::default(),
        });
        let places = threads * (1 + queue);
        let pool = Self {
            shared: Arc::clone(&shared),
            admission: Arc::new(Semaphore::new(places)),
            places,
            threads,
            most_wait,
        };
        for number in 0..threads {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("judge-{number}"))
                .spawn(move || shared.serve())?;
        }
        Ok(pool)
    }

    /// A ticket, or `None` when the queue is full or the wait too long.
    #[must_use]
    pub fn admit(&self) -> Option<Ticket> {
        if self.wait() > self.most_wait {
            return None;
        }
        let permit = Arc::clone(&self.admission).try_acquire_owned().ok()?;
        Some(Ticket {
            permit: Arc::new(permit),
        })
    }

    /// A ticket as soon as there is one, in the order in which they were asked for; `None` when there
    /// was none by the deadline.
    pub async fn admit_by(&self, deadline: Instant) -> Option<Ticket> {
        let permit = Arc::clone(&self.admission).acquire_owned();
        let permit = timeout_at(deadline, permit).await.ok()?.ok()?;
        Some(Ticket {
            permit: Arc::new(permit),
        })
    }

    /// Whether [`Pool::admit`] would turn a request away now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.admission.available_permits() == 0 || self.wait() > self.most_wait
    }

    /// How long a request that came now would wait for a thread: the requests ahead, at the recent
    /// time per request. Nothing before the first one has run.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let Some(ahead) = (self.busy() + 1).checked_sub(self.threads) else {
            return Duration::ZERO;
        };
        self.shared
            .recent
            .request()
            .saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX))
            / u32::try_from(self.threads).unwrap_or(u32::MAX)
    }

    /// When a request that was turned away should come back: once the wait is short enough again,
    /// a second at least.
    #[must_use]
    pub fn come_back(&self) -> Duration {
        const LEAST: Duration = Duration::from_secs(1);
        self.wait().saturating_sub(self.most_wait).max(LEAST)
    }

    /// Tickets out: requests that are running or waiting.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.places - self.admission.available_permits()
    }

    /// Jobs that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let queue = self.shared.lock();
        queue.begun.len() + queue.fresh.len()
    }

    /// Queues a job, which keeps the ticket's place until it has ended or is dropped unrun.
    pub fn run<T: Send + 'static>(
        &self,
        ticket: &Ticket,
        lane: Lane,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Job<T> {
        let (sender, receiver) = oneshot::channel();
        let state = Arc::new(JobState::default());
        let claimed = Arc::clone(&state);
        let place = Arc::clone(&ticket.permit);
        let shared = Arc::clone(&self.shared);
        let work: Work = Box::new(move || {
            let _place = place;
            // Nobody waits any more: its request was dropped or the job cancelled.
            if sender.is_closed() || !claimed.claim(JobState::RUNNING) {
                return;
            }
            let started = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(job)).map_err(|_| JobError::Panicked);
            shared.recent.add(lane, started.elapsed());
            // Whoever waited may be gone by now.
            drop(sender.send(result));
        });
        {
            let mut queue = self.shared.lock();
            match lane {
                Lane::Fresh => queue.fresh.push_back(work),
                Lane::Begun => queue.begun.push_back(work),
            }
        }
        self.shared.wake.notify_one();
        Job { receiver, state }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of one thread.
    fn serve(&self) {
        loop {
            let mut queue = self.lock();
            let work = loop {
                if let Some(work) = queue.begun.pop_front().or_else(|| queue.fresh.pop_front()) {
                    break work;
                }
                if queue.closed {
                    return;
                }
                queue = self
                    .wake
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            work();
        }
    }
}

#[derive(Default)]
struct JobState(AtomicU8);

impl JobState {
    const RUNNING: u8 = 1;
    const CANCELLED: u8 = 2;

    /// Moves on from "waiting"; only the first caller succeeds.
    fn claim(&self, next: u8) -> bool {
        self.0
            .compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// A queued job; a future of its result. Dropped before a thread took it, it never runs.
pub struct Job<T> {
    receiver: oneshot::Receiver<Result<T, JobError>>,
    state: Arc<JobState>,
}

impl<T> Job<T> {
    /// Takes the job back; `false` when a thread has begun it.
    #[must_use]
    pub fn cancel(&self) -> bool {
        self.state.claim(JobState::CANCELLED)
    }
}

impl<T> Future for Job<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|received| received.unwrap_or(Err(JobError::Dropped)))
    }
}
