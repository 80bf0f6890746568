//! No byte of a photo, no key and no token leaves the service but where it must: strace records
//! whatever the process writes and every file name it uses, at the most talkative log level, with
//! the audit log and the memory of images on. (Panics: `crates/server/tests/privacy.rs`.)

#[expect(dead_code, reason = "not every test file uses all of it")]
mod common;
#[path = "serve/process.rs"]
mod process;

use std::{collections::HashSet, fs, path::Path};

use common::Bench;
use livecheck_testing::{
    drawn, real,
    strace::{self, Secrets},
};
use process::Process;

/// Characters of a key that lists show; the rest is secret.
const SHOWN: usize = 8;

/// Pixels, and a marker for the places of a file that hold none, that nothing else looks like.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    // A linear congruential generator (Knuth, MMIX): the same in every run, unlike any header.
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).to_be_bytes()[7]
    };
    (0..count).map(|_| next()).collect()
}

/// A key with or without sessions, made before anything is recorded.
fn make_key(bench: &Bench, name: &str, session: bool) -> String {
    let mut arguments = vec!["keys", "create", "--name", name];
    if session {
        arguments.push("--require-session");
    }
    bench.succeed(&arguments).trim().to_owned()
}

/// A photo of a live person or an attack that gets a verdict, where the data are.
fn judged_photo() -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Row {
        image: String,
        source: String,
    }
    let folder = real::folder("a verdict under strace")?;
    let rows = real::rows::<Row>(&folder, "pad_dev");
    let wanted: HashSet<String> = rows
        .iter()
        .filter(|row| row.source == "nuaa")
        .take(1)
        .map(|row| row.image.clone())
        .collect();
    real::images(&folder, "pad_dev", &wanted)
        .into_values()
        .next()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = |chunk: &[u8]| {
        chunk
            .iter()
            .fold(0_usize, |all, byte| all << 8 | usize::from(*byte))
    };
    // Whole groups of three: no padding is needed.
    bytes
        .chunks_exact(3)
        .flat_map(|chunk| {
            [18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits(chunk) >> shift & 63]))
        })
        .collect()
}

#[test]
fn no_photo_key_or_token_gets_out() {
    let bench = Bench::new();
    let record = bench.folder.path().join("record");
    let Some(strace) = strace::wrapper("privacy under strace", &record) else {
        return;
    };
    let key = make_key(&bench, "sessions", true);
    let plain = make_key(&bench, "plain", false);
    let settings = [
        ("LIVECHECK_LOG_LEVEL", "trace"),
        ("LIVECHECK_AUDIT_FILE", "audit.jsonl"),
        ("LIVECHECK_REPLAY", "flag"),
        ("LIVECHECK_MIN_IMAGE_SIDE", "200"),
        ("LIVECHECK_MIN_FACE_SIDE", "40"),
    ];
    let service = Process::serving(&bench, &strace, &settings, key).expect("it starts");

    let pixels = noise(1, 399 * 399 * 3);
    let drawn_photo = image::RgbImage::from_raw(399, 399, pixels.clone()).expect("its size");
    let png = drawn::file(&drawn_photo.into(), image::ImageFormat::Png);
    let marker = noise(2, 3 * 700);
    let jpeg = drawn::with_segment(&drawn::jpeg(400, 400), 0xFE, &marker);
    let broken = &jpeg[..jpeg.len() / 2];
    let verdict = judged_photo();
    let token = service.session();
    let wrong_key = format!("{}{}", &plain[..20], &service.key[20..]);
    let wrong_token: String = token.chars().rev().collect();

    // Every way a request can end, and what was sent.
    let sessions = |token| vec![("x-api-key", &*service.key), ("x-session-token", token)];
    for (headers, photo, status) in [
        (sessions(&token), &png[..], 422),
        (sessions(&token), &jpeg, 422),
        (vec![("x-api-key", &*plain)], &png, 422),
        (sessions(&token), &jpeg, 422),
        (sessions(&token), &png, 429),
        (sessions(&wrong_token), &png, 401),
        (vec![("x-api-key", &*wrong_key)], &png, 401),
        (vec![("x-api-key", &*plain)], broken, 400),
        (vec![("x-api-key", &*plain)], &marker, 400),
    ] {
        let (actual, body) = service.judge_with(&headers, photo);
        assert_eq!(actual, status, "{body}");
    }
    if let Some(photo) = &verdict {
        for details in ["", "?details=true"] {
            let (status, body) = service.judge_at(details, &[("x-api-key", &plain)], photo);
            assert_eq!(status, 200, "{body}");
        }
    }
    // As text, well formed and not.
    let text = base64(&png);
    for body in [
        format!("{{\"image_bytes\":\"{text}\"}}"),
        format!("{{\"image_bytes\":\"{text}"),
        format!("{{\"image_bytes\":\"{text}*\"}}"),
        format!("{{\"{text}\":\"{text}\"}}"),
    ] {
        service.send("application/json", &plain, body.as_bytes());
        service.send("application/x-www-form-urlencoded", &plain, body.as_bytes());
        service.send("multipart/form-data; boundary=x", &plain, body.as_bytes());
        service.send("text/plain", &plain, body.as_bytes());
    }
    let metrics = ureq::get(format!("{}/metrics", service.origin))
        .call()
        .expect("metrics");
    let metrics = metrics.into_body().read_to_string().expect("text");
    let log = service.log();
    let process = service.pid();
    assert!(service.stop());

    let mut secrets = Secrets::default();
    for (name, bytes) in [
        ("the PNG's pixels", &pixels[..]),
        ("the PNG", &png),
        ("the PNG as text", text.as_bytes()),
        ("the JPEG's comment", &marker),
        ("a key", &wrong_key.as_bytes()[SHOWN..]),
        ("a key", &plain.as_bytes()[SHOWN..]),
        ("a token", wrong_token.as_bytes()),
    ] {
        secrets.add(name, bytes);
    }
    if let Some(photo) = &verdict {
        secrets.add("a person's photo", photo);
    }
    let mut own_token = Secrets::default();
    own_token.add("the session's token", token.as_bytes());

    let calls = strace::calls(&record, process);
    let (mut to_clients, mut to_files, mut sessions_answered) = (0, 0, 0);
    for call in &calls {
        let found = secrets.find(&call.bytes);
        assert_eq!(found, None, "in {} to {:?}", call.name, call.target);
        let is_client = call.target.starts_with("TCP:");
        if own_token.find(&call.bytes).is_some() {
            let text = String::from_utf8_lossy(&call.bytes);
            assert!(
                is_client && text.contains("\"session_token\""),
                "the token in {} to {:?}",
                call.name,
                call.target
            );
            sessions_answered += 1;
        }
        to_clients += usize::from(is_client);
        to_files += usize::from(call.target.contains("livecheck.db"));
    }
    // The record holds what it must: answers, the database, the log, the audit log.
    assert!(to_clients > 20 && to_files > 10, "{to_clients}, {to_files}");
    assert_eq!(sessions_answered, 1);
    let written = |name: &str| {
        calls
            .iter()
            .any(|call| call.target.ends_with(name) && !call.bytes.is_empty())
    };
    assert!(written("audit.jsonl"));
    let answers = log.matches("\"answered\"").count();
    assert!(answers > 20 && log.contains("DEBUG"), "{log}");

    // What was written through shared memory (the database's index) shows in the files.
    let mut seen = vec![
        ("metrics".to_owned(), metrics.into_bytes()),
        ("log".to_owned(), log.into_bytes()),
    ];
    for entry in fs::read_dir(bench.folder.path()).expect("the folder") {
        let path = entry.expect("a file").path();
        if path != record {
            seen.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
    assert!(seen.len() >= 4, "database, audit log, log and metrics");
    for (place, bytes) in &seen {
        let found = secrets.find(bytes).or(own_token.find(bytes));
        assert_eq!(found, None, "in {place}");
    }
}

/// Kilobytes that Linux counts for a process.
fn memory(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let status = status.expect("a living process");
    let line = status
        .lines()
        .find(|line| line.starts_with(what))
        .expect("a figure");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("kB")
}

#[test]
fn memory_that_held_a_photo_is_given_back_at_once() {
    let bench = Bench::new();
    let key = make_key(&bench, "plain", false);
    let service =
        Process::serving(&bench, &[], &[("LIVECHECK_WORKERS", "1")], key).expect("it starts");
    // What is allocated once and kept: of the nets, of the pages of the program.
    service.judge(&service.key, &drawn::jpeg(400, 400));
    let before = memory(service.pid(), "VmRSS");
    // 16 megapixels are 48 MB in memory, more than the allocator ever keeps for itself.
    let pixels = image::RgbImage::from_pixel(4000, 4000, image::Rgb([90, 120, 150]));
    let photo = drawn::file(&pixels.into(), image::ImageFormat::Png);
    for _ in 0..3 {
        let (status, body) = service.judge(&service.key, &photo);
        assert_eq!(status, 422, "{body}");
    }
    // A photo is overwritten and freed while its answer is sent, before the only worker takes another.
    service.judge(&service.key, &drawn::jpeg(400, 400));
    let (peak, after) = (
        memory(service.pid(), "VmHWM"),
        memory(service.pid(), "VmRSS"),
    );
    assert!(
        peak > before + 46_000,
        "the photo was there: {before} kB, at most {peak} kB"
    );
    assert!(
        after < before + 24_000,
        "and is gone: {before} kB before, {after} kB after"
    );
    assert!(service.stop());
}
