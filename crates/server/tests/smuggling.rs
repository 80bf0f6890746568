//! Requests made to be read in two ways (RFC 9112, section 11.2), and values made to become
//! headers. A second request that hides in the first one's body is never answered.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::{Running, Scripted, raw, start, start_with};
use livecheck_server::ServerConfig;

/// What hides in the body. Its answer would be known by `"status":"ok"`.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// Heads after which client, proxy and server may disagree about where the body ends. The hidden
/// request follows at the place where some reader sees the end.
fn ambiguous(server: &Running) -> Vec<(&'static str, String)> {
    let post = |headers: &str, body: &str| {
        format!(
            "POST /liveness/ HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\n{headers}\r\n{body}",
            server.key
        )
    };
    let chunked_end = format!("0\r\n\r\n{HIDDEN}");
    let length = chunked_end.len();
    let both =
        |first: String, second: &str| post(&format!("{first}\r\n{second}\r\n"), &chunked_end);
    vec![
        (
            "length, then chunked",
            both(
                format!("content-length: {length}"),
                "transfer-encoding: chunked",
            ),
        ),
        (
            "chunked, then length",
            both(
                "transfer-encoding: chunked".to_owned(),
                &format!("content-length: {length}"),
            ),
        ),
        (
            "a length that ends before the hidden request",
            post(
                "content-length: 5\r\ncontent-length: 50\r\n",
                &format!("hello{HIDDEN}"),
            ),
        ),
        (
            "two lengths in one header",
            post("content-length: 5, 50\r\n", &format!("hello{HIDDEN}")),
        ),
        (
            "a length with a sign",
            post("content-length: +5\r\n", &format!("hello{HIDDEN}")),
        ),
        ("a negative length", post("content-length: -5\r\n", HIDDEN)),
        (
            "a hexadecimal length",
            post("content-length: 0x5\r\n", &format!("hello{HIDDEN}")),
        ),
        (
            "a length beyond 64 bits",
            post(
                "content-length: 18446744073709551621\r\n",
                &format!("hello{HIDDEN}"),
            ),
        ),
        (
            "an unknown encoding",
            post("transfer-encoding: xchunked\r\n", &chunked_end),
        ),
        (
            "chunked not last",
            post("transfer-encoding: chunked, identity\r\n", &chunked_end),
        ),
        (
            "chunked twice, once not",
            post(
                "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
                &chunked_end,
            ),
        ),
        (
            "a space before the colon",
            post("transfer-encoding : chunked\r\n", &chunked_end),
        ),
        (
            "a folded header",
            post("transfer-encoding:\r\n chunked\r\n", &chunked_end),
        ),
        (
            "a vertical tab",
            post("transfer-encoding: \x0bchunked\r\n", &chunked_end),
        ),
        (
            "a nul",
            post("x: a\0b\r\ntransfer-encoding: chunked\r\n", &chunked_end),
        ),
        (
            "a bare carriage return",
            post("x: a\rtransfer-encoding: chunked\r\n", &chunked_end),
        ),
        (
            "plain chunked",
            post("transfer-encoding: chunked\r\n", &chunked_end),
        ),
        (
            "a chunk extension with a line break",
            post(
                "transfer-encoding: chunked\r\n",
                &format!("2;a=\n1\r\n{{}}\r\n{chunked_end}"),
            ),
        ),
        (
            "a chunk size that overflows",
            post(
                "transfer-encoding: chunked\r\n",
                &format!("10000000000000002\r\n{{}}\r\n{chunked_end}"),
            ),
        ),
        (
            "a chunk size with a sign",
            post(
                "transfer-encoding: chunked\r\n",
                &format!("+2\r\n{{}}\r\n{chunked_end}"),
            ),
        ),
        (
            "a trailer that is a request",
            post(
                "transfer-encoding: chunked\r\n",
                &format!("0\r\n{HIDDEN}\r\n"),
            ),
        ),
        (
            "chunked on HTTP/1.0",
            format!(
                "POST /liveness/ HTTP/1.0\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n{chunked_end}",
                server.key
            ),
        ),
        (
            "a body where none belongs",
            format!(
                "GET /version HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{HIDDEN}",
                HIDDEN.len()
            ),
        ),
        (
            "a body before the key is known",
            format!(
                "POST /liveness/ HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{HIDDEN}",
                HIDDEN.len()
            ),
        ),
    ]
}

#[tokio::test]
async fn a_hidden_request_is_never_answered() {
    let server = start().await;
    for (name, request) in ambiguous(&server) {
        // Reads until the server closes: it does not wait for more on such a connection.
        let answer = raw(server.address, request.as_bytes()).await;
        let answers = answer.matches("HTTP/1.1 ").count() + answer.matches("HTTP/1.0 ").count();
        assert_eq!(answers, 1, "{name}: {answer}");
        assert!(!answer.contains("\"status\":\"ok\""), "{name}: {answer}");
    }
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn two_plain_requests_on_one_connection_are_both_answered() {
    let server = start().await;
    let last = HIDDEN.replace("host: x", "host: x\r\nconnection: close");
    let answer = raw(server.address, format!("{HIDDEN}{last}").as_bytes()).await;
    assert_eq!(answer.matches("\"status\":\"ok\"").count(), 2, "{answer}");
}

/// Lines of the head that no request may have written there.
fn assert_clean(answer: &str) {
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 "), "{answer}");
    for line in head.lines() {
        assert!(!line.starts_with("injected"), "{answer}");
        assert!(!line.contains("evil"), "{answer}");
        assert!(
            line.bytes().all(|byte| (32..127).contains(&byte)),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn nothing_a_client_sends_becomes_a_header() {
    let flags = [
        ("cors-origins".to_owned(), "https://kyc.example".to_owned()),
        ("listen".to_owned(), "127.0.0.1:0".to_owned()),
    ];
    let config = ServerConfig::load(None, [], flags).unwrap();
    let server = start_with(config, Scripted::default()).await;
    let injected = [
        "\r\ninjected: 1",
        "\ninjected: 1",
        "\rinjected: 1",
        "%0d%0ainjected: 1",
        "\u{560d}\u{560a}injected: 1",
    ];
    for text in injected {
        for header in [
            "x-request-id",
            "origin",
            "host",
            "x-api-key",
            "x-session-token",
            "content-type",
        ] {
            // Two header lines are two header lines: a line break ends the value, and what follows
            // is another header of the request, never one of the answer.
            let request = format!(
                "POST /liveness/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}: evil/{text}\r\ncontent-length: 0\r\n\r\n"
            );
            assert_clean(&raw(server.address, request.as_bytes()).await);
        }
        let path: String = text
            .replace('\r', "%0d")
            .replace('\n', "%0a")
            .replace(' ', "%20");
        for path in [
            format!("/docs{path}"),
            format!("/demo{path}"),
            format!("/{path}"),
            "//evil.example/..".to_owned(),
        ] {
            let request =
                format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
            assert_clean(&raw(server.address, request.as_bytes()).await);
        }
    }
    // Redirects name no host, whatever the request says.
    for path in ["/docs", "/demo"] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: evil.example\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(server.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
        assert_clean(&answer);
    }
}
