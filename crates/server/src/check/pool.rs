//! The threads that decode and judge, and the bounded queue before them.
//!
//! A request first gets a [`Ticket`]; a tenant has as many as threads and places in the queue, all
//! together twice as many. Who finds none, or would wait longer than allowed, is turned away at once: the
//! wait is reckoned from the tenant's requests ahead, its recent time per request, and its share of the
//! threads. With a ticket it may run jobs. Jobs of requests that were begun go before those of new ones,
//! so that work once started is finished; of new ones, those of the tenant whose jobs took least of the
//! threads' time go first, so that the heavy photos of one delay another by no more than those that run.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{io, thread};

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::check::shares::{Grant, Shares, Tenant};

/// Most tenants without a request whose recent times are remembered.
const MOST_REMEMBERED: usize = 1024;

type Work = Box<dyn FnOnce() + Send>;

/// Threads for CPU-bound work. Dropping it lets them finish what is queued and end.
pub struct Pool {
    shared: Arc<Shared>,
    admission: Shares,
    threads: usize,
    /// Longest wait that a request is let in for.
    most_wait: Duration,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    progress: Progress,
}

/// How long a tenant's requests kept a thread lately: a moving average of each lane's jobs. Zero: none
/// has run yet.
#[derive(Default, Clone, Copy)]
struct Recent {
    fresh: Duration,
    begun: Duration,
}

impl Recent {
    /// A job counts for this share of the average: some thirty requests are remembered.
    const WEIGHT: u32 = 16;

    fn add(&mut self, lane: Lane, took: Duration) {
        let average = match lane {
            Lane::Fresh => &mut self.fresh,
            Lane::Begun => &mut self.begun,
            Lane::Whole => {
                // As two jobs, of which the second had nothing to do.
                self.add(Lane::Begun, Duration::ZERO);
                &mut self.fresh
            }
        };
        let after = if average.is_zero() {
            took
        } else {
            *average - *average / Self::WEIGHT + took / Self::WEIGHT
        };
        *average = after.max(Duration::from_micros(1));
    }

    /// One request, from its first job to its last.
    fn request(&self) -> Duration {
        self.fresh + self.begun
    }
}

/// What is known of a tenant.
#[derive(Default)]
struct Account {
    recent: Recent,
    /// Time that its jobs kept threads, raised to [`Queue::floor`] when it comes back.
    used: Duration,
    /// Its requests that are running or waiting.
    requests: usize,
    fresh: VecDeque<Work>,
}

/// Whether the threads get anywhere.
struct Progress {
    began: Instant,
    /// When a job last began or ended; microseconds since `began`.
    moved: AtomicU64,
}

impl Progress {
    fn note(&self) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.moved.store(micros, Ordering::Release);
    }

    fn since(&self) -> Duration {
        let moved = Duration::from_micros(self.moved.load(Ordering::Acquire));
        self.began.elapsed().saturating_sub(moved)
    }
}

#[derive(Default)]
struct Queue {
    begun: VecDeque<Work>,
    accounts: HashMap<Tenant, Account>,
    /// What the tenant whose turn it was last had used: one that comes back does not get more than the
    /// others for having been away.
    floor: Duration,
    running: usize,
    closed: bool,
}

impl Queue {
    fn account(&mut self, tenant: &Tenant) -> &mut Account {
        self.accounts.entry(tenant.clone()).or_default()
    }

    fn waiting(&self) -> usize {
        let fresh = self.accounts.values().map(|account| account.fresh.len());
        self.begun.len() + fresh.sum::<usize>()
    }

    /// A request of the tenant begins.
    fn enter(&mut self, tenant: &Tenant) {
        let floor = self.floor;
        let account = self.account(tenant);
        if account.requests == 0 {
            account.used = account.used.max(floor);
        }
        account.requests += 1;
        if self.accounts.len() > MOST_REMEMBERED {
            self.accounts.retain(|_, account| account.requests > 0);
        }
    }

    fn leave(&mut self, tenant: &Tenant) {
        self.account(tenant).requests -= 1;
    }

    fn next(&mut self) -> Option<Work> {
        if let Some(work) = self.begun.pop_front() {
            return Some(work);
        }
        let waiting = self.accounts.values_mut();
        let account = waiting
            .filter(|account| !account.fresh.is_empty())
            .min_by_key(|account| account.used)?;
        self.floor = self.floor.max(account.used);
        account.fresh.pop_front()
    }
}

/// The right to run jobs. Its place is free again when it is dropped and its jobs have ended.
pub struct Ticket {
    place: Arc<Place>,
}

/// A request's place.
struct Place {
    tenant: Tenant,
    shared: Arc<Shared>,
    _grant: Grant,
}

impl Place {
    fn took(&self, lane: Lane, took: Duration) {
        let mut queue = self.shared.lock();
        let account = queue.account(&self.tenant);
        account.recent.add(lane, took);
        account.used += took;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.lock().leave(&self.tenant);
    }
}

/// Which jobs go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The first job of a request.
    Fresh,
    /// A later job of a request.
    Begun,
    /// The only job of a request; it waits as a first one does.
    Whole,
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
            progress: Progress {
                began: Instant::now(),
                moved: AtomicU64::new(0),
            },
        });
        let places = u32::try_from(2 * threads * (1 + queue)).unwrap_or(u32::MAX);
        let pool = Self {
            shared: Arc::clone(&shared),
            admission: Shares::new(places),
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

    /// A ticket, or `None` when the tenant's queue is full or its wait too long.
    #[must_use]
    pub fn admit(&self, tenant: &Tenant) -> Option<Ticket> {
        if self.wait(tenant) > self.most_wait {
            return None;
        }
        Some(self.ticket(tenant, self.admission.take(tenant, 1)?))
    }

    /// A ticket as soon as there is one, in the order in which they were asked for; `None` when there
    /// was none by the deadline.
    pub async fn admit_by(&self, tenant: &Tenant, deadline: Instant) -> Option<Ticket> {
        let grant = timeout_at(deadline, self.admission.turn(tenant, 1)).await;
        Some(self.ticket(tenant, grant.ok()?))
    }

    fn ticket(&self, tenant: &Tenant, grant: Grant) -> Ticket {
        self.shared.lock().enter(tenant);
        Ticket {
            place: Arc::new(Place {
                tenant: tenant.clone(),
                shared: Arc::clone(&self.shared),
                _grant: grant,
            }),
        }
    }

    /// Whether [`Pool::admit`] would turn a request of the tenant away now.
    #[must_use]
    pub fn is_full(&self, tenant: &Tenant) -> bool {
        !self.admission.has(tenant, 1) || self.wait(tenant) > self.most_wait
    }

    /// How long a request of the tenant that came now would wait for its share of the threads: its
    /// requests ahead, at its recent time per request. Nothing before its first one has run.
    #[must_use]
    pub fn wait(&self, tenant: &Tenant) -> Duration {
        if self.busy() < self.threads {
            return Duration::ZERO;
        }
        let (held, tenants) = self.admission.held(tenant);
        let tenants = tenants + usize::from(held == 0);
        // Counted in units of a thread shared by all tenants: each has `threads` of them.
        let ahead = (held as usize + 1) * tenants;
        let Some(ahead) = ahead.checked_sub(self.threads) else {
            return Duration::ZERO;
        };
        let recent = {
            let queue = self.shared.lock();
            let account = queue.accounts.get(tenant);
            account.map_or(Duration::ZERO, |account| account.recent.request())
        };
        recent.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX))
            / u32::try_from(self.threads).unwrap_or(u32::MAX)
    }

    /// When a request that was turned away should come back: once the wait is short enough again,
    /// a second at least.
    #[must_use]
    pub fn come_back(&self, tenant: &Tenant) -> Duration {
        const LEAST: Duration = Duration::from_secs(1);
        self.wait(tenant).saturating_sub(self.most_wait).max(LEAST)
    }

    /// Tickets out: requests that are running or waiting.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.admission.used() as usize
    }

    /// Jobs that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting()
    }

    /// Whether every thread has been at the same job for so long.
    #[must_use]
    pub fn stalled_for(&self, time: Duration) -> bool {
        let running = self.shared.lock().running;
        running == self.threads && self.shared.progress.since() > time
    }

    /// Queues a job, which keeps the ticket's place until it has ended or is dropped unrun. What it has left over is
    /// dropped by its thread, once the result is on its way.
    pub fn run<T: Send + 'static, Leftover>(
        &self,
        ticket: &Ticket,
        lane: Lane,
        job: impl FnOnce() -> (T, Leftover) + Send + 'static,
    ) -> Job<T> {
        let (sender, receiver) = oneshot::channel();
        let state = Arc::new(JobState::default());
        let claimed = Arc::clone(&state);
        let place = Arc::clone(&ticket.place);
        let work: Work = Box::new(move || {
            // Nobody waits any more: its request was dropped or the job cancelled.
            if sender.is_closed() || !claimed.claim(JobState::RUNNING) {
                return;
            }
            let started = Instant::now();
            let (result, leftover) = match catch_unwind(AssertUnwindSafe(job)) {
                Ok((result, leftover)) => (Ok(result), Some(leftover)),
                Err(_) => (Err(JobError::Panicked), None),
            };
            place.took(lane, started.elapsed());
            // Whoever waited may be gone by now.
            drop(sender.send(result));
            drop(leftover);
        });
        {
            let mut queue = self.shared.lock();
            match lane {
                Lane::Fresh | Lane::Whole => {
                    queue.account(&ticket.place.tenant).fresh.push_back(work);
                }
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
                if let Some(work) = queue.next() {
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
            queue.running += 1;
            drop(queue);
            self.progress.note();
            work();
            self.progress.note();
            self.lock().running -= 1;
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
