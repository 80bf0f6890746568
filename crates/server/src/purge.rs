//! Forgets what is long over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use livecheck_store::{PURGE_BATCH, StoreError};

use crate::app::App;

/// How often sessions and images whose time ended long ago are forgotten.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);

/// Shortest pause between two steps of that; a step that took longer is followed by as long a pause.
const PURGE_PAUSE: Duration = Duration::from_millis(100);

/// Forgets what is long over, for as long as the server runs: in small steps, with pauses in which
/// others have the database to themselves.
pub(crate) async fn purge(app: Arc<App>) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = app.clock.now();
        let sessions = in_batches(|| app.store.purge_sessions(now)).await;
        told(&app, "sessions", sessions);
        let images = in_batches(|| app.store.purge_images(now)).await;
        told(&app, "images", images);
    }
}

/// Repeats a purge until nothing is left to it; how many rows it deleted before it ended or failed.
async fn in_batches<F>(mut purge: impl FnMut() -> F) -> (u64, Option<StoreError>)
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut deleted = 0;
    loop {
        let started = Instant::now();
        match purge().await {
            Err(error) => return (deleted, Some(error)),
            Ok(count) => {
                deleted += count;
                if count < PURGE_BATCH {
                    return (deleted, None);
                }
            }
        }
        tokio::time::sleep(PURGE_PAUSE.max(started.elapsed())).await;
    }
}

fn told(app: &App, what: &str, (count, error): (u64, Option<StoreError>)) {
    if count > 0 {
        tracing::debug!(count, what, "purged expired rows");
    }
    if let Some(error) = error {
        app.metrics.store_failed();
        tracing::warn!(%error, what, "expired rows could not be purged");
    }
}
