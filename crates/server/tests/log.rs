//! The log never holds a key, a token or an image, not even at its most talkative.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::io;
use std::sync::{Arc, Mutex};

use common::{base64, image_form, send, start};

/// W3C Trace Context, the example of its section 3.2.3.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn secrets_stay_out_of_the_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let server = start().await;
    let token = server.session(&server.session_key).await;
    let image = b"live and a face nobody else may see";
    let text = base64(image);
    for key in [
        &server.session_key,
        "lck_a_wrong_key_that_may_be_almost_right",
    ] {
        let request = || server.post_as(key).header("x-session-token", &token);
        send(
            request()
                .header("x-request-id", "seen")
                .header("traceparent", TRACE)
                .multipart(image_form(image)),
        )
        .await;
        send(request().form(&[("image_bytes", &text)])).await;
        send(request().json(&serde_json::json!({ "image_bytes": text, "x": 1 }))).await;
        send(request().json(&serde_json::json!({ "image_bytes": [text] }))).await;
    }
    // In places where they do not belong.
    let key = &server.session_key;
    server.get(&format!("/{key}?{token}")).await;
    server.get(&format!("/liveness/{text}")).await;
    send(
        server
            .post_as(key)
            .header("content-type", format!("text/{key}")),
    )
    .await;
    for secret in [key, &token] {
        let request = server.post_as(key).header("x-request-id", secret);
        send(request.multipart(image_form(image))).await;
    }
    let method = reqwest::Method::from_bytes(key.as_bytes()).unwrap();
    send(reqwest::Client::new().request(method, server.url("/liveness/"))).await;
    let log = lines.0.lock().unwrap();
    let log = String::from_utf8_lossy(&log);
    // What the client's side of this very process logs is not the server's.
    let log: String = log
        .lines()
        .filter(|line| line.contains("livecheck") || line.contains("request{"))
        .collect();
    assert!(log.contains("seen") && log.contains("answered"), "{log}");
    // What the request belongs to, and whose it is, is there.
    let trace = TRACE.split('-').nth(1).unwrap();
    assert!(log.contains(&format!("trace_id=\"{trace}\"")), "{log}");
    assert!(log.contains("key=\"k"), "{log}");
    for secret in [
        server.session_key.as_str(),
        "lck_",
        &token,
        &text,
        "nobody else",
    ] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
}
