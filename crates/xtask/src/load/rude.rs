//! Clients that hold, flood or drop connections, and an honest one beside them, which must still
//! be served within twice its usual time.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Latencies, Target,
    client::{self, Connection},
    process,
    requests::Requests,
};

/// Most by which the honest client's median time may grow.
const MOST_GROWTH: f64 = 2.0;

/// Rude clients of each kind at once.
const MANY: usize = 500;

/// Clients of the kinds that send as fast as they can.
const FAST: usize = 8;

/// Requests in one go on a connection.
const PIPELINED: usize = 20;

/// Pause of the clients that drop connections, so that the load is theirs and not the machine's.
const PAUSE: Duration = Duration::from_millis(20);

type Attack = fn(&Target, &mut JoinSet<()>);

/// Every kind of rude client.
const ATTACKS: [(&str, Attack); 6] = [
    ("500 clients that send a byte a second", drip),
    ("500 connections that say nothing", half_open),
    ("8 clients that pipeline 20 requests at a time", pipeline),
    ("8 clients that send headers without end", flood),
    ("8 clients that leave in the middle of a body", leave),
    ("500 clients that never read", deaf),
];

pub(super) async fn all(target: &Target, seconds: u64) -> Result<()> {
    let requests = Requests::new(target).await?;
    println!("photos: {}", requests.source);
    let usual = honest(target, &requests, seconds).await?;
    let before = process::usage(target.pid)?;
    show("alone", &usual, before);
    let mut slowed = Vec::new();
    for (name, attack) in ATTACKS {
        let mut clients = JoinSet::new();
        attack(target, &mut clients);
        // They are there before the honest one counts.
        sleep(Duration::from_secs(1)).await;
        let times = honest(target, &requests, seconds).await?;
        show(name, &times, process::usage(target.pid)?);
        clients.shutdown().await;
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
