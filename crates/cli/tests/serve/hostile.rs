//! Hostile files and bodies sent to the service as a process: each gets its answer, the next honest
//! request is served, and memory stays within what docs/evidence/RELIABILITY.md promises.

use std::io::{Read, Write};

use livecheck_contract::ErrorCode;
use livecheck_server::ServerConfig;
use livecheck_testing::{drawn, hostile, http2};
use serde_json::Value;

use crate::{common::Bench, service::Service};

/// Threads that judge.
const WORKERS: usize = 2;

/// Time enough on the busiest machine: what is measured here is memory, and the truth of answers.
const FOREVER: &str = "1h";

fn start(bench: &Bench) -> Service {
    let workers = WORKERS.to_string();
    let settings = [
        ("LIVECHECK_WORKERS", workers.as_str()),
        ("LIVECHECK_JUDGE_TIMEOUT", FOREVER),
        ("LIVECHECK_UPLOAD_TIMEOUT", FOREVER),
        ("LIVECHECK_BODY_IDLE_TIMEOUT", FOREVER),
        ("LIVECHECK_HEADER_TIMEOUT", FOREVER),
        // The tests stand for clients of many addresses.
        ("LIVECHECK_MAX_CONNECTIONS_PER_ADDRESS", "0"),
    ];
    Service::demonstration(bench, &settings)
}

/// What is wrong with an answer, if anything.
fn wrong(status: u16, body: &Value, answers: &[&str]) -> Option<String> {
    let code = body["error_code"].as_str().unwrap_or("none");
    let known = ErrorCode::ALL
        .into_iter()
        .find(|known| known.code() == code);
    let statuses = match code {
        "004" => vec![400, 415],
        _ => known.map(ErrorCode::http_status).into_iter().collect(),
    };
    let right = answers.contains(&code)
        && statuses.contains(&status)
        && body["error_message"].as_str() == known.map(ErrorCode::message);
    (!right).then(|| format!("must get {}, got {status}: {body}", answers.join(" or ")))
}

/// That an ordinary photo is served: it is read and shows nobody.
#[track_caller]
fn serves_on(service: &Service) {
    let (status, body) = service.judge(&service.key, &drawn::jpeg(400, 400));
    assert_eq!(wrong(status, &body, &["051"]), None);
}

#[test]
fn every_hostile_file_gets_its_answer_over_http() {
    let bench = Bench::new();
    let service = start(&bench);
    let mut findings = Vec::new();
    for file in hostile::files() {
        let (status, body) = service.judge(&service.key, &file.file);
        if let Some(finding) = wrong(status, &body, file.answers) {
            findings.push(format!("{}: {finding}", file.name));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    serves_on(&service);
    assert_eq!(service.metric("livecheck_panics_total"), 0.0);
    within(&service, "after hostile files", 1);
    assert!(service.stop());
}

#[test]
fn every_hostile_body_gets_its_answer() {
    let bench = Bench::new();
    let service = start(&bench);
    let mut findings = Vec::new();
    for body in hostile::bodies() {
        let (status, answer) = service.post(body.content_type, &body.body);
        if let Some(finding) = wrong(status, &answer, body.answers) {
            findings.push(format!("{} ({}): {finding}", body.name, body.why));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    serves_on(&service);
    within(&service, "after hostile bodies", 0);
    assert!(service.stop());
}

#[test]
fn the_dearest_files_stay_within_the_memory_of_a_worker() {
    let bench = Bench::new();
    let files = hostile::heavy();
    for file in &files {
        // A service for each, so that its peak is that file's.
        let service = start(&bench);
        serves_on(&service);
        let (status, body) = service.judge(&service.key, &file.file);
        assert_eq!(wrong(status, &body, file.answers), None, "{}", file.name);
        serves_on(&service);
        within(&service, &file.name, 1);
        assert!(service.stop());
    }
}

/// Asserts the bound of the resident memory that `busy` threads reached, and shows it.
#[track_caller]
fn within(service: &Service, when: &str, busy: u64) {
    let Some(peak) = service.peak_kib() else {
        eprintln!("!!! LEFT OUT: this system does not tell a process's peak memory");
        return;
    };
    eprintln!("{when}: peak {} MiB", peak / 1024);
    let settings = ServerConfig::default().memory_bound(1);
    let bound = (settings.at_rest + busy * settings.each_worker) / 1024;
    assert!(peak <= bound, "{when}: {peak} KiB, at most {bound}");
}

/// Files that come and go for other reasons: connections of honest clients, of the database.
const SPARE: usize = 20;

/// Rude clients of each kind.
const RUDE: usize = 50;

#[test]
fn rude_clients_do_not_keep_an_honest_one_from_its_answer() {
    let bench = Bench::new();
    let service = start(&bench);
    serves_on(&service);
    let before = service.open_files();
    let head = format!(
        "POST /liveness/ HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100000\r\n\r\nimage_bytes=AAAA",
        service.key
    );
    let deaf = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20);
    let mut clients = Vec::new();
    for _ in 0..RUDE {
        for beginning in ["", "POST /liv", head.as_str(), deaf.as_str()] {
            let mut client = service.connect();
            client.write_all(beginning.as_bytes()).expect("it is taken");
            clients.push(client);
        }
        // And one that leaves in the middle.
        let mut leaver = service.connect();
        leaver.write_all(head.as_bytes()).expect("it is taken");
    }
    serves_on(&service);
    if let Some(before) = before {
        let files = service.open_files().expect("as before");
        // Not counted from `before`: a connection of the check before it may still have been open.
        assert!(files >= clients.len(), "{files} files, {before} before");
        drop(clients);
        while service.open_files().expect("as before") > before + SPARE {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    serves_on(&service);
    within(&service, "after rude clients", 0);
    assert!(service.stop());
}

/// HTTP/2 connections whose answers nobody reads.
const DEAF: usize = 150;

/// Requests at once that each of them is allowed.
const DEAF_STREAMS: usize = 16;

/// `answer_memory`, KiB.
const ANSWERS_KIB: u64 = 32 * 1024;

/// What a second flood may leave beyond the first, KiB: memory is used again, not added.
const AGAIN_KIB: u64 = 16 * 1024;

#[test]
fn answers_that_nobody_reads_on_http2_stay_within_their_memory() {
    let bench = Bench::new();
    let settings = [
        ("LIVECHECK_MAX_CONNECTIONS_PER_ADDRESS", "0"),
        ("LIVECHECK_WRITE_TIMEOUT", FOREVER),
        ("LIVECHECK_HEADER_TIMEOUT", FOREVER),
    ];
    let service = Service::demonstration(&bench, &settings);
    serves_on(&service);
    // No window at all, and more requests than one connection may have at once.
    let mut frames = http2::preface(0);
    for request in 0..64 {
        frames.extend(http2::get(2 * request + 1, "/metrics"));
    }
    let answered = || {
        let name = "livecheck_http_requests_total{route=\"/metrics\",status=\"200\",code=\"\"}";
        service.metric(name) as usize
    };
    let held = || service.metric("livecheck_answer_memory_bytes");
    // One answer counts itself only in the next.
    held();
    let at_rest = ServerConfig::default().memory_bound(1).at_rest / 1024;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let (before, first) = (service.resident_kib(), answered());
        let clients: Vec<_> = (0..DEAF)
            .map(|_| {
                let mut client = service.connect();
                client.write_all(&frames).expect("it is taken");
                client
            })
            .collect();
        // Connections that are closed, since the memory is full, leave theirs unanswered.
        while answered() - first < DEAF * DEAF_STREAMS / 2 {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        serves_on(&service);
        drop(clients);
        while held() > 1e6 {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        serves_on(&service);
        let memory = (before, service.peak_kib(), service.resident_kib());
        if let (Some(before), Some(peak), Some(after)) = memory {
            eprintln!("{before} KiB before, {peak} at the peak, {after} after");
            assert!(peak <= at_rest + ANSWERS_KIB, "{peak} KiB at the peak");
            assert!(after <= at_rest, "{after} KiB after");
            kept.push(after);
        }
    }
    assert!(
        kept.last() <= kept.first().map(|first| first + AGAIN_KIB).as_ref(),
        "{kept:?} KiB"
    );
    assert!(service.stop());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let bench = Bench::new();
    let service = start(&bench);
    let requests: String = (0..20)
        .map(|number| {
            let path = if number % 2 == 0 {
                "/healthz"
            } else {
                "/nothing"
            };
            let last = if number == 19 {
                "connection: close\r\n"
            } else {
                ""
            };
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-request-id: n{number}\r\n{last}\r\n")
        })
        .collect();
    let mut client = service.connect();
    client.write_all(requests.as_bytes()).expect("it is taken");
    let mut answers = String::new();
    client.read_to_string(&mut answers).expect("text");
    let statuses: Vec<&str> = answers
        .matches("HTTP/1.1 200")
        .chain(answers.matches("HTTP/1.1 404"))
        .collect();
    assert_eq!(statuses.len(), 20, "{answers}");
    let places: Vec<_> = (0..20)
        .map(|number| answers.find(&format!("x-request-id: n{number}\r\n")))
        .collect();
    assert!(places.iter().all(Option::is_some), "{answers}");
    assert!(places.is_sorted(), "{answers}");
    assert!(service.stop());
}

#[test]
fn a_flood_of_headers_is_cut_off() {
    let bench = Bench::new();
    let service = start(&bench);
    let mut client = service.connect();
    let mut reader = client.try_clone().expect("a second handle");
    let flood = std::thread::spawn(move || {
        let lines = b"x-filler: yyyyyyyyyyyyyyyy\r\n".repeat(100);
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n")
            .expect("it is taken");
        while client.write_all(&lines).is_ok() {}
    });
    let mut answer = Vec::new();
    // The system may end the connection with a reset once the answer is through.
    let _: std::io::Result<usize> = reader.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(answer.contains("\"error_code\":\"004\""), "{answer}");
    flood.join().expect("it ends");
    serves_on(&service);
    assert!(service.stop());
}
