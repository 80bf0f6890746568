//! The audit log: one line a judged image, exactly the fields that are promised, and what happens
//! when it cannot be written.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Running, Scripted, config, image_form, send, start, start_on, start_with};
use livecheck_server::config::{AuditFailure, HexKey};
use livecheck_server::{AuditReport, Server, ServerConfig, ServerError, verify_audit};
use livecheck_store::ImageKey;
use serde_json::{Value, json};

const SECRET: [u8; 32] = [0x5a; 32];

fn logging_to(path: &Path) -> ServerConfig {
    let mut config = config();
    config.audit.audit_file = Some(path.to_owned());
    config.access.image_key = HexKey::from_hex(&"5a".repeat(32));
    config
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let parsed = text.lines().map(|line| serde_json::from_str(line).unwrap());
    parsed.collect()
}

fn rotated(path: &Path) -> Vec<PathBuf> {
    let own = format!("{}.part-", path.file_name().unwrap().to_str().unwrap());
    let mut found: Vec<(u64, PathBuf)> = std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name()?.to_str()?;
            Some((name.strip_prefix(&own)?.parse().unwrap(), path.clone()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Of other programs: logrotate gives such names.
const OTHERS: [&str; 5] = [
    "audit.jsonl.bak",
    "audit.jsonl2",
    "audit.jsonl.1",
    "audit.jsonl.2",
    "audit.jsonl.1.gz",
];

fn found(path: &Path) -> AuditReport {
    verify_audit(path, &[ImageKey::new(SECRET)]).unwrap()
}

/// A log of six lines in several files, and those.
async fn six_lines(folder: &Path) -> Vec<PathBuf> {
    let path = folder.join("audit.jsonl");
    let mut config = logging_to(&path);
    config.audit.audit_max_bytes = 1050;
    let mut server = start_with(config, Scripted::default()).await;
    for _ in 0..6 {
        server.check(b"live").await.assert_live();
    }
    server.begin_stop();
    server.stopped().await.unwrap();
    let mut files = rotated(&path);
    assert!(files.len() >= 2, "{files:?}");
    files.push(path);
    files
}

async fn key_id(server: &Running) -> String {
    let keys = server.store.list_keys().await.unwrap();
    let plain = keys.iter().find(|key| server.key.starts_with(&key.shown));
    plain.unwrap().id.to_string()
}

#[tokio::test]
async fn there_is_none_by_default() {
    let server = start().await;
    server.check(b"live").await.assert_live();
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("livecheck_audit_lines_total{outcome=\"written\"} 0"));
}

#[tokio::test]
async fn every_judged_image_has_one_line_with_the_promised_fields_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let server = start_with(logging_to(&path), Scripted::default()).await;
    let images = [
        "live",
        "spoof",
        "two",
        "mask",
        "small",
        "far",
        "unreadable",
        "pixels",
        "broken",
        "panic",
    ];
    for image in images {
        let request = server.post().header("x-request-id", image);
        send(request.multipart(image_form(image.as_bytes()))).await;
    }
    let wrong = server.post_as("lck_wrong").multipart(image_form(b"live"));
    send(wrong).await.assert_error(401, "001");

    let lines = lines(&path);
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["request_id"].as_str().unwrap(),
                line["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("live", "live"),
            ("spoof", "attack"),
            ("two", "051"),
            ("mask", "052"),
            ("small", "007"),
            ("far", "007"),
        ]
    );
    let secret = ImageKey::new(SECRET);
    let id = key_id(&server).await;
    for line in &lines {
        let image = line["request_id"].as_str().unwrap();
        let name = livecheck_server::audit_name(&secret, &secret.mac(image.as_bytes()));
        assert_eq!(line["image_hmac"], name, "{image}");
        assert_eq!(line["key_id"], id);
        assert_eq!(line["models"], json!({"scripted": "00"}));
        assert!(line["scores"].is_object());
        assert_eq!(line.as_object().unwrap().len(), 10, "{line}");
    }
    let score = |line: usize, name: &str| lines[line]["scores"][name].as_f64().unwrap();
    assert!((score(0, "liveness") - 0.98).abs() < 1e-6);
    assert!((score(0, "face") - 0.97).abs() < 1e-6);
    for name in ["attack", "mask"] {
        assert!((score(0, name) - 0.01).abs() < 1e-6, "{name}");
    }
    assert_eq!(lines[2]["scores"]["faces"].as_array().unwrap().len(), 2);
    assert!((score(3, "mask") - 0.99).abs() < 1e-6);
    assert_eq!(lines[4]["scores"], json!({}));
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("livecheck_audit_lines_total{outcome=\"written\"} 6"));
}

#[cfg(unix)]
#[tokio::test]
async fn it_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut config = logging_to(&path);
    config.audit.audit_max_bytes = 1500;
    let server = start_with(config, Scripted::default()).await;
    for _ in 0..8 {
        server.check(b"live").await.assert_live();
    }
    let files = rotated(&path);
    assert!(!files.is_empty());
    for file in files.iter().chain([&path]) {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn it_is_rotated_by_size_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // Of other programs, and not to be touched.
    for other in OTHERS {
        std::fs::write(folder.path().join(other), "kept").unwrap();
    }
    let mut config = logging_to(&path);
    config.audit.audit_max_bytes = 1500;
    config.audit.audit_keep = 3;
    let server = start_with(config, Scripted::default()).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        let id = format!("request-{number}");
        let request = server.post().header("x-request-id", &id);
        send(request.multipart(image_form(b"live")))
            .await
            .assert_live();
        ids.push(id);
    }
    for other in OTHERS {
        let content = std::fs::read_to_string(folder.path().join(other)).unwrap();
        assert_eq!(content, "kept", "{other}");
        std::fs::remove_file(folder.path().join(other)).unwrap();
    }
    let files = rotated(&path);
    assert_eq!(files.len(), 3, "{files:?}");
    let mut kept = Vec::new();
    for file in files.iter().chain([&path]) {
        assert!(std::fs::metadata(file).unwrap().len() <= 1500, "{file:?}");
        kept.extend(
            lines(file)
                .iter()
                .map(|line| line["request_id"].as_str().unwrap().to_owned()),
        );
    }
    // The newest, in order, without a gap.
    assert!(kept.len() >= 4, "{kept:?}");
    assert!(ids.ends_with(&kept), "{kept:?}");
}

#[tokio::test]
async fn it_goes_on_after_a_restart_and_mends_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut server = start_with(logging_to(&path), Scripted::default()).await;
    server.check(b"live").await.assert_live();
    server.begin_stop();
    server.stopped().await.unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    // As a process leaves it that was killed in the middle.
    std::fs::write(&path, format!("{whole}{{\"request_id\":\"to")).unwrap();
    let server = start_with(logging_to(&path), Scripted::default()).await;
    server.check(b"spoof").await;
    let text = std::fs::read_to_string(&path).unwrap();
    let verdicts: Vec<_> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line)
                .map(|line| line["verdict"].clone())
                .ok()
        })
        .collect();
    assert_eq!(verdicts, [Some(json!("live")), None, Some(json!("attack"))]);
}

async fn refusal(config: ServerConfig) -> ServerError {
    let judge = Arc::new(Scripted::default());
    let store = livecheck_store::open("sqlite::memory:").await.unwrap();
    let clock = Arc::new(livecheck_store::SystemClock::new());
    let bound = Server::bind(config, judge, store, clock).await;
    bound.err().expect("the server does not start")
}

#[tokio::test]
async fn a_file_that_cannot_be_written_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/audit.jsonl");
    let error = refusal(logging_to(&path)).await.to_string();
    assert!(error.contains("missing/audit.jsonl"), "{error}");

    let path = folder.path().join("audit.jsonl");
    let _server = start_with(logging_to(&path), Scripted::default()).await;
    let error = refusal(logging_to(&path)).await.to_string();
    assert!(error.contains("another process writes it"), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_ends_the_start_and_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    let path = folder.path().join("secret");
    config.access.image_key_file = Some(path.clone());
    let missing = refusal(config.clone()).await.to_string();
    assert!(missing.contains("secret"), "{missing}");
    std::fs::write(&path, "5a5a5a5a").unwrap();
    let short = refusal(config).await.to_string();
    assert!(
        short.contains("64 hexadecimal digits") && !short.contains("5a5a"),
        "{short}"
    );
}

/// A device on which every write says that the disk is full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_withholds_the_judgement_or_is_counted_as_the_setting_says() {
    for (on_failure, refused) in [
        (AuditFailure::Refuse, true),
        (AuditFailure::Continue, false),
    ] {
        let mut config = logging_to(Path::new("/dev/full"));
        config.audit.audit_failure = on_failure;
        let store = livecheck_store::open("sqlite::memory:").await.unwrap();
        let server = start_on(config, Scripted::default(), store).await;
        let token = server.session(&server.session_key).await;
        // More requests than the session has uses: a withheld judgement gives its use back.
        for number in 0..5 {
            let request = server
                .post_as(&server.session_key)
                .header("x-session-token", &token);
            let answer = send(request.multipart(image_form(b"live"))).await;
            if refused {
                answer.assert_error(503, "005");
                assert!(answer.detail().contains("could not be recorded"));
                answer.header("retry-after");
            } else if number < 3 {
                answer.assert_live();
            } else {
                answer.assert_error(429, "062");
            }
        }
        let lost = if refused { 5 } else { 3 };
        let line = format!("livecheck_audit_lines_total{{outcome=\"lost\"}} {lost}\n");
        common::until(async || server.get("/metrics").await.text.contains(&line)).await;
    }
}

#[tokio::test]
async fn lines_have_number_time_id_and_a_chain_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let files = six_lines(folder.path()).await;
    let path = files.last().unwrap();
    let all: Vec<Value> = files.iter().flat_map(|file| lines(file)).collect();
    for (number, line) in (1..).zip(&all) {
        assert_eq!(line["seq"], number);
        // The test's clock stands in November 2023.
        assert!(
            line["time"].as_str().unwrap().starts_with("2023-11-14T"),
            "{line}"
        );
        assert_eq!(line["id"].as_str().unwrap().len(), 32);
    }
    // Made here, not by the client.
    assert_ne!(all[0]["id"], all[1]["id"]);
    let report = found(path);
    assert_eq!((report.intact, report.problems), (6, vec![]));
    // It goes on over a restart, and over a line that a kill cut short.
    std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"{\"seq\":7,\"ti"))
        .unwrap();
    let server = start_with(logging_to(path), Scripted::default()).await;
    server.check(b"spoof").await;
    let report = found(path);
    assert_eq!((report.intact, report.problems), (7, vec![]));
    assert_eq!(report.torn.len(), 1);
    // Nobody without the secret can have written it.
    let other = verify_audit(path, &[ImageKey::new([1; 32])]).unwrap();
    assert_eq!((other.intact, other.other_secrets.len()), (0, 1));
}

#[tokio::test]
async fn what_was_changed_in_a_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let files = six_lines(folder.path()).await;
    let path = files.last().unwrap();
    let texts: Vec<String> = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let first = &texts[0];
    let one = first.split_inclusive('\n').next().unwrap();
    let restore = || {
        for (file, text) in files.iter().zip(&texts) {
            std::fs::write(file, text).unwrap();
        }
    };
    let problems = || found(path).problems;
    // Changed, removed, put in twice, inserted by hand, in the other order.
    for (what, text) in [
        ("was changed", first.replacen("\"live\"", "\"attack\"", 1)),
        ("was changed", first.replacen("2023-11-14", "2023-11-15", 1)),
        ("moved or inserted twice", format!("{one}{first}")),
        (
            "inserted by hand",
            format!("{one}{{\"verdict\":\"live\"}}\n{}", &first[one.len()..]),
        ),
    ] {
        assert_ne!(&text, first);
        std::fs::write(&files[0], text).unwrap();
        let found = problems();
        assert!(
            found.iter().any(|problem| problem.contains(what)),
            "{what}: {found:?}"
        );
        restore();
    }
    let second = texts[1].split_inclusive('\n').skip(1).collect::<String>();
    std::fs::write(&files[1], second).unwrap();
    assert!(
        problems()[0].contains("1 lines are missing before it"),
        "{:?}",
        problems()
    );
    restore();
    std::fs::remove_file(&files[1]).unwrap();
    assert!(
        problems()[0].contains("are missing before it"),
        "{:?}",
        problems()
    );
    restore();
    assert_eq!(problems(), Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test]
async fn what_others_do_to_the_file_meanwhile_is_noticed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let server = start_with(logging_to(&path), Scripted::default()).await;
    let changes = async |count: u32| {
        server.check(b"live").await.assert_live();
        let line = format!("livecheck_audit_file_changes_total {count}\n");
        let metrics = server.get("/metrics").await.text;
        assert!(metrics.contains(&line), "{line} in {metrics}");
    };
    changes(0).await;
    // Deleted: it goes on in a new file, and the number tells what is missing.
    std::fs::remove_file(&path).unwrap();
    changes(1).await;
    assert_eq!(lines(&path)[0]["seq"], 2);
    // Moved, as logrotate does.
    std::fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
    changes(2).await;
    assert_eq!(lines(&path)[0]["seq"], 3);
    std::fs::write(&path, "").unwrap();
    changes(3).await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    changes(4).await;
    changes(4).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_or_a_file_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = (
        folder.path().join("audit.jsonl"),
        folder.path().join("target"),
    );
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let error = refusal(logging_to(&path)).await.to_string();
    assert!(error.contains("symbolic link"), "{error}");
    assert!(!target.exists());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o662)).unwrap();
    let error = refusal(logging_to(&path)).await.to_string();
    assert!(error.contains("other users can write to it"), "{error}");
}
