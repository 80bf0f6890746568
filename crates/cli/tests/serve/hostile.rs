//! Nasty files and bodies sent to the service as a process: each gets its answer, the next honest
//! request is served, and memory stays within what docs/RELIABILITY.md promises.

use std::io::{Read, Write};

use livecheck_engine::ErrorCode;
use livecheck_server::ServerConfig;
use livecheck_testing::{drawn, nasty};
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
fn every_nasty_file_gets_its_answer_over_http() {
    let bench = Bench::new();
    let service = start(&bench);
    let mut findings = Vec::new();
    for file in nasty::files() {
        let (status, body) = service.judge(&service.key, &file.file);
        if let Some(finding) = wrong(status, &body, file.answers) {
            findings.push(format!("{}: {finding}", file.name));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    serves_on(&service);
    assert_eq!(service.metric("livecheck_panics_total"), 0.0);
    within(&service, "after nasty files", 1);
    assert!(service.stop());
}

#[test]
fn every_nasty_body_gets_its_answer() {
    let bench = Bench::new();
    let service = start(&bench);
    let mut findings = Vec::new();
    for body in nasty::bodies() {
        let (status, answer) = service.post(body.content_type, &body.body);
        if let Some(finding) = wrong(status, &answer, body.answers) {
            findings.push(format!("{} ({}): {finding}", body.name, body.why));
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    serves_on(&service);
    within(&service, "after nasty bodies", 0);
    assert!(service.stop());
}

#[test]
fn the_dearest_files_stay_within_the_memory_of_a_worker() {
    let bench = Bench::new();
    let files = nasty::heavy();
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
