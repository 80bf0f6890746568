//! Judges photos on threads of our own, while the interpreter is free for others.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread,
    time::Duration,
};

use livecheck_contract::Row;
use livecheck_engine::{Engine, Rejection, Verdict};
use pyo3::{exceptions::PyRuntimeError, prelude::*};

use crate::{
    answer,
    photos::{Input, Job},
    table::Rows,
};

/// Photos per thread that are taken out of the input and not judged yet: one in work, one that waits.
const PER_THREAD: usize = 2;

/// How long a pressed Ctrl-C waits until somebody looks.
const SIGNALS: Duration = Duration::from_millis(50);

/// Judges one photo, whatever is in it. Without the interpreter.
pub(crate) fn judge(engine: &Engine, photo: Option<&[u8]>) -> Result<Verdict, Rejection> {
    let Some(photo) = photo else {
        return Err(Rejection::UnreadableImage(
            "the photo is missing: the value is null".to_owned(),
        ));
    };
    catch_unwind(AssertUnwindSafe(|| engine.check(photo)))
        .unwrap_or_else(|_| Err(Rejection::Internal("the engine panicked".to_owned())))
}

/// Judges all photos on `threads` threads; the rows are in the photos' order. Called without the
/// interpreter, which it takes to get at photos.
///
/// # Errors
/// What `input` raises, `KeyboardInterrupt`, and threads that the system does not give. What was
/// begun is finished then, and nothing else is begun.
pub(crate) fn judge_all(
    engine: &Engine,
    mut input: Input,
    threads: NonZeroUsize,
) -> PyResult<Rows> {
    let most = threads.get() * PER_THREAD;
    let (jobs, queue) = mpsc::sync_channel(most);
    let (results, rows) = mpsc::channel();
    let pool = Pool {
        engine,
        queue: Mutex::new(queue),
        stopped: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        // Dropped at the end, which ends the threads.
        let jobs = jobs;
        for _ in 0..threads.get() {
            let (pool, results) = (&pool, results.clone());
            thread::Builder::new()
                .name("livecheck".to_owned())
                .spawn_scoped(scope, move || pool.work(&results))?;
        }
        drop(results);
        let judged = pass_on(&mut input, most, &jobs, &rows);
        pool.stopped.store(judged.is_err(), Ordering::Relaxed);
        judged
    })
}

/// Gives photos to the threads and takes their rows.
fn pass_on(
    input: &mut Input,
    most: usize,
    jobs: &SyncSender<Job>,
    incoming: &Receiver<(usize, Row)>,
) -> PyResult<Rows> {
    let gone = || PyRuntimeError::new_err("the judging threads have stopped");
    let mut rows = Rows::new();
    let mut early = BTreeMap::new();
    let (mut begun, mut taken, mut due) = (0, 0, 0);
    let mut more = true;
    loop {
        Python::attach(|py| {
            py.check_signals()?;
            while more && begun - taken < most {
                match input.next(py)? {
                    // There is room for as many as are taken: it does not wait.
                    Some(job) => jobs.send(job).map_err(|_| gone())?,
                    None => {
                        more = false;
                        break;
                    }
                }
                begun += 1;
            }
            PyResult::Ok(())
        })?;
        if taken == begun {
            return Ok(rows);
        }
        let first = match incoming.recv_timeout(SIGNALS) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
        };
        for (at, row) in first.into_iter().chain(incoming.try_iter()) {
            taken += 1;
            early.insert(at, row);
        }
        while let Some(row) = early.remove(&due) {
            rows.push(&row)?;
            due += 1;
        }
    }
}

struct Pool<'a> {
    engine: &'a Engine,
    queue: Mutex<Receiver<Job>>,
    stopped: AtomicBool,
}

impl Pool<'_> {
    fn work(&self, results: &Sender<(usize, Row)>) {
        while let Some(Job { at, photo, name }) = self.next() {
            let outcome = judge(self.engine, photo.bytes());
            let row = answer::row(name, &outcome);
            if results.send((at, row)).is_err() {
                return;
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let job = queue.recv().ok()?;
        (!self.stopped.load(Ordering::Relaxed)).then_some(job)
    }
}
