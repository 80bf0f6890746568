//! The way of the log's lines to standard error: a bounded queue and one thread that writes.
//!
//! Whoever reads the log may stop reading (a full disk behind a pipe, a paused `docker logs`). Only
//! this thread waits for it then; lines that find no room are dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes of lines that wait to be written, some 4000 lines.
const MOST_BYTES: usize = 1024 * 1024;

/// Lines of this process that were dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines of the log have been dropped since the process started.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Takes lines and never waits.
#[derive(Clone)]
pub(super) struct Lines(Arc<Queue>);

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// Those of `lines`, and of the line that is being written.
    bytes: usize,
    /// Since when a line is being written.
    writing: Option<Instant>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under the lock can leave it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, waiting: MutexGuard<'a, Waiting>) -> MutexGuard<'a, Waiting> {
        self.changed
            .wait(waiting)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Starts the thread that writes to `sink`.
    pub(super) fn start(mut sink: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let lines = Self(Arc::clone(&queue));
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                let mut told = 0;
                loop {
                    let mut waiting = queue.lock();
                    while waiting.lines.is_empty() {
                        waiting = queue.wait(waiting);
                    }
                    let Some(line) = waiting.lines.pop_front() else {
                        continue;
                    };
                    waiting.writing = Some(Instant::now());
                    drop(waiting);
                    let written = sink.write_all(&line).is_ok();
                    if !written {
                        DROPPED.fetch_add(1, Ordering::Relaxed);
                    }
                    let mut waiting = queue.lock();
                    waiting.writing = None;
                    waiting.bytes -= line.len();
                    let idle = waiting.lines.is_empty();
                    drop(waiting);
                    queue.changed.notify_all();
                    let missing = dropped() - told;
                    if written && idle && missing > 0 {
                        told += missing;
                        tracing::warn!(
                            lines = missing,
                            "log lines were dropped: the log is read too slowly, or cannot be written"
                        );
                    }
                }
            })?;
        Ok(lines)
    }

    /// Whether a line has been on its way for longer than this.
    pub(super) fn waits_for(&self, time: Duration) -> bool {
        let writing = self.0.lock().writing;
        writing.is_some_and(|since| since.elapsed() > time)
    }

    /// Hands a line over, or drops and counts it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.bytes.saturating_add(line.len()) > MOST_BYTES {
            drop(waiting);
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line.to_vec());
        drop(waiting);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, but no longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut waiting = self.0.lock();
        while waiting.bytes > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = self
                .0
                .changed
                .wait_timeout(waiting, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// `tracing-subscriber` writes each event with one call.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
