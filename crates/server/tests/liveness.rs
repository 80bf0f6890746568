//! `POST /liveness/`: the answers, the three body forms, and the order of the checks.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::{base64, image_form, send, start};
use serde_json::json;

#[tokio::test]
async fn success_is_exactly_the_contract() {
    let server = start().await;
    let live = server.check(b"live").await;
    assert_eq!(live.status, 200);
    assert_eq!(
        live.text,
        r#"{"success":true,"result":{"liveness":true,"score":0.98}}"#
    );
    let spoof = server.check(b"spoof").await;
    assert_eq!(
        spoof.text,
        r#"{"success":true,"result":{"liveness":false,"score":0.02}}"#
    );
}

#[tokio::test]
async fn the_path_works_without_its_slash() {
    let server = start().await;
    let url = server.url("/liveness");
    send(
        reqwest::Client::new()
            .post(url)
            .header("x-api-key", &server.key)
            .multipart(image_form(b"live")),
    )
    .await
    .assert_live();
}

#[tokio::test]
async fn every_body_form_carries_the_image() {
    let server = start().await;
    let text = base64(b"live");
    let multipart_text = reqwest::multipart::Form::new().text("image_bytes", text.clone());
    send(server.post().multipart(multipart_text))
        .await
        .assert_live();
    send(server.post().form(&[("image_bytes", &text)]))
        .await
        .assert_live();
    send(server.post().json(&json!({ "image_bytes": text })))
        .await
        .assert_live();
}

#[tokio::test]
async fn every_rejection_has_its_code_and_status() {
    let server = start().await;
    for (image, status, code, detail) in [
        ("unreadable", 400, "002", "this is no image"),
        ("pixels", 413, "003", "100.0 megapixels"),
        ("small", 422, "007", "200x319"),
        ("far", 422, "007", "95 pixels"),
        ("two", 422, "051", "2 faces found (scores 0.98, 0.91)"),
        ("mask", 422, "052", "0.99"),
        ("broken", 500, "005", ""),
        ("panic", 500, "005", ""),
        ("decode-panic", 500, "005", ""),
    ] {
        let answer = server.check(image.as_bytes()).await;
        answer.assert_error(status, code);
        assert!(
            answer.detail().contains(detail),
            "{image}: {}",
            answer.detail()
        );
    }
    server.check(b"live").await.assert_live();
}
