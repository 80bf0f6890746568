//! HTTP/2 frames that no honest client sends, by the thousand, and an honest client beside those who send
//! them. `LIVECHECK_FRAMES_MINUTES` (`cargo xtask frames`) says for how long.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use livecheck_testing::{drawn, http2};
use serde_json::Value;

use crate::{common::Bench, make_key, minutes, process::Process, world::connect_from};

/// Clients that send such frames.
const CLIENTS: u8 = 16;

/// Connections of each of them in the short form.
const SHORT: u64 = 40;

/// What docs/RELIABILITY.md promises of a service at rest, with `answer_memory`, and of one that has
/// rested, KiB.
const MOST_KIB: u64 = (200 + 32) * 1024;

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    bytes: AtomicU64,
    ended: AtomicBool,
}

/// One connection: sends until it is closed, or has sent enough. Whether it sent anything at all.
fn attack(service: &Process, from: u8, seed: u64, counts: &Counts) -> std::io::Result<()> {
    let address = service.origin.split_once("//").expect("an address").1;
    let mut stream: TcpStream = connect_from(from, address.parse().expect("an address"))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut hostile = http2::Hostile::new(seed);
    let mut reader = stream.try_clone()?;
    let deaf = hostile.below(4) == 0;
    thread::scope(|scope| {
        if !deaf {
            scope.spawn(move || {
                let mut waste = [0; 16 * 1024];
                while reader.read(&mut waste).is_ok_and(|read| read > 0) {}
            });
        }
        let sent = (|| -> std::io::Result<()> {
            let mut frames = hostile.beginning();
            for _ in 0..=hostile.below(40) {
                stream.write_all(&frames)?;
                counts
                    .bytes
                    .fetch_add(frames.len() as u64, Ordering::Relaxed);
                frames = hostile.next_frames();
            }
            Ok(())
        })();
        let _ = stream.shutdown(std::net::Shutdown::Both);
        sent
    })
}

fn resident_kib(service: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.expect("its resident memory")
}

#[test]
fn frames_that_no_client_sends_end_nothing() {
    let minutes = minutes("LIVECHECK_FRAMES_MINUTES");
    let bench = Bench::new();
    let key = make_key(&bench, "livecheck.db");
    let settings = [("LIVECHECK_LOG_LEVEL", "warn,livecheck_server=info")];
    let service = Process::serving(&bench, &[], &settings, key).expect("it starts");
    let photo = drawn::jpeg(320, 320);
    // `false`: refused, as a machine that is busy with the frames may have to.
    let judge = || {
        let answer = ureq::get(format!("{}/session/", service.origin))
            .header("x-api-key", &service.key)
            .call();
        let mut answer = match answer {
            Err(ureq::Error::StatusCode(503)) => return false,
            answer => answer.expect("a session"),
        };
        let text = answer.body_mut().read_to_string().expect("text");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let token = body["session_token"].as_str().expect("a token");
        let headers = [
            ("x-api-key", service.key.as_str()),
            ("x-session-token", token),
        ];
        let (status, body) = service.judge_with(&headers, &photo);
        assert!(status == 422 || status == 503, "{status} {body}");
        status == 422
    };
    assert!(judge());
    let before = resident_kib(&service);
    let seed =
        std::env::var("LIVECHECK_FRAMES_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let counts = Counts::default();
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(60.0 * minutes));
    let (mut honest, mut refused, mut peak) = (0, 0, before);
    thread::scope(|scope| {
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|client| {
                let (service, counts) = (&service, &counts);
                scope.spawn(move || {
                    for number in 0.. {
                        let over = end.map_or(number >= SHORT, |end| Instant::now() >= end);
                        if over || counts.ended.load(Ordering::Relaxed) {
                            return;
                        }
                        let own = seed + number * u64::from(CLIENTS) + u64::from(client);
                        // To be closed is what these connections are for.
                        let _ = attack(service, client, own, counts);
                        counts.connections.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        while !clients.iter().all(thread::ScopedJoinHandle::is_finished) {
            if judge() {
                honest += 1;
            } else {
                refused += 1;
            }
            peak = peak.max(resident_kib(&service));
        }
    });
    assert!((0..100).any(|_| judge()), "refused without end");
    assert!(
        service.metric("livecheck_panics_total") < 1.0,
        "{}",
        service.log()
    );
    assert!(!service.log().contains("panicked"), "{}", service.log());
    let after = resident_kib(&service);
    let log = service.log();
    if let Some(line) = log.lines().find(|line| line.contains("\"status\":503")) {
        let _ = writeln!(std::io::stderr(), "the first refusal: {line}");
    }
    let _ = writeln!(
        std::io::stderr(),
        "\n{} connections, {} MiB of frames from seed {seed}; {honest} photos judged beside them, {refused} refused; \
         {} MiB before, {} at the peak, {} after\n",
        counts.connections.into_inner(),
        counts.bytes.into_inner() >> 20,
        before >> 10,
        peak >> 10,
        after >> 10
    );
    assert!(peak <= MOST_KIB, "{peak} KiB");
}
