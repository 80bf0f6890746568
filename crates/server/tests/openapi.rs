//! The OpenAPI document: a snapshot, and every answer of a running server held against it.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::path::Path;

use common::{Answer, Scripted, config, image_form, send, start, start_with};
use livecheck_store::{Clock as _, NewKey};
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&livecheck_server::openapi::document()).unwrap()
}

/// After a change that is meant: run with `LIVECHECK_UPDATE_SNAPSHOTS=1`, look at the difference,
/// commit it.
#[test]
fn the_document_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    let now = livecheck_server::openapi::document() + "\n";
    if std::env::var_os("LIVECHECK_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), now);
}

/// What is wrong with `value` by `schema`, as far as the document uses JSON Schema. Stricter in one
/// thing: a property that is not declared is wrong.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document
            .pointer(&reference[1..])
            .unwrap_or_else(|| panic!("no {reference}"));
        return faults(document, target, value, at, found);
    }
    // A list of types is one type or null.
    let kind = match schema["type"].as_array() {
        Some(_) if value.is_null() => return,
        Some(kinds) => kinds
            .iter()
            .find_map(|kind| kind.as_str().filter(|kind| *kind != "null")),
        None => schema["type"].as_str(),
    };
    let fits = match kind {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        other => panic!("type {other:?} at {at}"),
    };
    if !fits {
        found.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{at}: {value} is not among {allowed:?}"));
    }
    if let Some(number) = value.as_f64() {
        let low = schema["minimum"].as_f64().unwrap_or(f64::MIN);
        let high = schema["maximum"].as_f64().unwrap_or(f64::MAX);
        if !(low..=high).contains(&number) {
            found.push(format!("{at}: {number} is not in {low} to {high}"));
        }
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                found.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, field) in fields {
            let declared = schema["properties"]
                .get(name)
                .or_else(|| schema.get("additionalProperties"));
            match declared {
                Some(serde_json::Value::Bool(true)) => {}
                Some(schema) => faults(document, schema, field, &format!("{at}.{name}"), found),
                None => found.push(format!("{at}.{name} is not declared")),
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        faults(
            document,
            &schema["items"],
            item,
            &format!("{at}[{index}]"),
            found,
        );
    }
}

#[track_caller]
fn assert_declared(method: &str, path: &str, answer: &Answer) {
    let document = document();
    let responses = &document["paths"][path][method]["responses"];
    let response = &responses[answer.status.to_string()];
    assert!(
        response.is_object(),
        "{method} {path} does not declare {}",
        answer.status
    );
    let kind = answer.header("content-type").split(';').next().unwrap();
    let content = &response["content"][kind];
    assert!(
        content.is_object(),
        "{path} {} does not declare {kind}",
        answer.status
    );
    if kind == "application/json" {
        let mut found = Vec::new();
        faults(
            &document,
            &content["schema"],
            &answer.body,
            "answer",
            &mut found,
        );
        assert!(found.is_empty(), "{path} {}: {found:#?}", answer.status);
    }
    for (name, _) in response["headers"].as_object().into_iter().flatten() {
        let optional = name == "Retry-After" && answer.code() == "062";
        assert!(
            optional || answer.headers.contains_key(name.to_lowercase()),
            "{path} {} has no {name}",
            answer.status
        );
    }
}

#[test]
fn each_status_has_an_example_of_its_own() {
    let document = document();
    let responses = document["paths"]["/liveness/"]["post"]["responses"].as_object();
    let mut seen = std::collections::HashSet::new();
    for (status, response) in responses.unwrap() {
        let content = &response["content"]["application/json"];
        let examples: Vec<&Value> = match content["examples"].as_object() {
            Some(examples) => examples.values().map(|example| &example["value"]).collect(),
            None => vec![&content["example"]],
        };
        assert!(!examples.is_empty(), "{status}");
        for example in examples {
            let mut found = Vec::new();
            faults(&document, &content["schema"], example, status, &mut found);
            assert!(found.is_empty(), "{found:?}");
            assert_ne!(example["error_detail"], "", "{status}");
            assert!(seen.insert(example.to_string()), "{status}: {example}");
        }
    }
    assert!(seen.len() > 12, "{}", seen.len());
}

#[test]
fn the_checker_finds_faults() {
    let document = document();
    let schema = serde_json::json!({"$ref": "#/components/schemas/Failure"});
    for wrong in [
        serde_json::json!({}),
        serde_json::json!({"success": true, "error_code": "051", "error_message": "x", "error_detail": "x"}),
        serde_json::json!([]),
    ] {
        let mut found = Vec::new();
        faults(&document, &schema, &wrong, "x", &mut found);
        assert!(!found.is_empty(), "{wrong}");
    }
}

#[tokio::test]
async fn every_liveness_answer_is_declared() {
    let mut config = config();
    config.times.judge_timeout = std::time::Duration::from_millis(300);
    let server = start_with(config, Scripted::default()).await;
    for image in [
        "live",
        "spoof",
        "unreadable",
        "pixels",
        "small",
        "far",
        "two",
        "mask",
        "broken",
        "panic",
        "gate",
    ] {
        assert_declared("post", "/liveness/", &server.check(image.as_bytes()).await);
    }
    server.judge.gate.open();
    let client = reqwest::Client::new();
    let url = server.url("/liveness/");
    assert_declared("post", "/liveness/", &send(client.post(&url)).await);
    assert_declared("post", "/liveness/", &send(client.put(&url)).await);
    assert_declared("post", "/liveness/", &send(server.post().body("x")).await);
    let details = send(
        server
            .post()
            .query(&[("details", "true")])
            .multipart(image_form(b"live")),
    )
    .await;
    assert!(details.body["result"]["details"].is_object());
    assert_declared("post", "/liveness/", &details);
    let token = server.session(&server.session_key).await;
    for _ in 0..4 {
        let request = server
            .post_as(&server.session_key)
            .header("x-session-token", &token)
            .multipart(image_form(b"live"));
        assert_declared("post", "/liveness/", &send(request).await);
    }
}

#[tokio::test]
async fn every_sandbox_answer_is_declared() {
    let server = start().await;
    let new = NewKey {
        sandbox: true,
        ..NewKey::named("tests")
    };
    let made = server.store.create_key(new, server.clock.now()).await;
    let key = made.unwrap().1;
    let document = document();
    let parameters = document["paths"]["/liveness/"]["post"]["parameters"].as_array();
    let header = parameters
        .unwrap()
        .iter()
        .find(|parameter| parameter["name"] == "x-livecheck-sandbox")
        .unwrap();
    let scenarios = header["schema"]["enum"].as_array().unwrap();
    assert_eq!(scenarios.len(), 15);
    for scenario in scenarios {
        let request = server
            .post_as(key.reveal())
            .query(&[("details", "true")])
            .header("x-livecheck-sandbox", scenario.as_str().unwrap());
        let answer = send(request.multipart(image_form(b"live"))).await;
        assert_eq!(answer.body["sandbox"], true);
        assert_declared("post", "/liveness/", &answer);
    }
}

#[tokio::test]
async fn every_other_answer_is_declared() {
    let server = start().await;
    let client = reqwest::Client::new();
    for path in ["/healthz", "/readyz", "/version", "/metrics", "/session/"] {
        assert_declared("get", path, &send(client.get(server.url(path))).await);
        assert_declared("get", path, &send(client.post(server.url(path))).await);
    }
    let session = client
        .get(server.url("/session/"))
        .header("x-api-key", &server.key);
    assert_declared("get", "/session/", &send(session).await);
}

#[tokio::test]
async fn the_server_serves_the_document() {
    let server = start().await;
    let answer = server.get("/openapi.json").await;
    assert_eq!(answer.body, document());
    assert_eq!(answer.body["openapi"], "3.1.0");
}
