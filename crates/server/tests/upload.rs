//! What becomes of request bodies over HTTP; the parser itself is tested in `crates/upload`.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::{base64, image_form, send, start};
use livecheck_testing::forms::{IMAGE_PART, MULTIPART, multipart, replaced, sample};

const URLENCODED: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn ten_mebibytes_pass_and_one_byte_more_does_not() {
    let server = start().await;
    let mut image = b"live ".to_vec();
    image.resize(10 * 1024 * 1024, b'.');
    let json = |image: &[u8]| {
        let body = format!("{{\"image_bytes\":\"{}\"}}", base64(image));
        server
            .post()
            .header("content-type", "application/json")
            .body(body)
    };
    server.check(&image).await.assert_live();
    send(json(&image)).await.assert_live();
    image.push(b'.');
    server.check(&image).await.assert_error(413, "003");
    send(json(&image)).await.assert_error(413, "003");
}

#[tokio::test]
async fn wrong_bodies_have_their_status_over_http() {
    let server = start().await;
    let typed = |kind: &str, body: &str| {
        send(
            server
                .post()
                .header("content-type", kind)
                .body(body.to_owned()),
        )
    };
    typed("text/plain", "x").await.assert_error(415, "004");
    send(server.post().body("x")).await.assert_error(415, "004");
    typed("application/json", "{")
        .await
        .assert_error(400, "004");
    typed("application/json", r#"{"image_bytes": "!"}"#)
        .await
        .assert_error(400, "002");
    typed(URLENCODED, "").await.assert_error(400, "004");
    send(server.post().multipart(image_form(b"")))
        .await
        .assert_error(400, "004");
    assert_eq!(
        server
            .judge
            .decoded
            .load(std::sync::atomic::Ordering::SeqCst),
        0
    );
}

/// Each sentence says what is wrong with this very request, and what is allowed.
#[tokio::test]
async fn every_detail_is_true_of_what_was_sent() {
    const JSON: &str = "application/json";
    let part = |head: &str, content: &[u8]| multipart(&[(head, content)]);
    let text = base64(&sample(100));
    let server = start().await;
    for (kind, encoding, body, status, code, detail) in [
        (
            JSON,
            "",
            b"{".to_vec(),
            400,
            "004",
            "the JSON body ends too early, at line 1 column 1",
        ),
        (
            JSON,
            "",
            b"{]".to_vec(),
            400,
            "004",
            "the body is not JSON, at line 1 column 2",
        ),
        (JSON, "", b"".to_vec(), 400, "004", "the JSON body is empty"),
        (
            JSON,
            "",
            b"\"AAAA\"".to_vec(),
            400,
            "004",
            "the JSON body must be an object with the field image_bytes",
        ),
        (
            JSON,
            "",
            b"{\"image_bytes\": 7}".to_vec(),
            400,
            "004",
            "image_bytes must be one base64 string, but it is a number",
        ),
        (
            JSON,
            "",
            b"{\"image_bytes\": {}}".to_vec(),
            400,
            "004",
            "image_bytes must be one base64 string, but it is an object",
        ),
        (
            JSON,
            "",
            b"{\"image_bytes\": \"\"}".to_vec(),
            400,
            "004",
            "the field image_bytes is empty",
        ),
        (
            JSON,
            "",
            b"{}".to_vec(),
            400,
            "004",
            "the request contains neither the field image nor image_bytes",
        ),
        (
            JSON,
            "",
            b"{\"image_bytes\": \"A\xFFA\"}".to_vec(),
            400,
            "004",
            "the body is not JSON, at line 1 column 19",
        ),
        (
            JSON,
            "",
            b"{\"image_bytes\": \"AA*A\"}".to_vec(),
            400,
            "002",
            "image_bytes is not base64: character 3 is '*'",
        ),
        (
            JSON,
            "",
            b"{\"image_bytes\": \"AAAAA\"}".to_vec(),
            400,
            "002",
            "image_bytes is not base64: its 5 characters don't form whole bytes; it may have been cut off",
        ),
        (
            JSON,
            "gzip",
            b"{}".to_vec(),
            415,
            "004",
            "the header Content-Encoding is \"gzip\": send the body uncompressed, without this header",
        ),
        (
            URLENCODED,
            "",
            b"image_bytes=%zz".to_vec(),
            400,
            "004",
            "the form contains a \"%\" that is not followed by two hexadecimal digits",
        ),
        (
            URLENCODED,
            "",
            b"image=AAAA".to_vec(),
            400,
            "004",
            "image must be sent as a file part of multipart/form-data; base64 text goes into image_bytes",
        ),
        (
            URLENCODED,
            "",
            b"image_bytes=AAAA&details=2".to_vec(),
            400,
            "004",
            "details must be true, 1, on or yes, or false, 0, off or no",
        ),
        (
            MULTIPART,
            "",
            b"".to_vec(),
            400,
            "004",
            "the multipart body is empty",
        ),
        (
            MULTIPART,
            "",
            part(IMAGE_PART, b""),
            400,
            "004",
            "the field image is empty",
        ),
        (
            MULTIPART,
            "",
            replaced(&part(IMAGE_PART, b"x"), b"XX", b"YY"),
            400,
            "004",
            "the boundary given in the Content-Type never starts a part in the multipart body",
        ),
        (
            MULTIPART,
            "",
            b"--XX\r\n".to_vec(),
            400,
            "004",
            "the multipart body ends before its closing boundary",
        ),
        (
            MULTIPART,
            "",
            part(IMAGE_PART, text.as_bytes()),
            400,
            "002",
            "the file part image contains base64 text instead of an image file: send the text in the field image_bytes",
        ),
        (
            "multipart/form-data",
            "",
            part(IMAGE_PART, b"x"),
            400,
            "004",
            "the Content-Type multipart/form-data has no boundary",
        ),
        (
            "image/jpeg",
            "",
            b"x".to_vec(),
            415,
            "004",
            "the Content-Type is \"image/jpeg\"; send multipart/form-data, application/x-www-form-urlencoded or application/json",
        ),
    ] {
        let mut request = server.post().header("content-type", kind);
        if !encoding.is_empty() {
            request = request.header("content-encoding", encoding);
        }
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = send(request.body(body)).await;
        assert_eq!(
            answer.assert_error(status, code).detail(),
            detail,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn details_come_only_when_asked_for() {
    let server = start().await;
    let url = server.url("/liveness/");
    let ask = |query: &str| {
        send(
            reqwest::Client::new()
                .post(format!("{url}{query}"))
                .header("x-api-key", &server.key)
                .multipart(image_form(b"live")),
        )
    };
    for (query, wanted) in [
        ("", false),
        ("?details=false", false),
        ("?details=0", false),
        ("?x=1", false),
        ("?details", false),
        ("?details=off", false),
        ("?details=true", true),
        ("?details=1", true),
        ("?details=on", true),
        ("?details=yes", true),
    ] {
        let answer = ask(query).await;
        answer.assert_live();
        assert_eq!(
            answer.body["result"].get("details").is_some(),
            wanted,
            "{query}"
        );
    }
    ask("?details=perhaps").await.assert_error(400, "004");
    let details = ask("?details=true").await.body["result"]["details"].take();
    for field in [
        "face",
        "mask_score",
        "attack_score",
        "image",
        "quality",
        "thresholds",
        "models",
        "runtime",
        "timings",
    ] {
        assert!(details.get(field).is_some(), "{field} in {details}");
    }
}
