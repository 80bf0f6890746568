//! The headers that name a session and a key.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use livecheck_server::sent::{sent_key, sent_token};
use livecheck_store::{ApiKey, SessionToken};

fn session_token(headers: &HeaderMap) -> Option<SessionToken> {
    sent_token(headers)?.token
}

fn api_key(headers: &HeaderMap) -> Option<ApiKey> {
    let value = sent_key(headers)?.to_str().ok()?;
    ApiKey::parse(value.trim())
}

/// Characters of a session token.
const TOKEN_CHARS: usize = 32;
/// Beginnings of API keys, that of sandbox keys first, and the characters that follow.
const KEY_PREFIXES: [&str; 2] = ["lck_test_", "lck_"];
const KEY_CHARS: usize = 43;

/// Lines of bytes, each the value of a header `x-session-token`, `x-session-key` or `x-api-key`: a token or key is
/// taken exactly when there is one value that has its form.
///
/// # Panics
/// When that is not so.
pub fn session(input: &[u8]) {
    let values: Vec<HeaderValue> = input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let headers = |name: &'static str| {
        let mut headers = HeaderMap::new();
        for value in &values {
            headers.append(HeaderName::from_static(name), value.clone());
        }
        headers
    };

    let mut sent = values.iter().filter(|value| !value.is_empty());
    let only = match (sent.next(), sent.next()) {
        (Some(only), None) => Some(only.as_bytes()),
        _ => None,
    };
    let expected = only.filter(|text| text.len() == TOKEN_CHARS && text.iter().all(is_base64url));
    let token = session_token(&headers("x-session-token"));
    assert_eq!(
        token.as_ref().map(|token| token.reveal().as_bytes()),
        expected
    );
    // Under its other name it is taken just so, and under both it is still one token.
    let other = session_token(&headers("x-session-key"));
    assert_eq!(
        other.as_ref().map(|token| token.reveal().as_bytes()),
        expected
    );
    let mut both = headers("x-session-token");
    both.extend(headers("x-session-key"));
    assert_eq!(
        session_token(&both)
            .as_ref()
            .map(|token| token.reveal().as_bytes()),
        expected
    );
    if let Some(token) = token {
        assert_eq!(format!("{token:?}"), "[redacted]");
    }

    if let Some(key) = api_key(&headers("x-api-key")) {
        let [only] = values.as_slice() else {
            panic!("a key of {} values", values.len());
        };
        assert_eq!(key.reveal().as_bytes(), only.as_bytes().trim_ascii());
        let bodies = KEY_PREFIXES.map(|prefix| key.reveal().strip_prefix(prefix));
        assert!(bodies.iter().flatten().any(|body| body.len() == KEY_CHARS));
        assert_eq!(format!("{key:?}"), "[redacted]");
    }
}

fn is_base64url(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(byte)
}
