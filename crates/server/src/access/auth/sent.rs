//! Which key and which session token a request's headers name. Pure: headers in, values out.

use axum::http::{HeaderMap, HeaderValue};
use livecheck_store::SessionToken;

/// The header that names the key.
pub const API_KEY: &str = "x-api-key";
/// The header that names the session token.
pub const SESSION_TOKEN: &str = "x-session-token";
/// Another name of the same header, which some clients send.
pub const SESSION_KEY: &str = "x-session-key";

/// The one key header of a request.
#[must_use]
pub fn sent_key(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(API_KEY).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// The session token of a request.
pub struct SentToken {
    /// The header that it came in.
    pub header: &'static str,
    /// `None` when what was sent has not the form of a token.
    pub token: Option<SessionToken>,
}

/// The session token of a request, under either of its names; `None` when it sends none.
#[must_use]
pub fn sent_token(headers: &HeaderMap) -> Option<SentToken> {
    let mut values = [SESSION_TOKEN, SESSION_KEY].into_iter().flat_map(|header| {
        let values = headers.get_all(header).iter();
        values.map(move |value| (header, value))
    });
    let mut sent = values.by_ref().filter(|(_, value)| !value.is_empty());
    let (header, first) = sent.next()?;
    // The same token under both names is one token.
    let is_one = sent.all(|(other, value)| other != header && value == first);
    Some(SentToken {
        header,
        token: first
            .to_str()
            .ok()
            .filter(|_| is_one)
            .and_then(SessionToken::parse),
    })
}
