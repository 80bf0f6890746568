//! Sandbox keys: the header names the answer, no photo is judged, and nothing is counted with the
//! real ones.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::atomic::Ordering;

use common::{Answer, Running, config, image_form, send, start, start_with};
use livecheck_contract::ErrorCode;
use livecheck_server::config::Switch;
use livecheck_store::{Clock, KeyThresholds, NewKey, Rate, Threshold};
use serde_json::json;

async fn sandbox_key(server: &Running, new: NewKey) -> String {
    let new = NewKey {
        sandbox: true,
        ..new
    };
    let (_, key) = server
        .store
        .create_key(new, server.clock.now())
        .await
        .unwrap();
    key.reveal().to_owned()
}

async fn ask(server: &Running, key: &str, scenario: &str) -> Answer {
    let request = server.post_as(key).header("x-livecheck-sandbox", scenario);
    send(request.multipart(image_form(b"spoof"))).await
}

#[tokio::test]
async fn the_header_names_the_answer() {
    let server = start().await;
    let key = sandbox_key(&server, NewKey::named("tests")).await;
    let live = r#"{"success":true,"result":{"liveness":true,"score":0.95},"sandbox":true}"#;
    assert_eq!(ask(&server, &key, "live").await.text, live);
    let default = send(server.post_as(&key).multipart(image_form(b"spoof"))).await;
    assert_eq!(default.text, live, "without the header");
    let attack = r#"{"success":true,"result":{"liveness":false,"score":0.09},"sandbox":true}"#;
    assert_eq!(ask(&server, &key, "attack").await.text, attack);
    let review = ask(&server, &key, "review").await.body;
    assert_eq!(review["result"]["review"], true);
    assert_eq!(review["result"]["liveness"], false);

    for code in ErrorCode::ALL {
        let answer = ask(&server, &key, code.code()).await;
        assert_eq!(answer.status, code.http_status(), "{}", answer.text);
        assert_eq!(
            answer.body,
            json!({
                "success": false,
                "error_code": code.code(),
                "error_message": code.message(),
                "error_detail": answer.detail(),
                "sandbox": true,
            })
        );
        assert!(!answer.headers.contains_key("retry-after"));
    }
    for (scenario, status) in [("429", 429), ("503", 503)] {
        let answer = ask(&server, &key, scenario).await;
        assert_eq!((answer.status, answer.code()), (status, "005"));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.body["sandbox"], true);
    }
    assert_eq!(server.judge.judged.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_request_is_checked_as_ever() {
    let server = start().await;
    let key = sandbox_key(&server, NewKey::named("tests")).await;
    let unknown = ask(&server, &key, "maybe").await;
    assert_eq!((unknown.status, unknown.code()), (400, "004"));
    assert!(unknown.detail().contains("live, attack, review, 001"));
    let unreadable = server.post_as(&key).multipart(image_form(b"unreadable"));
    let empty = server.post_as(&key);
    let twice = server
        .post_as(&key)
        .header("x-livecheck-sandbox", "live")
        .header("x-livecheck-sandbox", "attack");
    for (request, code) in [
        (unreadable, "002"),
        (empty, "004"),
        (twice.multipart(image_form(b"live")), "004"),
    ] {
        let answer = send(request.header("x-livecheck-sandbox", "live")).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
        assert_eq!(answer.body["sandbox"], true);
    }
    let limited = NewKey {
        rate: Some(Rate::new(0.001, 1).unwrap()),
        ..NewKey::named("limited")
    };
    let limited = sandbox_key(&server, limited).await;
    ask(&server, &limited, "live").await.assert_live();
    let answer = ask(&server, &limited, "live").await;
    assert_eq!((answer.status, answer.code()), (429, "005"));
    assert_eq!(answer.body["sandbox"], true);
}

#[tokio::test]
async fn sessions_are_counted_as_ever() {
    let server = start().await;
    let new = NewKey {
        require_session: true,
        ..NewKey::named("tests")
    };
    let key = sandbox_key(&server, new).await;
    let without = ask(&server, &key, "live").await;
    assert_eq!(without.code(), "061");
    let opened = reqwest::Client::new()
        .get(server.url("/session/"))
        .header("x-api-key", &key);
    let opened = send(opened).await.body;
    assert_eq!(opened["sandbox"], true);
    let token = opened["session_token"].as_str().unwrap();
    let with_token = async |scenario: &str| {
        let request = server
            .post_as(&key)
            .header("x-session-token", token)
            .header("x-livecheck-sandbox", scenario);
        send(request.multipart(image_form(b"live"))).await
    };
    // Errors that no judgement leads to cost nothing.
    for free in ["002", "003", "004", "005", "429", "503", "062"] {
        assert_eq!(with_token(free).await.body["sandbox"], true, "{free}");
    }
    for (scenario, code) in [
        ("attack", ""),
        ("051", "051"),
        ("007", "007"),
        ("live", "062"),
    ] {
        assert_eq!(with_token(scenario).await.code(), code);
    }
    // A token of a sandbox key is no token of another key.
    let other = server
        .post()
        .header("x-session-token", token)
        .multipart(image_form(b"live"));
    send(other).await.assert_error(401, "061");
}

#[tokio::test]
async fn nothing_is_counted_with_the_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.log");
    let mut config = config();
    config.audit.audit_file = Some(audit.clone());
    let server = start_with(config, common::Scripted::default()).await;
    let key = sandbox_key(&server, NewKey::named("tests")).await;
    for scenario in ["live", "attack", "051", "503"] {
        ask(&server, &key, scenario).await;
    }
    let metrics = server.get("/metrics").await.text;
    for (line, there) in [
        (
            "livecheck_sandbox_requests_total{status=\"200\",code=\"\"} 2\n",
            true,
        ),
        (
            "livecheck_sandbox_requests_total{status=\"422\",code=\"051\"} 1\n",
            true,
        ),
        (
            "livecheck_sandbox_requests_total{status=\"503\",code=\"005\"} 1\n",
            true,
        ),
        ("livecheck_verdicts_total{live=\"true\"} 0\n", true),
        ("livecheck_verdicts_total{live=\"false\"} 0\n", true),
        ("livecheck_rejections_total{", false),
        ("livecheck_http_requests_total{route=\"/liveness/\"", false),
    ] {
        assert_eq!(metrics.contains(line), there, "{line} in\n{metrics}");
    }
    server.check(b"live").await.assert_live();
    let lines = std::fs::read_to_string(audit).unwrap();
    assert_eq!(lines.lines().count(), 1, "only the photo that was judged");
}

#[tokio::test]
async fn scores_fit_the_thresholds_of_the_key_and_details_are_complete() {
    let server = start().await;
    let threshold = |value| Some(Threshold::new(value).unwrap());
    let new = NewKey {
        thresholds: KeyThresholds {
            liveness: threshold(0.6),
            review: threshold(0.4),
            ..KeyThresholds::default()
        },
        ..NewKey::named("tests")
    };
    let key = sandbox_key(&server, new).await;
    for (scenario, low, high) in [
        ("live", 0.6, 1.0),
        ("review", 0.4, 0.6),
        ("attack", 0.0, 0.4),
    ] {
        let request = server
            .post_as(&key)
            .query(&[("details", "true")])
            .header("x-livecheck-sandbox", scenario);
        let answer = send(request.multipart(image_form(b"live"))).await;
        let result = &answer.body["result"];
        let score = result["score"].as_f64().unwrap();
        assert!((low..high).contains(&score), "{scenario}: {score}");
        assert_eq!(result["details"]["image"]["width"], 640);
        assert_eq!(result["details"]["models"][0]["name"], "scripted");
        let thresholds = &result["details"]["thresholds"];
        assert_eq!(thresholds["review"], 0.4);
    }
}

#[tokio::test]
async fn sandbox_keys_can_be_refused() {
    let mut config = config();
    config.access.sandbox = Switch::Off;
    let server = start_with(config, common::Scripted::default()).await;
    let key = sandbox_key(&server, NewKey::named("tests")).await;
    let answer = ask(&server, &key, "live").await;
    answer.assert_error(401, "001");
    assert!(answer.detail().contains("sandbox"));
    let session = reqwest::Client::new()
        .get(server.url("/session/"))
        .header("x-api-key", &key);
    send(session).await.assert_error(401, "001");
    server.check(b"live").await.assert_live();
}
