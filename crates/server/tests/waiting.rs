//! Who waits for a thread, and who is told at once to come back.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::time::Duration;

use common::{Scripted, config, image_form, send, start_with, until};
use futures_util::future::join_all;
use livecheck_server::ServerConfig;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_photos_at_once_on_two_threads_are_forty_answers() {
    let defaults = ServerConfig::default().pool;
    assert_eq!(defaults.queue_wait, Duration::from_secs(1));
    let mut config = config();
    config.pool.queue = defaults.queue;
    let server = start_with(config, Scripted::default()).await;
    // All wait together: two threads hold two photos until the gate opens.
    let held = join_all((0..40).map(|_| server.check(b"gate")));
    let open = async {
        until(async || server.judge.gate.waiting() == 2).await;
        server.judge.gate.open();
    };
    let (answers, ()) = tokio::join!(held, open);
    for answer in answers {
        answer.assert_live();
    }
}

#[tokio::test]
async fn a_wait_that_would_be_too_long_is_refused_at_once() {
    let mut config = config();
    config.pool.queue_wait = Duration::ZERO;
    let server = start_with(config, Scripted::default()).await;
    // From the first photo on the time per photo is known.
    server.check(b"live").await.assert_live();
    let held = || {
        let request = server.post().multipart(image_form(b"gate"));
        tokio::spawn(async move { send(request).await })
    };
    let running = [held(), held()];
    until(async || server.judge.gate.waiting() == 2).await;
    let refused = server.check(b"live").await;
    refused.assert_error(503, "005");
    assert_eq!(refused.header("retry-after"), "1");
    server.judge.gate.open();
    for answer in running {
        answer.await.unwrap().assert_live();
    }
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn the_queue_is_bounded_however_short_the_wait() {
    let mut config = config();
    config.pool.queue = 1;
    config.pool.queue_wait = Duration::from_secs(3600);
    let server = start_with(config, Scripted::default()).await;
    let held = || {
        let request = server.post().multipart(image_form(b"gate"));
        tokio::spawn(async move { send(request).await })
    };
    let in_line = [held(), held(), held(), held()];
    let line = "livecheck_pool_tickets 4\n";
    until(async || server.get("/metrics").await.text.contains(line)).await;
    server.check(b"live").await.assert_error(503, "005");
    server.judge.gate.open();
    for answer in in_line {
        answer.await.unwrap().assert_live();
    }
}
