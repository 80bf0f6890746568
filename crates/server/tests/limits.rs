//! Hostile and unlucky clients: slow, endless, too many, gone. Every time-out here is short and
//! only its outcome is asserted, never how long it took.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::flaky::flaky;
use common::{
    HUGE, Running, Scripted, config, image_form, raw, read_all, send, start, start_on, start_with,
    until,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

fn head(server: &Running, extra: &str) -> String {
    format!(
        "POST /liveness/ HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n{extra}\r\n",
        server.key
    )
}

#[track_caller]
fn assert_raw_error(answer: &str, status: u16, code: &str) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer:?}"
    );
    assert!(
        answer.contains(&format!("\"error_code\":\"{code}\"")),
        "{answer:?}"
    );
    assert!(answer.contains("x-request-id: "), "{answer:?}");
    assert!(
        answer.contains("content-type: application/json"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_gigabyte_that_is_announced_is_refused_unread() {
    let server = start().await;
    let answer = raw(
        server.address,
        head(&server, "content-length: 1073741824\r\n").as_bytes(),
    )
    .await;
    assert_raw_error(&answer, 413, "003");
}

#[tokio::test]
async fn size_comes_before_the_content_type_and_after_the_key() {
    let server = start().await;
    let announce = |key: &str| {
        format!(
            "POST /liveness/ HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: text/plain\r\ncontent-length: 1073741824\r\n\r\n"
        )
    };
    assert_raw_error(
        &raw(server.address, announce(&server.key).as_bytes()).await,
        413,
        "003",
    );
    assert_raw_error(
        &raw(server.address, announce("x").as_bytes()).await,
        401,
        "001",
    );
}

/// The client goes on sending for ever; it gets its answer all the same.
#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let server = start().await;
    for field in ["image_bytes=", "other="] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        writer
            .write_all(head(&server, "transfer-encoding: chunked\r\n").as_bytes())
            .await
            .unwrap();
        writer
            .write_all(format!("{:x}\r\n{field}\r\n", field.len()).as_bytes())
            .await
            .unwrap();
        let sender = tokio::spawn(async move {
            let chunk = [b"10000\r\n".as_slice(), &[b'A'; 65536], b"\r\n"].concat();
            while writer.write_all(&chunk).await.is_ok() {}
        });
        let mut answer = Vec::new();
        // The system may end the connection with a reset once the answer is through.
        let _ = reader.read_to_end(&mut answer).await;
        assert_raw_error(&String::from_utf8_lossy(&answer), 413, "003");
        sender.await.unwrap();
    }
    server.check(b"live").await.assert_live();
}

/// The answer comes before the body was read, and the client, which sends first and reads later,
/// must still see it.
#[tokio::test]
async fn an_early_answer_reaches_a_client_that_sends_first() {
    let server = start().await;
    let image = vec![b'x'; 8 * 1024 * 1024];
    for _ in 0..5 {
        let request = server.post_as("wrong").multipart(image_form(&image));
        send(request).await.assert_error(401, "001");
        // What a client sends that would rather speak HTTP/2 (Java's does).
        let request = server.post_as("wrong").multipart(image_form(&image));
        let upgrade = request.header("connection", "Upgrade, HTTP2-Settings");
        let upgrade = upgrade.header("upgrade", "h2c");
        send(upgrade).await.assert_error(401, "001");
    }
}

#[tokio::test]
async fn a_connection_whose_body_was_left_unread_is_given_up() {
    let server = start().await;
    let refused = send(server.post_as("lck_wrong").multipart(image_form(b"live"))).await;
    assert_eq!(
        refused.assert_error(401, "001").header("connection"),
        "close"
    );
    let judged = server.check(b"live").await;
    assert!(!judged.assert_live().headers.contains_key("connection"));
}

#[tokio::test]
async fn a_silent_body_is_cut_off() {
    let mut config = config();
    config.times.body_idle_timeout = SHORT;
    let server = start_with(config, Scripted::default()).await;
    let request = head(&server, "content-length: 100\r\n") + "image_bytes=";
    assert_raw_error(&raw(server.address, request.as_bytes()).await, 408, "004");
}

#[tokio::test]
async fn a_dripping_body_is_cut_off() {
    let mut config = config();
    config.times.body_idle_timeout = SHORT;
    config.times.min_upload_rate = 100_000;
    let server = start_with(config, Scripted::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(head(&server, "content-length: 100000\r\n").as_bytes())
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut answer = String::new();
    let _ = reader.read_to_string(&mut answer).await;
    assert_raw_error(&answer, 408, "004");
    assert!(answer.contains("at least"), "{answer}");
    drip.abort();
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_cut_off_however_busy() {
    let mut config = config();
    config.times.upload_timeout = SHORT;
    let server = start_with(config, Scripted::default()).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    writer
        .write_all(head(&server, "content-length: 1000000\r\n").as_bytes())
        .await
        .unwrap();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut answer = String::new();
    let _ = reader.read_to_string(&mut answer).await;
    assert_raw_error(&answer, 408, "004");
    drip.abort();
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let mut config = config();
    config.times.header_timeout = SHORT;
    let server = start_with(config, Scripted::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"POST /liveness/ HTTP/1.1\r\nhost: ")
        .await
        .unwrap();
    assert_eq!(read_all(&mut stream).await, "");
    // Nor does saying nothing at all help, nor a second head on a connection.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET ")
        .await
        .unwrap();
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let mut config = config();
    config.times.keep_alive_timeout = SHORT;
    config.times.header_timeout = SHORT;
    let server = start_with(config, Scripted::default()).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(read_all(&mut idle).await.starts_with("HTTP/1.1 200"));

    let waiting = tokio::spawn(server.post().multipart(image_form(b"gate")).send());
    until(async || server.judge.gate.waiting() == 1).await;
    tokio::time::sleep(SHORT * 4).await;
    server.judge.gate.open();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn an_oversized_head_gets_the_envelope() {
    let server = start().await;
    // By default 16 KiB; the last is larger than all that is read at once.
    for (bytes, fits) in [(16_000, true), (20_000, false), (80_000, false)] {
        for request in [
            format!(
                "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {}\r\n\r\n",
                "y".repeat(bytes)
            ),
            format!(
                "GET /healthz?{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
                "y".repeat(bytes)
            ),
        ] {
            let answer = raw(server.address, request.as_bytes()).await;
            if fits {
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            } else {
                assert_raw_error(&answer, 431, "004");
            }
        }
    }
    let many = "x: y\r\n".repeat(500);
    let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    assert_raw_error(&raw(server.address, request.as_bytes()).await, 431, "004");
}

#[tokio::test]
async fn what_is_no_http_gets_the_envelope() {
    let server = start().await;
    for nonsense in [
        "hello\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/7.0\r\n\r\n",
    ] {
        assert_raw_error(&raw(server.address, nonsense.as_bytes()).await, 400, "004");
    }
    // Also behind a good request.
    let answer = raw(
        server.address,
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nnonsense\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_raw_error(&answer[answer.rfind("HTTP/1.1 ").unwrap()..], 400, "004");
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_the_server_well() {
    let server = start().await;
    for _ in 0..10 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = head(&server, "content-length: 1000\r\n") + "image_bytes=AAAA";
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn host_and_expect_are_as_http_demands() {
    let server = start().await;
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\nconnection: close\r\n", 400),
        (
            "GET /healthz HTTP/1.1\r\nhost: x\r\nhost: x\r\nconnection: close\r\n",
            400,
        ),
        (
            "GET /healthz HTTP/1.1\r\nhost: x\r\nexpect: coffee\r\nconnection: close\r\n",
            417,
        ),
    ] {
        let answer = raw(server.address, format!("{head}\r\n").as_bytes()).await;
        assert_raw_error(&answer, status, "004");
    }
    for head in [
        "GET /healthz HTTP/1.1\r\nhost: x\r\nexpect: 100-Continue\r\nconnection: close\r\n",
        "GET /healthz HTTP/1.0\r\n",
    ] {
        let answer = raw(server.address, format!("{head}\r\n").as_bytes()).await;
        assert!(answer.contains(" 200 OK\r\n"), "{answer}");
    }
}

/// A body that is received to its middle.
async fn half_received(server: &Running, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let extra = format!(
        "content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n",
        body.len()
    );
    stream
        .write_all(head(server, &extra).as_bytes())
        .await
        .unwrap();
    // Once it is asked to go on, its key was looked at.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body[..body.len() / 2]).await.unwrap();
    stream
}

#[tokio::test]
async fn a_key_revoked_during_an_upload_gets_no_verdict() {
    let server = start().await;
    let body = format!("image_bytes={}", common::base64(b"live and well"));
    for (revoked, answer) in [(false, 200), (true, 401)] {
        let mut stream = half_received(&server, body.as_bytes()).await;
        if revoked {
            let key = server.store.list_keys().await.unwrap();
            let key = key.into_iter().find(|key| !key.require_session).unwrap();
            let which = livecheck_store::KeySelector::Id(key.id);
            let now = livecheck_store::Clock::now(&*server.clock);
            server.store.revoke_key(&which, now).await.unwrap();
        }
        // By then every node has seen it.
        server.clock.advance(Duration::from_secs(5));
        let rest = &body.as_bytes()[body.len() / 2..];
        stream.write_all(rest).await.unwrap();
        let text = read_all(&mut stream).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {answer} ")), "{text}");
        assert_eq!(server.judge.judged.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_broken_chunk_is_malformed() {
    let server = start().await;
    let request = head(&server, "transfer-encoding: chunked\r\n") + "zz\r\n";
    assert_raw_error(&raw(server.address, request.as_bytes()).await, 400, "004");
}

/// Most bytes that lie between a server and a client that reads nothing: send and receive buffers,
/// with the system's own rounding. Without a bound Linux takes 4 MB.
const BUFFERED: usize = 1024 * 1024;

#[tokio::test]
async fn a_client_that_never_reads_holds_little_and_is_given_up() {
    let mut config = config();
    config.times.write_timeout = SHORT;
    config.times.keep_alive_timeout = FOREVER;
    let server = start_with(config, Scripted::default()).await;
    let document = server.get("/openapi.json").await.text.len();
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    let sent = tokio::spawn(async move {
        // It ends with an error when the server gives up.
        let requests = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2000);
        while deaf.write_all(&requests).await.is_ok() {}
    });
    sent.await.unwrap();
    let metrics = server.get("/metrics").await.text;
    let answered: usize = metrics
        .lines()
        .find(|line| line.contains("http_requests_total{route=\"/openapi.json\""))
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{metrics}"));
    assert!(
        answered * document < BUFFERED,
        "{answered} answers of {document} bytes"
    );
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn a_client_that_reads_byte_by_byte_is_given_up() {
    let mut config = config();
    config.times.write_timeout = SHORT;
    config.times.keep_alive_timeout = FOREVER;
    let server = start_with(config, Scripted::default()).await;
    let slow = TcpStream::connect(server.address).await.unwrap();
    let (mut reader, mut writer) = slow.into_split();
    let reads = tokio::spawn(async move {
        while reader.read_u8().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    // It ends with an error when the server gives up.
    let requests = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2000);
    while writer.write_all(&requests).await.is_ok() {}
    reads.abort();
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn lines_of_a_head_end_as_http_demands() {
    let server = start().await;
    for head in [
        "GET /healthz HTTP/1.1\nhost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\nx: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\nx: y\r\n\r\n",
        "\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let answer = raw(server.address, head.as_bytes()).await;
        assert!(!answer.is_empty(), "{head:?}");
        assert_raw_error(&answer, 400, "004");
    }
    // Behind a body, in which any line may stand.
    let body = "image_bytes=\n\n";
    let request = head(&server, &format!("content-length: {}\r\n", body.len())) + body;
    let good = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let bad = good.replace("x\r\n\r", "x\nx: y\r\n\r");
    let answers = raw(server.address, (request + good + &bad).as_bytes()).await;
    let statuses: Vec<&str> = answers
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["400", "200", "400"], "{answers}");
}

#[tokio::test]
async fn an_address_that_is_no_text_gets_the_envelope() {
    let server = start().await;
    for path in ["/demo/%c0%ae", "/docs/%ff", "/%c0%ae", "/liveness/%c0"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        assert_raw_error(&raw(server.address, request.as_bytes()).await, 404, "004");
    }
}

#[tokio::test]
async fn a_client_that_sends_no_more_gets_its_answer() {
    let server = start().await;
    for (image, status) in [(&b"live"[..], 200), (b"gate", 200), (b"two", 422)] {
        let body = format!("image_bytes={}", common::base64(image));
        let request = head(&server, &format!("content-length: {}\r\n", body.len())) + &body;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        if image == b"gate" {
            until(async || server.judge.gate.waiting() == 1).await;
            // Longer than a client that has gone takes to be noticed.
            let mut interim = [0; 50];
            stream.read_exact(&mut interim).await.unwrap();
            assert_eq!(interim, *b"HTTP/1.1 100 Continue\r\n\r\n".repeat(2));
            server.judge.gate.open();
        }
        let answer = read_all(&mut stream).await;
        let wanted = format!("HTTP/1.1 {status} ");
        assert!(answer.contains(&wanted), "{answer:?}");
    }
}

#[tokio::test]
async fn a_full_queue_turns_away_at_once() {
    let mut config = config();
    config.pool.workers = 1;
    config.pool.queue = 1;
    let server = start_with(config, Scripted::default()).await;
    let running = tokio::spawn(server.post().multipart(image_form(b"gate")).send());
    until(async || server.judge.gate.waiting() == 1).await;
    let queued = tokio::spawn(server.post().multipart(image_form(b"live")).send());
    until(async || {
        server
            .get("/metrics")
            .await
            .text
            .contains("livecheck_pool_tickets 2")
    })
    .await;

    let refused = server.check(b"live").await;
    refused.assert_error(503, "005");
    assert_eq!(refused.header("retry-after"), "1");

    server.judge.gate.open();
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    assert_eq!(queued.await.unwrap().unwrap().status(), 200);
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn an_image_that_takes_too_long_is_given_up_and_its_use_returned() {
    let mut config = config();
    config.times.judge_timeout = SHORT;
    config.access.session_uses = 1;
    let server = start_with(config, Scripted::default()).await;
    let token = server.session(&server.session_key).await;
    let check = |image: &str| {
        send(
            server
                .post_as(&server.session_key)
                .header("x-session-token", &token)
                .multipart(image_form(image.as_bytes())),
        )
    };
    let late = check("gate").await;
    late.assert_error(503, "005");
    assert_eq!(late.header("retry-after"), "1");
    server.judge.gate.open();
    check("live").await.assert_live();
}

#[tokio::test]
async fn an_image_whose_client_has_gone_is_not_judged_and_does_not_count() {
    let mut config = config();
    config.pool.workers = 1;
    config.access.session_uses = 1;
    let server = start_with(config, Scripted::default()).await;
    let token = server.session(&server.session_key).await;
    let running = tokio::spawn(server.post().multipart(image_form(b"gate")).send());
    until(async || server.judge.gate.waiting() == 1).await;
    let judged = server.judge.judged.load(Ordering::SeqCst);

    let gone = tokio::spawn(
        server
            .post_as(&server.session_key)
            .header("x-session-token", &token)
            .multipart(image_form(b"live"))
            .send(),
    );
    until(async || {
        server
            .get("/metrics")
            .await
            .text
            .contains("livecheck_pool_tickets 2")
    })
    .await;
    gone.abort();
    assert!(gone.await.is_err());
    // Its ticket comes back only when the thread is free to throw the job away.
    until(async || {
        server
            .get("/metrics")
            .await
            .text
            .contains("livecheck_http_requests_in_flight 2")
    })
    .await;
    server.judge.gate.open();
    assert_eq!(running.await.unwrap().unwrap().status(), 200);
    until(async || {
        server
            .get("/metrics")
            .await
            .text
            .contains("livecheck_pool_tickets 0")
    })
    .await;
    assert_eq!(server.judge.judged.load(Ordering::SeqCst), judged);

    let same = server
        .post_as(&server.session_key)
        .header("x-session-token", &token)
        .multipart(image_form(b"live"));
    send(same).await.assert_live();
}

#[tokio::test]
async fn small_uploads_share_a_bounded_memory() {
    let mut config = config();
    config.engine.max_file_bytes = 1024 * 1024;
    config.pool.upload_memory = 16 * 1024 * 1024;
    let judge = Scripted {
        config: config.engine.to_engine().unwrap(),
        ..Scripted::default()
    };
    config.times.upload_timeout = FOREVER;
    let server = Arc::new(start_with(config, judge).await);
    // Together they have a mebibyte; each would hold most of it, and never ends.
    let (answered, mut first_answer) = tokio::sync::mpsc::unbounded_channel();
    let request = head(&server, "content-length: 1048576\r\n")
        + "image_bytes="
        + &"A".repeat(1024 * 1024 - 64);
    let request = Arc::new(request);
    let holders: Vec<_> = (0..40)
        .map(|_| {
            let (address, request, answered) =
                (server.address, Arc::clone(&request), answered.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut start = [0; 12];
                stream.read_exact(&mut start).await.unwrap();
                let _ = answered.send(start);
            })
        })
        .collect();
    assert_eq!(&first_answer.recv().await.unwrap(), b"HTTP/1.1 503");
    for holder in holders {
        holder.abort();
    }
    until(async || server.check(b"live").await.status == 200).await;
}

/// A server with memory for one large body at a time.
async fn start_narrow(body_idle_timeout: Duration) -> Running {
    let mut config = config();
    config.engine.max_file_bytes = 2 * 1024 * 1024;
    config.pool.upload_memory = 16 * 1024 * 1024;
    config.times.body_idle_timeout = body_idle_timeout;
    config.times.min_upload_rate = 0;
    let judge = Scripted {
        config: config.engine.to_engine().unwrap(),
        ..Scripted::default()
    };
    start_with(config, judge).await
}

/// A file of two mebibytes that is a live face.
fn large_file() -> Vec<u8> {
    let mut file = b"live ".to_vec();
    file.resize(2 * 1024 * 1024, b'.');
    file
}

/// A client that has announced a large body, sent the start of it, and stopped.
async fn large_body_begun(server: &Running) -> TcpStream {
    let mut holder = TcpStream::connect(server.address).await.unwrap();
    let request = head(
        server,
        "content-length: 2097152\r\nexpect: 100-continue\r\n",
    );
    holder.write_all(request.as_bytes()).await.unwrap();
    // Once it is asked to go on, its memory is taken.
    let mut asked = [0; 12];
    holder.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    holder
}

#[tokio::test]
async fn large_uploads_wait_for_their_turn_and_small_ones_pass_them() {
    let server = start_narrow(FOREVER).await;
    let holder = large_body_begun(&server).await;
    let waiting = tokio::spawn(server.post().multipart(image_form(&large_file())).send());
    for _ in 0..20 {
        server.check(b"live").await.assert_live();
    }
    assert!(!waiting.is_finished());
    drop(holder);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn large_uploads_that_wait_for_long_are_told_to_come_again() {
    let server = start_narrow(Duration::from_secs(2)).await;
    let mut holder = large_body_begun(&server).await;
    let trickle = tokio::spawn(async move {
        while holder.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let answer = send(server.post().multipart(image_form(&large_file()))).await;
    answer.assert_error(503, "005");
    trickle.abort();
    until(async || {
        let again = server.post().multipart(image_form(&large_file()));
        send(again).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn large_uploads_of_unknown_length_are_judged_too() {
    let server = start_narrow(FOREVER).await;
    let file = large_file();
    let request = format!(
        "POST /liveness/ HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary=edge\r\ntransfer-encoding: chunked\r\n\r\n",
        server.key
    );
    let mut request = request.into_bytes();
    let part = b"--edge\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n";
    let pieces = std::iter::once(&part[..])
        .chain(file.chunks(100_000))
        .chain([&b"\r\n--edge--\r\n"[..]]);
    for piece in pieces {
        request.extend(format!("{:x}\r\n", piece.len()).as_bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    for _ in 0..3 {
        let answer = raw(server.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    }
}

/// Pixels take more memory than their file, and a slow database must not make them pile up.
#[tokio::test]
async fn photos_that_wait_for_the_database_share_the_memory_too() {
    let mut config = config();
    config.engine.max_file_bytes = 1024 * 1024;
    // Photos have three quarters of it: room for one.
    config.pool.upload_memory = 2 * HUGE;
    let judge = Scripted {
        config: config.engine.to_engine().unwrap(),
        ..Scripted::default()
    };
    let memory = livecheck_store::open("sqlite::memory:").await.unwrap();
    let store = Arc::new(flaky(memory));
    let server = start_on(config, judge, Arc::clone(&store) as _).await;
    let token = server.session(&server.session_key).await;
    let check = |image: &str| {
        server
            .post_as(&server.session_key)
            .header("x-session-token", &token)
            .multipart(image_form(image.as_bytes()))
    };
    store.hold_uses();
    let waiting = tokio::spawn(check("huge").send());
    until(async || store.asked() == 1).await;
    send(check("huge")).await.assert_error(503, "005");
    store.give_uses();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    send(check("huge")).await.assert_live();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_at_once_each_get_their_own_answer() {
    let mut config = config();
    config.pool.queue = 1000;
    let server = Arc::new(start_with(config, Scripted::default()).await);
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let (image, status) = [
                    ("live", 200),
                    ("two", 422),
                    ("unreadable", 400),
                    ("panic", 500),
                ][number % 4];
                let id = format!("client-{number}");
                let request = server
                    .post()
                    .header("x-request-id", &id)
                    .multipart(image_form(image.as_bytes()));
                let answer = send(request).await;
                assert_eq!(
                    (answer.status, answer.header("x-request-id")),
                    (status, id.as_str())
                );
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
