//! When judging panics, and when a panic's message quotes the photo and the key, still nothing of
//! them gets out. (The other paths, on the real program: `crates/cli/tests/privacy.rs`.)
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use common::{Scripted, image_form, send};
use livecheck_server::telemetry;
use livecheck_testing::strace::{self, Secrets};

/// The photo: the word that makes the judge panic, and what nobody else may see. The scripted judge
/// panics with the photo's text in its message.
const PHOTO: &str = "quote a face nobody else may see 0123456789 zyxwvutsrqponmlk";

#[test]
#[ignore = "the other test runs it, under strace"]
fn child_serves_until_its_input_ends() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut config = common::config();
        config.log.log_level = "trace".to_owned();
        telemetry::init(&config.log).unwrap();
        telemetry::quiet_panics();
        let mut server = common::start_with(config, Scripted::default()).await;
        // In one piece, so that it is one call.
        let told = format!("\n{} {}\n", server.address, server.key);
        std::io::stdout().write_all(told.as_bytes()).unwrap();
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
            .await
            .unwrap()
            .unwrap();
        server.begin_stop();
        server.stopped().await.unwrap();
    });
}

#[test]
fn a_panic_that_quotes_the_photo_tells_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record");
    let Some(strace) = strace::wrapper("panics under strace", &record) else {
        return;
    };
    let mut child = Command::new(&strace[0])
        .args(&strace[1..])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_serves_until_its_input_ends",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open until the end: the child still has something to say.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("lck_"))
        .unwrap();
    let (address, key) = told.trim().split_once(' ').unwrap();
    let log = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || std::io::read_to_string(log).unwrap());

    let runtime = tokio::runtime::Runtime::new().unwrap();
    for photo in [PHOTO.to_owned(), format!("decode-{PHOTO}")] {
        let request = reqwest::Client::new()
            .post(format!("http://{address}/liveness/"))
            .header("x-api-key", key);
        let answer = runtime.block_on(send(request.multipart(image_form(photo.as_bytes()))));
        answer.assert_error(500, "005");
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let process = child.id();
    assert!(child.wait().unwrap().success());

    let log = log.join().unwrap();
    assert!(
        log.contains("judging panicked") && log.contains("panicked"),
        "{log}"
    );
    assert!(log.contains("tests/common/mod.rs"), "the place: {log}");
    let mut secrets = Secrets::default();
    secrets.add("the photo", PHOTO.as_bytes());
    secrets.add("the key", &key.as_bytes()[8..]);
    let calls = strace::calls(&record, process);
    assert!(calls.iter().any(|call| call.target.starts_with("TCP:")));
    for call in &calls {
        // The test itself reads the key from what its child prints.
        if !call.bytes.starts_with(b"\n127.0.0.1:") {
            let found = secrets.find(&call.bytes);
            assert_eq!(found, None, "{} to {:?}", call.name, call.target);
        }
    }
    assert_eq!(secrets.find(log.as_bytes()), None);
}
