//! The id of a request: the client's, or a random one.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use livecheck_store::{ApiKey, SessionToken};

use crate::config::Token;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, for its handler.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Longest request id that is taken from a client.
const LONGEST_ID: usize = 64;

/// The client's request id if it is sane and no secret, else a random one.
pub(crate) fn request_id(headers: &HeaderMap, admin_token: Option<&Token>) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=LONGEST_ID).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
    };
    let harmless = |value: &&HeaderValue| {
        value.to_str().is_ok_and(|text| {
            !looks_secret(text) && admin_token.is_none_or(|token| token.reveal() != text)
        })
    };
    headers
        .get(&REQUEST_ID)
        .filter(sane)
        .filter(harmless)
        .cloned()
        .unwrap_or_else(random_id)
}

/// Whether a text could be an API key or a session token that got into the wrong header. The 32
/// hexadecimal digits that proxies use as ids are none: no token in 10^19 looks like that.
fn looks_secret(text: &str) -> bool {
    let all_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    ApiKey::is_part_of(text) || (!all_hex && SessionToken::parse(text).is_some())
}

/// 32 hexadecimal digits.
pub(crate) fn random_id() -> HeaderValue {
    let mut bytes = [0; 16];
    // Without randomness ids are useless for telling requests apart, but nothing else breaks.
    if getrandom::fill(&mut bytes).is_err() {
        return HeaderValue::from_static("none");
    }
    HeaderValue::from_str(&hex::encode(bytes)).unwrap_or_else(|_| HeaderValue::from_static("none"))
}
