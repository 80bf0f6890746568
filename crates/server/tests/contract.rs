//! The answers that clients were written against, byte for byte: what no setting, no key's own
//! setting and no `details` asks for does not show.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::{Answer, Running, image_form, send, start};

async fn with_key(server: &Running, key: &str, headers: &[(&str, &str)], image: &str) -> Answer {
    let request = headers
        .iter()
        .fold(server.post_as(key), |request, (name, value)| {
            request.header(*name, *value)
        });
    send(request.multipart(image_form(image.as_bytes()))).await
}

/// Status and body of each image, as recorded.
const RECORDED: [(&str, u16, &str); 11] = [
    (
        "live",
        200,
        r#"{"success":true,"result":{"liveness":true,"score":0.98}}"#,
    ),
    (
        "doubt",
        200,
        r#"{"success":true,"result":{"liveness":false,"score":0.85}}"#,
    ),
    (
        "spoof",
        200,
        r#"{"success":true,"result":{"liveness":false,"score":0.02}}"#,
    ),
    (
        "unreadable",
        400,
        r#"{"success":false,"error_code":"002","error_message":"Error reading image, please check the request format.","error_detail":"this is no image"}"#,
    ),
    (
        "pixels",
        413,
        r#"{"success":false,"error_code":"003","error_message":"Image file size is too large.","error_detail":"the image is 10000x10000 = 100.0 megapixels; at most 64.0 are allowed"}"#,
    ),
    (
        "",
        400,
        r#"{"success":false,"error_code":"004","error_message":"Request is not in the correct format.","error_detail":"the field image is empty"}"#,
    ),
    (
        "broken",
        500,
        r#"{"success":false,"error_code":"005","error_message":"Server internal error, please try again.","error_detail":"the server failed on this request; its log has the reason under the request id"}"#,
    ),
    (
        "small",
        422,
        r#"{"success":false,"error_code":"007","error_message":"Image resolution too low!","error_detail":"the image is 200x319 pixels; its shorter side must be at least 320 pixels: send the photo at full size"}"#,
    ),
    (
        "far",
        422,
        r#"{"success":false,"error_code":"007","error_message":"Image resolution too low!","error_detail":"the face is 95 pixels wide; it must be at least 96 pixels: come closer or send the photo at full size"}"#,
    ),
    (
        "two",
        422,
        r#"{"success":false,"error_code":"051","error_message":"No face, or more than one face is detected in the selfie.","error_detail":"2 faces found (scores 0.98, 0.91)"}"#,
    ),
    (
        "mask",
        422,
        r#"{"success":false,"error_code":"052","error_message":"Face mask is detected, please remove the face mask and try again.","error_detail":"a face covering was found (score 0.99, threshold 0.50)"}"#,
    ),
];

#[tokio::test]
async fn without_settings_every_answer_is_the_recorded_one() {
    let server = start().await;
    for (image, status, body) in RECORDED {
        let answer = with_key(&server, &server.key, &[], image).await;
        assert_eq!((answer.status, &*answer.text), (status, body), "{image}");
        // Nor does a key that is no sandbox key take the sandbox's header.
        let sandbox = [("x-livecheck-sandbox", "052")];
        let answer = with_key(&server, &server.key, &sandbox, image).await;
        assert_eq!((answer.status, &*answer.text), (status, body), "{image}");
    }
    let unknown = r#"{"success":false,"error_code":"001","error_message":"API key is either missing or incorrect.","error_detail":"the key in the header x-api-key is unknown, expired or revoked"}"#;
    let answer = with_key(&server, "lck_wrong", &[], "live").await;
    assert_eq!((answer.status, &*answer.text), (401, unknown));
    let session = [("x-session-token", "none")];
    let unknown = r#"{"success":false,"error_code":"061","error_message":"Session key is not found, please try again.","error_detail":"the token in the header x-session-token is unknown, expired or another key's: get one from GET /session/"}"#;
    let answer = with_key(&server, &server.key, &session, "live").await;
    assert_eq!((answer.status, &*answer.text), (401, unknown));
    let token = server.session(&server.session_key).await;
    let session = [("x-session-token", &*token)];
    for _ in 0..3 {
        let answer = with_key(&server, &server.session_key, &session, "live").await;
        assert_eq!(answer.text, RECORDED[0].2);
    }
    let used = r#"{"success":false,"error_code":"062","error_message":"Session key limit reached, please try restart.","error_detail":"all 3 checks of this session are used: get a new token from GET /session/"}"#;
    let answer = with_key(&server, &server.session_key, &session, "live").await;
    assert_eq!((answer.status, &*answer.text), (429, used));
}

#[tokio::test]
async fn details_and_version_name_the_review_threshold_only_where_it_is_set() {
    let server = start().await;
    let details = server.post().query(&[("details", "true")]);
    let details = send(details.multipart(image_form(b"live"))).await;
    let thresholds = r#""thresholds":{"face":0.75,"liveness":0.9,"mask":0.5}"#;
    assert!(details.text.contains(thresholds), "{}", details.text);
    let version = server.get("/version").await;
    assert!(version.text.contains(thresholds), "{}", version.text);
}
