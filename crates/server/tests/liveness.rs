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

#[tokio::test]
async fn findings_come_with_the_details_and_never_without() {
    let server = start().await;
    let finding = json!([{
        "check": "dark", "value": 0.125, "limit": 0.25, "severity": "warning", "hint": "Turn on a lamp.",
    }]);
    let explained = |file: &'static [u8]| {
        let form = image_form(file).text("details", "true");
        send(server.post().multipart(form))
    };
    let live = explained(b"live").await;
    assert_eq!(live.body["result"]["details"]["findings"], finding);
    for refused in [b"two".as_slice(), b"mask", b"far", b"small"] {
        let answer = explained(refused).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.body["findings"], finding, "{}", answer.text);
    }
    let unreadable = explained(b"unreadable").await;
    assert!(
        unreadable.body.get("findings").is_none(),
        "{}",
        unreadable.text
    );
    // Byte for byte what it is without this feature.
    let two = server.check(b"two").await;
    assert_eq!(
        two.text,
        r#"{"success":false,"error_code":"051","error_message":"No face, or more than one face is detected in the selfie.","error_detail":"2 faces found (scores 0.98, 0.91)"}"#
    );
}
