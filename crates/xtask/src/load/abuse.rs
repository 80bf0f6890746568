//! Clients that hold, flood or drop connections, and an honest one next to them, which must still
//! be served within twice its usual time.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail};
use livecheck_testing::http2;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    client::{self, Connection},
    process,
    requests::Requests,
    target::{Latencies, Target},
};

/// Most by which the honest client's median time may grow.
const MOST_GROWTH: f64 = 2.0;

/// Abusive clients of each kind at once.
const MANY: usize = 500;

/// Clients of the kinds that send as fast as they can.
const FAST: usize = 8;

/// Requests in one go on a connection.
const PIPELINED: usize = 20;

/// Connections that are held open idle by each of the addresses that hold them: together they are more
/// than the service has places.
const HELD: usize = 600;

/// How often a held connection asks for something, so that it does not time out.
const HELD_ASKS: Duration = Duration::from_secs(3);

/// HTTP/2 connections at once whose responses nobody reads, from each of eight addresses.
const DEAF_HTTP2: usize = 50;

/// Requests at once on each: as many streams as the service allows.
const DEAF_STREAMS: u32 = 16;

/// HTTP/2 connections at once that stop in the middle of a body.
const SLOW_HTTP2: usize = 250;

/// Most resident memory with any of the clients above, KiB: what docs/evidence/RELIABILITY.md promises of a
/// service at rest, and `answer_memory`.
const MOST_RESIDENT_KIB: u64 = (200 + 32) * 1024;

/// Most resident memory when all of them have gone, KiB.
const MOST_AT_REST_KIB: u64 = 200 * 1024;

/// Pause of the clients that drop connections, so that the load is theirs and not the machine's.
const PAUSE: Duration = Duration::from_millis(20);

type Attack = fn(&Target, &mut JoinSet<()>);

/// Every kind of abusive client.
const ATTACKS: [(&str, Attack); 10] = [
    ("500 clients that send a byte a second", drip),
    ("500 connections that say nothing", half_open),
    ("8 clients that pipeline 20 requests at a time", pipeline),
    ("8 clients that send headers without end", flood),
    ("8 clients that leave in the middle of a body", leave),
    ("500 clients that never read", deaf),
    ("2 addresses that hold 600 idle connections each", hold),
    ("400 HTTP/2 clients that never read", deaf_http2),
    ("250 HTTP/2 clients that stop in a large body", stop_http2),
    ("8 clients that open sessions without end", sessions),
];

pub(super) async fn all(target: &Target, seconds: u64) -> Result<()> {
    let requests = Requests::new(target).await?;
    println!("photos: {}", requests.source);
    let usual = honest(target, &requests, seconds).await?;
    let before = process::usage(target.pid)?;
    show("alone", &usual, before);
    let (mut slowed, mut large) = (Vec::new(), Vec::new());
    for (name, attack) in ATTACKS {
        let mut clients = JoinSet::new();
        attack(target, &mut clients);
        // They are there before the honest one counts.
        sleep(Duration::from_secs(1)).await;
        let times = honest(target, &requests, seconds).await?;
        let usage = process::usage(target.pid)?;
        show(name, &times, usage);
        clients.shutdown().await;
        if usage.resident_kib > MOST_RESIDENT_KIB {
            large.push(name);
        }
        if times.percentile(50.0) > MOST_GROWTH * usual.percentile(50.0) {
            slowed.push(name);
        }
    }
    // Connections that were dropped are noticed at once, the half-open ones after a time-out.
    sleep(Duration::from_secs(15)).await;
    let after = process::usage(target.pid)?;
    show(
        "alone again",
        &honest(target, &requests, seconds).await?,
        after,
    );
    if after.files > before.files + 2 {
        bail!(
            "{} files are open, {} were before",
            after.files,
            before.files
        );
    }
    if !large.is_empty() || after.resident_kib > MOST_AT_REST_KIB {
        bail!(
            "more than {MOST_RESIDENT_KIB} KiB beside {large:?}; {} KiB at the end, {MOST_AT_REST_KIB} are allowed",
            after.resident_kib
        );
    }
    if !slowed.is_empty() {
        bail!("more than {MOST_GROWTH} times its usual time beside {slowed:?}");
    }
    Ok(())
}

fn show(name: &str, times: &Latencies, usage: process::Usage) {
    println!(
        "{name}: {} photos, p50 {:.1} ms, p99 {:.1} ms; {} MiB resident, {} files",
        times.0.len(),
        1e3 * times.percentile(50.0),
        1e3 * times.percentile(99.0),
        usage.resident_kib / 1024,
        usage.files
    );
}

/// One photo after the other for `seconds`, each with its answer.
async fn honest(target: &Target, requests: &Requests, seconds: u64) -> Result<Latencies> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut times = Latencies::default();
    let mut kept = None;
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        let request = requests.photo(number);
        let started = Instant::now();
        let connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(target.address).await?,
        };
        let (answer, connection) = connection.exchange(&request.bytes).await?;
        if !request.fits(&answer) {
            bail!("the honest client's {} gets {answer:?}", request.name);
        }
        times.0.push(started.elapsed().as_secs_f64());
        kept = connection;
    }
    Ok(times)
}

fn head(target: &Target, length: usize) -> String {
    format!(
        "POST /liveness/ HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\nimage_bytes=",
        target.key
    )
}

/// A client that begins again whenever the server has had enough of it.
fn again<Life>(clients: &mut JoinSet<()>, count: usize, life: impl Fn() -> Life + Clone + 'static)
where
    Life: Future<Output = std::io::Result<()>> + 'static,
{
    for _ in 0..count {
        let life = life.clone();
        clients.spawn_local(async move {
            loop {
                // Being cut off is what these clients are for.
                let _: std::io::Result<()> = life().await;
                sleep(PAUSE).await;
            }
        });
    }
}

fn drip(target: &Target, clients: &mut JoinSet<()>) {
    let (address, head) = (target.address, head(target, 100_000));
    again(clients, MANY, move || drip_once(address, head.clone()));
}

async fn drip_once(address: SocketAddr, head: String) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut answer = [0; 1024];
    loop {
        stream.write_all(b"A").await?;
        // An answer means that the server has cut it off.
        if timeout(Duration::from_secs(1), stream.read(&mut answer))
            .await
            .is_ok()
        {
            return Ok(());
        }
    }
}

fn half_open(target: &Target, clients: &mut JoinSet<()>) {
    let address = target.address;
    again(clients, MANY, move || async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.read_u8().await.map(drop)
    });
}

fn pipeline(target: &Target, clients: &mut JoinSet<()>) {
    let address = target.address;
    again(clients, FAST, move || async move {
        let one = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut stream = TcpStream::connect(address).await?;
        let mut ahead = Vec::new();
        loop {
            stream.write_all(&one.repeat(PIPELINED)).await?;
            for _ in 0..PIPELINED {
                let answer = client::read(&mut stream, &mut ahead).await?;
                assert_eq!(answer.status, 200, "a pipelined request gets {answer:?}");
            }
            sleep(PAUSE).await;
        }
    });
}

fn flood(target: &Target, clients: &mut JoinSet<()>) {
    let address = target.address;
    again(clients, FAST, move || async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await?;
        loop {
            stream
                .write_all(&b"x-filler: yyyyyyyyyyyyyyyy\r\n".repeat(100))
                .await?;
        }
    });
}

fn leave(target: &Target, clients: &mut JoinSet<()>) {
    let (address, head) = (target.address, head(target, 100_000));
    again(clients, FAST, move || {
        let head = head.clone();
        async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&[b'A'; 50_000]).await
        }
    });
}

fn deaf(target: &Target, clients: &mut JoinSet<()>) {
    let address = target.address;
    again(clients, MANY, move || async move {
        let mut stream = TcpStream::connect(address).await?;
        let one = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(&one.repeat(PIPELINED)).await?;
        // Longer than any run: it is cut off or dropped before.
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    });
}

/// A connection from one of this machine's addresses, `127.0.1.NUMBER`.
async fn connect_from(number: usize, to: SocketAddr) -> std::io::Result<TcpStream> {
    let last = u8::try_from(number).unwrap_or(u8::MAX);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 1, last], 0)))?;
    socket.connect(to).await
}

fn hold(target: &Target, clients: &mut JoinSet<()>) {
    let address = target.address;
    for number in 1..=2 {
        again(clients, HELD, move || async move {
            let mut stream = connect_from(number, address).await?;
            let mut ahead = Vec::new();
            loop {
                stream
                    .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                    .await?;
                client::read(&mut stream, &mut ahead).await?;
                sleep(HELD_ASKS).await;
            }
        });
    }
}

fn deaf_http2(target: &Target, clients: &mut JoinSet<()>) {
    let address = target.address;
    for number in 1..=8 {
        again(clients, DEAF_HTTP2, move || async move {
            let mut stream = connect_from(number, address).await?;
            let mut frames = http2::preface(0);
            for request in 0..DEAF_STREAMS {
                frames.extend(http2::get(2 * request + 1, "/metrics"));
            }
            stream.write_all(&frames).await?;
            ping(stream).await
        });
    }
}

fn stop_http2(target: &Target, clients: &mut JoinSet<()>) {
    let (address, key) = (target.address, target.key.clone());
    again(clients, SLOW_HTTP2, move || {
        let key = key.clone();
        async move {
            let mut stream = connect_from(1, address).await?;
            let fields = [
                ("x-api-key", key.as_str()),
                ("content-type", "application/x-www-form-urlencoded"),
                // So long that it waits for its turn, with what was sent by then in the window.
                ("content-length", "9000000"),
            ];
            let mut frames = http2::preface(65_535);
            frames.extend(http2::request(1, false, "POST", "/liveness/", &fields));
            for _ in 0..4 {
                frames.extend(http2::frame(http2::DATA, 0, 1, &[b'A'; 16_000]));
            }
            stream.write_all(&frames).await?;
            ping(stream).await
        }
    });
}

fn sessions(target: &Target, clients: &mut JoinSet<()>) {
    let address = target.address;
    let request = format!(
        "GET /session/ HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
        target.key
    );
    again(clients, FAST, move || {
        let request = request.clone();
        async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut ahead = Vec::new();
            loop {
                stream.write_all(request.as_bytes()).await?;
                client::read(&mut stream, &mut ahead).await?;
            }
        }
    });
}

/// Sends a ping a second, and reads no more than the system does by itself, until the server has had
/// enough.
async fn ping(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        sleep(Duration::from_secs(1)).await;
        stream.write_all(&http2::ping()).await?;
    }
}
