//! Work on many things in threads, with the results in the things' order.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::Result;

/// Does `work` on every item with this many threads, and hands each result to `take` in the
/// items' order.
///
/// # Errors
/// The first error of `take`; the threads stop then.
pub(crate) fn run<T: Sync, R: Send>(
    items: &[T],
    workers: NonZeroUsize,
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(&T, R) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    // Bounded, so that the work waits when the taker does not keep up.
    let (results, incoming) = mpsc::sync_channel(workers.get() * 4);
    thread::scope(|scope| {
        for _ in 0..workers.get().min(items.len()) {
            let (results, next, work) = (results.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((at, item)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    items.get(at).map(|item| (at, item))
                } {
                    if results.send((at, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (at, result) in incoming {
            early.insert(at, result);
            while let Some(result) = early.remove(&due) {
                take(&items[due], result)?;
                due += 1;
            }
        }
        Ok(())
    })
}
