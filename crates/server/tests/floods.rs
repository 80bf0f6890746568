//! Clients that take connections, streams and memory, and honest ones beside them. A wait ends as soon as
//! what it waits for is there; its bound only ends a hang.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{Answer, Running, Scripted, config, image_form, send, start_with, until};
use livecheck_server::ServerConfig;
use livecheck_testing::http2::{self, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(200);

/// Ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection from an address of this machine.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The status of a request without a body; `None` when the connection is closed instead.
async fn ask(stream: &mut TcpStream, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    // A connection that was closed may be reset under the request.
    let _: std::io::Result<()> = stream.write_all(request.as_bytes()).await;
    let answered = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length?.parse().ok()?];
        stream.read_exact(&mut body).await.ok()?;
        head[9..12].parse().ok()
    };
    timeout(PATIENCE, answered)
        .await
        .expect("an answer or an end")
}

async fn is_served(stream: &mut TcpStream) -> bool {
    ask(stream, "/healthz").await == Some(200)
}

/// An idle connection that has had an answer.
async fn idle_from(from: &str, server: &Running) -> TcpStream {
    let mut stream = connect_from(from, server.address).await;
    assert!(is_served(&mut stream).await, "from {from}");
    stream
}

/// A request that is being judged until the gate opens.
async fn busy_from(from: &str, server: &Running) -> tokio::task::JoinHandle<Answer> {
    let before = server.judge.gate.waiting();
    let client = reqwest::Client::builder().local_address(Some(from.parse().unwrap()));
    let request = client
        .build()
        .unwrap()
        .post(server.url("/liveness/"))
        .header("x-api-key", &server.key)
        .multipart(image_form(b"gate"));
    let answer = tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await });
    until(async || server.judge.gate.waiting() > before).await;
    answer
}

/// The sum of a metric over its labels.
fn metric(text: &str, name: &str) -> f64 {
    text.lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Metrics are on a listener of their own here: asking for them takes no place.
fn with_admin(mut config: ServerConfig) -> ServerConfig {
    config.network.admin_listen = Some("127.0.0.1:0".parse().unwrap());
    config.endpoints.metrics = livecheck_server::config::Exposure::Admin;
    config.endpoints.healthz = livecheck_server::config::Exposure::Public;
    config
}

async fn readiness(server: &Running) -> Answer {
    let address = server.admin.unwrap();
    let answer = reqwest::get(format!("http://{address}/readyz")).await;
    Answer::of(answer.unwrap()).await
}

async fn metrics(server: &Running) -> String {
    let address = server.admin.unwrap();
    let answer = reqwest::get(format!("http://{address}/metrics")).await;
    Answer::of(answer.unwrap()).await.text
}

#[tokio::test]
async fn when_all_places_are_taken_the_connection_that_idles_longest_makes_room() {
    let mut config = with_admin(config());
    config.network.max_connections = 3;
    let server = start_with(config, Scripted::default()).await;
    let mut first = idle_from("127.0.0.2", &server).await;
    let mut second = idle_from("127.0.0.2", &server).await;
    let mut third = idle_from("127.0.0.2", &server).await;
    // Then the second has idled for longest.
    assert!(is_served(&mut first).await);
    let mut fourth = idle_from("127.0.0.2", &server).await;
    assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0, "closed");
    for stream in [&mut first, &mut third, &mut fourth] {
        assert!(is_served(stream).await);
    }
    let metrics = metrics(&server).await;
    for line in [
        "livecheck_connections_full_total{limit=\"all\",outcome=\"made_room\"} 1",
        "livecheck_connections_full_total{limit=\"all\",outcome=\"refused\"} 0",
        "livecheck_connections{state=\"idle\"} 3",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn two_addresses_shut_nobody_out() {
    let mut config = config();
    config.network.max_connections = 64;
    config.network.max_connections_per_address = 32;
    let server = start_with(config, Scripted::default()).await;
    let mut held = Vec::new();
    for _ in 0..64 {
        for from in ["127.0.0.2", "127.0.0.3"] {
            held.push(idle_from(from, &server).await);
        }
    }
    assert!(is_served(&mut connect_from("127.0.0.4", server.address).await).await);
    server.check(b"live").await.assert_live();
}

#[tokio::test]
async fn requests_under_way_keep_their_places_and_the_health_check_is_answered() {
    let mut config = with_admin(config());
    config.network.max_connections = 2;
    let server = start_with(config, Scripted::default()).await;
    let busy = [
        busy_from("127.0.0.2", &server).await,
        busy_from("127.0.0.3", &server).await,
    ];
    // More than there are places for health checks, from one address and from another.
    let mut held = Vec::new();
    for number in 0..100 {
        let from = if number % 2 == 0 {
            "127.0.0.4"
        } else {
            "127.0.0.5"
        };
        held.push(connect_from(from, server.address).await);
    }
    let mut probe = connect_from("127.0.0.6", server.address).await;
    assert_eq!(ask(&mut probe, "/healthz").await, Some(200));
    let full = readiness(&server).await;
    assert_eq!(
        (full.status, &full.body["status"]),
        (503, &"connections full".into())
    );
    let client = reqwest::Client::builder().local_address(Some("127.0.0.7".parse().unwrap()));
    let refused = client
        .build()
        .unwrap()
        .post(server.url("/liveness/"))
        .header("x-api-key", &server.key)
        .multipart(image_form(b"live"));
    let refused = send(refused).await;
    refused.assert_error(503, "005");
    assert_eq!(refused.header("retry-after"), "1");
    let metrics = metrics(&server).await;
    assert!(
        metrics.contains("livecheck_connections{state=\"active\"} 3"),
        "two, and the one that asks: {metrics}"
    );
    assert!(
        metric(
            &metrics,
            "livecheck_connections_full_total{limit=\"all\",outcome=\"refused\"}"
        ) > 100.0
    );
    server.judge.gate.open();
    for answer in busy {
        answer.await.unwrap().assert_live();
    }
    // And there is room again.
    until(async || {
        let answer = server.check(b"live").await;
        answer.status == 200
    })
    .await;
    assert_eq!(readiness(&server).await.status, 200);
}

#[tokio::test]
async fn an_address_that_has_its_share_makes_room_for_itself_alone() {
    let mut config = with_admin(config());
    config.network.max_connections_per_address = 2;
    let server = start_with(config, Scripted::default()).await;
    let mut other = idle_from("127.0.0.3", &server).await;
    let mut first = idle_from("127.0.0.2", &server).await;
    let mut second = idle_from("127.0.0.2", &server).await;
    let mut third = idle_from("127.0.0.2", &server).await;
    assert_eq!(first.read(&mut [0]).await.unwrap_or(0), 0, "closed");
    for stream in [&mut second, &mut third, &mut other] {
        assert!(is_served(stream).await);
    }
    let metrics = metrics(&server).await;
    let line = "livecheck_connections_full_total{limit=\"address\",outcome=\"made_room\"} 1";
    assert!(metrics.contains(line), "{metrics}");

    // With requests under way it has no more to give; others do not feel it.
    let busy = [
        busy_from("127.0.0.5", &server).await,
        busy_from("127.0.0.5", &server).await,
    ];
    let mut refused = connect_from("127.0.0.5", server.address).await;
    assert_eq!(ask(&mut refused, "/openapi.json").await, Some(503));
    assert_eq!(refused.read(&mut [0]).await.unwrap_or(0), 0, "closed");
    let mut probe = connect_from("127.0.0.5", server.address).await;
    assert_eq!(ask(&mut probe, "/healthz").await, Some(200));
    let mut other = connect_from("127.0.0.6", server.address).await;
    assert_eq!(ask(&mut other, "/openapi.json").await, Some(200));
    server.judge.gate.open();
    for answer in busy {
        answer.await.unwrap().assert_live();
    }
}

/// An HTTP/2 client of bare frames.
struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Raw {
    /// With a window of so many bytes for each answer.
    async fn open(from: &str, to: SocketAddr, window: u32) -> Self {
        let mut stream = connect_from(from, to).await;
        stream.write_all(&http2::preface(window)).await.unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    async fn send(&mut self, frames: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(frames).await
    }

    /// The next frame; `None` when the connection has ended.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.received) {
                return Some(frame);
            }
            let mut piece = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await;
            match read.expect("a frame or an end") {
                Ok(count) if count > 0 => self.received.extend(&piece[..count]),
                _ => return None,
            }
        }
    }

    /// The next frame of a kind on a stream; `None` when the connection ends before.
    async fn next(&mut self, kind: u8, stream: u32) -> Option<Frame> {
        loop {
            let frame = self.frame().await?;
            if (frame.kind, frame.stream) == (kind, stream) {
                return Some(frame);
            }
        }
    }
}

#[tokio::test]
async fn http2_windows_and_streams_are_small() {
    let server = common::start().await;
    let mut client = Raw::open("127.0.0.2", server.address, 65_535).await;
    let settings = client.next(http2::SETTINGS, 0).await.unwrap();
    assert_eq!(
        settings.setting(http2::INITIAL_WINDOW_SIZE),
        Some(64 * 1024)
    );
    assert_eq!(settings.setting(http2::MAX_CONCURRENT_STREAMS), Some(16));
    let update = client.next(http2::WINDOW_UPDATE, 0).await.unwrap();
    // To what every connection begins with.
    assert_eq!(
        u32::from_be_bytes(update.payload.try_into().unwrap()) + 65_535,
        256 * 1024
    );
}

/// A form whose image is larger than all windows.
#[tokio::test]
async fn large_bodies_fit_through_the_windows() {
    let server = common::start().await;
    let client = reqwest::Client::builder().http2_prior_knowledge();
    let client = client.build().unwrap();
    let mut file = b"live ".to_vec();
    file.resize(3 * 1024 * 1024, b'.');
    let first = client.get(server.url("/healthz")).send().await.unwrap();
    // From then on the client knows how many streams it may open.
    assert_eq!(Answer::of(first).await.status, 200);
    let checks = (0..20).map(|_| {
        let request = client
            .post(server.url("/liveness/"))
            .header("x-api-key", &server.key)
            .multipart(image_form(&file));
        tokio::spawn(request.send())
    });
    for check in checks.collect::<Vec<_>>() {
        let answer = check.await.unwrap().unwrap();
        Answer::of(answer).await.assert_live();
    }
    let page = client.get(server.url("/docs/swagger-ui-bundle.js"));
    let page = page.send().await.unwrap();
    let announced: usize = page.headers()["content-length"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(page.bytes().await.unwrap().len(), announced);
}

#[tokio::test]
async fn a_stream_that_reads_nothing_is_reset_and_the_others_go_on() {
    let mut config = config();
    config.times.write_timeout = SHORT;
    config.times.keep_alive_timeout = FOREVER;
    let server = start_with(config, Scripted::default()).await;
    let mut client = Raw::open("127.0.0.2", server.address, 0).await;
    // One that reads nothing, and one that stops in the middle.
    let deaf = http2::get(1, "/openapi.json");
    let begun = [
        http2::get(3, "/openapi.json"),
        http2::window_update(3, 20_000),
    ]
    .concat();
    client.send(&[deaf, begun].concat()).await.unwrap();
    let mut reset = [client.next(http2::RST_STREAM, 1).await, None];
    let mut answered = false;
    if reset[0].is_some() {
        let next = http2::get(5, "/healthz");
        client
            .send(&[next, http2::window_update(5, 1000)].concat())
            .await
            .unwrap();
        loop {
            let frame = client.frame().await.unwrap();
            match (frame.kind, frame.stream) {
                (http2::RST_STREAM, 3) => reset[1] = Some(frame),
                // The end of the stream may come in a frame of its own.
                (http2::DATA, 5) if !frame.payload.is_empty() => {
                    assert_eq!(frame.payload, b"{\"status\":\"ok\"}");
                    answered = true;
                }
                _ => continue,
            }
            if answered && reset[1].is_some() {
                break;
            }
        }
    }
    assert!(reset.iter().all(Option::is_some), "{reset:?}");
}

#[tokio::test]
async fn a_stream_that_reads_byte_by_byte_is_reset() {
    let mut config = config();
    config.times.write_timeout = SHORT;
    config.times.keep_alive_timeout = FOREVER;
    let server = start_with(config, Scripted::default()).await;
    let mut stream = connect_from("127.0.0.2", server.address).await;
    let beginning = [http2::preface(0), http2::get(1, "/openapi.json")].concat();
    stream.write_all(&beginning).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(&http2::window_update(1, 1)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut received = Vec::new();
    let reset = async {
        loop {
            while let Some(frame) = http2::Frame::take(&mut received) {
                if frame.kind == http2::RST_STREAM {
                    return;
                }
            }
            assert!(reader.read_buf(&mut received).await.unwrap() > 0);
        }
    };
    timeout(PATIENCE, reset).await.expect("a reset");
    drip.abort();
}

#[tokio::test]
async fn pings_keep_no_connection_open() {
    let mut config = config();
    config.times.keep_alive_timeout = SHORT;
    config.times.header_timeout = SHORT;
    config.times.write_timeout = SHORT;
    let server = start_with(config, Scripted::default()).await;
    // Before any request, after an answer, and beside an answer that is never read.
    for beginning in [
        http2::preface(65_535),
        [http2::preface(65_535), http2::get(1, "/healthz")].concat(),
        [http2::preface(0), http2::get(1, "/openapi.json")].concat(),
    ] {
        let mut stream = connect_from("127.0.0.2", server.address).await;
        stream.write_all(&beginning).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let reads = tokio::spawn(async move {
            let mut waste = [0; 4096];
            while reader.read(&mut waste).await.is_ok_and(|count| count > 0) {}
        });
        let pings = async {
            while writer.write_all(&http2::ping()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(timeout(PATIENCE, pings).await.is_ok(), "still open");
        reads.await.unwrap();
    }
    assert!(is_served(&mut connect_from("127.0.0.2", server.address).await).await);
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_no_place() {
    let mut config = config();
    config.network.max_connections = 2;
    config.times.write_timeout = FOREVER;
    let server = start_with(config, Scripted::default()).await;
    let mut deaf = Vec::new();
    for _ in 0..2 {
        let mut client = Raw::open("127.0.0.2", server.address, 0).await;
        client.send(&http2::get(1, "/openapi.json")).await.unwrap();
        assert!(client.next(http2::HEADERS, 1).await.is_some());
        deaf.push(client);
    }
    until(async || {
        let mut other = connect_from("127.0.0.3", server.address).await;
        ask(&mut other, "/openapi.json").await == Some(200)
    })
    .await;
}

/// Answers that nobody reads, on one connection and on many.
#[tokio::test]
async fn answers_that_nobody_reads_share_a_bounded_memory() {
    let mut config = config();
    config.network.max_connections_per_address = 0;
    config.network.answer_memory = 1024 * 1024;
    config.times.write_timeout = FOREVER;
    config.times.keep_alive_timeout = FOREVER;
    let server = Arc::new(start_with(config, Scripted::default()).await);
    let mut deaf = Vec::new();
    for number in 0..100_u8 {
        let from = format!("127.0.1.{}", number % 8 + 1);
        let mut client = Raw::open(&from, server.address, 0).await;
        for stream in 0..16 {
            client
                .send(&http2::get(2 * stream + 1, "/metrics"))
                .await
                .unwrap();
        }
        deaf.push(client);
        // One that reads is served meanwhile, and sees what is held.
        let text = server.get("/metrics").await.text;
        let held = metric(&text, "livecheck_answer_memory_bytes");
        // Those that were closed a moment ago may not have let go yet.
        assert!(held <= 1.5 * 1024.0 * 1024.0, "{held}");
    }
    let mut closed = 0;
    let text = server.get("/metrics").await.text;
    let open = metric(&text, "livecheck_connections{");
    assert!(open < 90.0, "{open} connections are open");
    for mut client in deaf {
        // Those that were closed say so at once; the rest never would.
        let ended = async { while client.frame().await.is_some() {} };
        closed += usize::from(timeout(SHORT / 20, ended).await.is_ok());
    }
    assert!(closed > 10, "{closed}");
    until(async || {
        let text = server.get("/metrics").await.text;
        metric(&text, "livecheck_answer_memory_bytes") < 100_000.0
    })
    .await;
}
