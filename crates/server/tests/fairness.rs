//! One key cannot take what others need: each of these attacks runs against an honest client with a key
//! of its own, who loses at most one request in twenty.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Running, Scripted, config, image_form, send, start_with, until};
use livecheck_server::ServerConfig;
use livecheck_store::{Clock as _, NewKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const MIB: usize = 1024 * 1024;

async fn start_small(mut config: ServerConfig) -> Running {
    config.engine.max_file_bytes = 2 * MIB;
    let judge = Scripted {
        config: config.engine.to_engine().unwrap(),
        ..Scripted::default()
    };
    start_with(config, judge).await
}

/// The key of the honest client.
async fn another_key(server: &Running) -> String {
    let new = NewKey::named("honest");
    let now = server.clock.now();
    let (_, key) = server.store.create_key(new, now).await.unwrap();
    key.reveal().to_owned()
}

/// Sends so many photos one after the other; how many of them were not judged.
async fn lost(server: &Running, key: &str, photos: usize, file: &[u8]) -> usize {
    let mut lost = 0;
    for _ in 0..photos {
        let answer = send(server.post_as(key).multipart(image_form(file))).await;
        lost += usize::from(answer.status != 200);
    }
    lost
}

/// Clients that send this, then a byte now and then, and begin again when they are cut off.
/// `held` counts those that were asked to go on, or have sent everything.
fn slow_clients(
    server: &Running,
    count: usize,
    request: String,
) -> (JoinSet<()>, Arc<AtomicUsize>) {
    let mut clients = JoinSet::new();
    let held = Arc::new(AtomicUsize::new(0));
    let request = Arc::new(request);
    for _ in 0..count {
        let (address, request, held) = (server.address, Arc::clone(&request), Arc::clone(&held));
        clients.spawn(async move {
            loop {
                let mut stream = TcpStream::connect(address).await.unwrap();
                if stream.write_all(request.as_bytes()).await.is_err() {
                    continue;
                }
                held.fetch_add(1, Ordering::SeqCst);
                let mut answer = [0; 1024];
                loop {
                    let pause = Duration::from_millis(50);
                    let read = tokio::time::timeout(pause, stream.read(&mut answer)).await;
                    let cut_off = match read {
                        Ok(Ok(0) | Err(_)) => true,
                        Ok(Ok(read)) => !answer[..read].starts_with(b"HTTP/1.1 100"),
                        Err(_) => stream.write_all(b"A").await.is_err(),
                    };
                    if cut_off {
                        break;
                    }
                }
            }
        });
    }
    (clients, held)
}

fn head(server: &Running, kind: &str, length: usize) -> String {
    format!(
        "POST /liveness/ HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n",
        server.key
    )
}

async fn upload_memory(server: &Running) -> usize {
    let metrics = server.get("/metrics").await.text;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("livecheck_upload_memory_bytes "));
    line.and_then(|bytes| bytes.parse().ok())
        .unwrap_or_else(|| panic!("{metrics}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_large_uploads_leave_room_for_those_of_others() {
    let mut config = config();
    // Room for ten of these bodies.
    config.pool.upload_memory = 16 * 9 * MIB;
    config.times.body_idle_timeout = Duration::from_secs(2);
    config.times.min_upload_rate = 1;
    let server = start_small(config).await;
    let honest = another_key(&server).await;
    let length = 2 * MIB;
    let request = head(&server, "application/x-www-form-urlencoded", length) + "\r\nimage_bytes=";
    let (attack, held) = slow_clients(&server, 12, request);
    until(async || held.load(Ordering::SeqCst) >= 12).await;
    until(async || upload_memory(&server).await >= 4 * length).await;
    let mut file = b"live ".to_vec();
    file.resize(length, b'.');
    assert!(lost(&server, &honest, 20, &file).await <= 1);
    // The attack has gone on all the while, with nothing but its share.
    assert!(upload_memory(&server).await >= 4 * length);
    drop(attack);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_small_uploads_leave_room_for_those_of_others() {
    let mut config = config();
    // Small bodies have a sixteenth of it.
    config.pool.upload_memory = 64 * MIB;
    config.times.body_idle_timeout = Duration::from_secs(2);
    config.times.min_upload_rate = 1;
    let server = start_small(config).await;
    let honest = another_key(&server).await;
    let request = head(&server, "application/json", 900_000)
        + "\r\n{\"image_bytes\":\""
        + &"A".repeat(100_000);
    let (attack, held) = slow_clients(&server, 99, request);
    until(async || held.load(Ordering::SeqCst) >= 99).await;
    until(async || upload_memory(&server).await >= MIB).await;
    let mut file = b"live ".to_vec();
    file.resize(100_000, b'.');
    assert!(lost(&server, &honest, 42, &file).await <= 2);
    assert!(upload_memory(&server).await >= MIB);
    drop(attack);
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_that_take_long_leave_threads_to_those_of_others() {
    let mut config = config();
    config.pool.queue_wait = Duration::from_millis(50);
    let server = Arc::new(start_small(config).await);
    let honest = another_key(&server).await;
    let refused = Arc::new(AtomicUsize::new(0));
    let mut attack = JoinSet::new();
    for _ in 0..6 {
        let (server, refused) = (Arc::clone(&server), Arc::clone(&refused));
        attack.spawn(async move {
            loop {
                let answer = server.check(b"heavy").await;
                refused.fetch_add(usize::from(answer.status == 503), Ordering::SeqCst);
            }
        });
    }
    until(async || refused.load(Ordering::SeqCst) > 0).await;
    assert!(lost(&server, &honest, 55, b"live").await <= 2);
    attack.shutdown().await;
}

/// The turn goes to whose photos took least of the threads' time.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_of_another_key_passes_those_that_wait() {
    let mut config = config();
    config.pool.workers = 1;
    config.pool.queue_wait = Duration::from_secs(3600);
    let server = start_small(config).await;
    let honest = another_key(&server).await;
    let held = |image: &'static str| {
        let request = server.post().multipart(image_form(image.as_bytes()));
        tokio::spawn(async move { send(request).await })
    };
    // Its time counts from its first photo.
    server.check(b"heavy").await.assert_live();
    let mut crowd = vec![held("gate")];
    until(async || server.judge.gate.waiting() == 1).await;
    crowd.extend((0..20).map(|_| held("live")));
    let tickets = |count: usize| format!("livecheck_pool_tickets {count}\n");
    until(async || server.get("/metrics").await.text.contains(&tickets(21))).await;
    let decoded = server.judge.decoded.load(Ordering::SeqCst);
    let other = server.post_as(&honest).multipart(image_form(b"order"));
    let other = tokio::spawn(async move { send(other).await });
    until(async || server.get("/metrics").await.text.contains(&tickets(22))).await;
    server.judge.gate.open();
    other.await.unwrap().assert_live();
    for answer in crowd {
        answer.await.unwrap().assert_live();
    }
    assert_eq!(server.judge.order.load(Ordering::SeqCst), decoded + 1);
}
