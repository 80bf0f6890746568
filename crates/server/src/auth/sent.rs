//! Which key and which session token a request's headers name. Pure: headers in, values out.

use axum::http::{HeaderMap, HeaderValue};
use livecheck_store::SessionToken;

pub(crate) const API_KEY: &str = "x-api-key";
pub(crate) const SESSION_TOKEN: &str = "x-session-token";

/// The one key header of a request.
pub(crate) fn sent_key(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(API_KEY).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// The session token of a request: `None` when it sends none, `Some(None)` when what it sends has
/// not the form of one.
pub(crate) fn sent_token(headers: &HeaderMap) -> Option<Option<SessionToken>> {
    let mut values = headers
        .get_all(SESSION_TOKEN)
        .iter()
        .filter(|value| !value.is_empty());
    let first = values.next()?;
    if values.next().is_some() {
        return Some(None);
    }
    Some(first.to_str().ok().and_then(SessionToken::parse))
}
