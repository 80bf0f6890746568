//! A narrow door for the fuzz targets to code that is private otherwise. Not part of the API.

use axum::http::HeaderMap;
use livecheck_store::{ApiKey, SessionToken};

use crate::auth;

/// The session token that a request names.
#[must_use]
pub fn session_token(headers: &HeaderMap) -> Option<SessionToken> {
    auth::sent_token(headers)?.token
}

/// The API key that a request names, when it has the form of one.
#[must_use]
pub fn api_key(headers: &HeaderMap) -> Option<ApiKey> {
    let value = auth::sent_key(headers)?.to_str().ok()?;
    ApiKey::parse(value.trim())
}
