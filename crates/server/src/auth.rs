//! Who is asking: the API key (`001`), its rate limit, and the session token (`061`, `062`). Too many
//! wrong ones are answered with `005` and 429 before they are looked at.

mod sent;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use livecheck_engine::ErrorCode;
use livecheck_store::{KeyRecord, Rate, SessionState, TokenHash};

use crate::app::App;
use crate::client::{self, Origin, Peer};
use crate::error::ApiError;
use crate::metrics::AuthFailure;

pub(crate) use sent::{API_KEY, SESSION_KEY, SESSION_TOKEN, sent_key, sent_token};

/// The live key of the request.
///
/// # Errors
/// `001`; `005` while the store is away, or with 429 after too many wrong keys.
pub(crate) async fn key(app: &App, request: &Parts) -> Result<Arc<KeyRecord>, ApiError> {
    let Some(value) = sent_key(&request.headers) else {
        return Err(ApiError::new(
            ErrorCode::ApiKey,
            "the request must have exactly one header x-api-key",
        ));
    };
    // What is no text is no key, and counts as a wrong one like any other.
    let text = value.to_str().unwrap_or_default().trim();
    let origin = origin(app, request);
    let now = app.clock.monotonic();
    if let Some(wait) = app.guesses.key_wait(origin, text, now) {
        return Err(slowed(app, wait, "wrong API keys"));
    }
    let known = app
        .keys
        .authenticate(text)
        .await
        .inspect_err(|_| app.metrics.store_failed())?;
    let Some(known) = known else {
        app.guesses.key_failed(origin, text, now);
        app.metrics.auth_failed(AuthFailure::Key);
        return Err(ApiError::new(
            ErrorCode::ApiKey,
            "the key in the header x-api-key is unknown, expired or revoked",
        ));
    };
    app.guesses.key_worked(origin, text, now);
    Ok(known)
}

/// Whom a wrong key is counted against.
fn origin(app: &App, request: &Parts) -> Origin {
    let peer = request
        .extensions
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    client::address(&app.config.network, peer, &request.headers).into()
}

fn slowed(app: &App, wait: Duration, because: &str) -> ApiError {
    app.metrics.auth_failed(AuthFailure::Slowed);
    ApiError::new(
        ErrorCode::Internal,
        format!(
            "too many {because} came before this request, so it was not looked at; try again in {:.1} seconds",
            wait.as_secs_f32()
        ),
    )
    .with_status(StatusCode::TOO_MANY_REQUESTS)
    .retry_after(wait)
}

/// Counts the request against the key's rate limit. The headers go on the answer, whatever it is.
///
/// # Errors
/// `005` with 429, or with 503 while the store is away.
pub(crate) async fn rate(app: &App, key: &KeyRecord) -> Result<RateHeaders, ApiError> {
    let access = &app.config.access;
    let default = if access.rate_limit > 0.0 {
        Some(Rate::new(access.rate_limit, access.rate_burst)?)
    } else {
        None
    };
    let Some(rate) = key.rate.or(default) else {
        return Ok(RateHeaders::default());
    };
    let decision = app
        .store
        .take_rate(&key.id, rate, app.clock.now())
        .await
        .inspect_err(|_| app.metrics.store_failed())?;
    if decision.allowed {
        return Ok(RateHeaders(Some((rate.burst(), decision.remaining))));
    }
    Err(ApiError::new(
        ErrorCode::Internal,
        format!(
            "this key may send {} requests a second and {} at once; try again in {:.1} seconds",
            rate.per_second(),
            rate.burst(),
            decision.retry_after.as_secs_f32()
        ),
    )
    .with_status(StatusCode::TOO_MANY_REQUESTS)
    .retry_after(decision.retry_after))
}

/// `RateLimit-Limit` and `RateLimit-Remaining`, for keys that have a limit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RateHeaders(Option<(u32, u32)>);

impl RateHeaders {
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        let Some((limit, remaining)) = self.0 else {
            return;
        };
        for (name, number) in [
            ("ratelimit-limit", limit),
            ("ratelimit-remaining", remaining),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
        }
    }
}

/// The session of a request, seen to have a use left; `None` when the key needs none and none was
/// sent.
///
/// # Errors
/// `061`, `062`; `005` while the store is away, or with 429 after too many wrong tokens.
pub(crate) async fn session(
    app: &App,
    key: &KeyRecord,
    headers: &HeaderMap,
) -> Result<Option<TokenHash>, ApiError> {
    let Some(sent) = sent_token(headers) else {
        if !key.require_session {
            return Ok(None);
        }
        return Err(ApiError::new(
            ErrorCode::SessionNotFound,
            "this key needs a session: get a token from GET /session/ and send it in the header x-session-token",
        ));
    };
    let now = app.clock.monotonic();
    if let Some(wait) = app.guesses.token_wait(&key.id, now) {
        return Err(slowed(app, wait, "wrong session tokens of this key"));
    }
    let hash = sent.token.map(|token| token.hash());
    let state = match &hash {
        Some(hash) => app
            .store
            .peek_session(hash, &key.id, app.clock.now())
            .await
            .inspect_err(|_| app.metrics.store_failed())?,
        None => SessionState::NotFound,
    };
    if state == SessionState::NotFound {
        app.guesses.token_failed(&key.id, now);
        app.metrics.auth_failed(AuthFailure::Token);
        return Err(unknown_session(sent.header));
    }
    usable(app, state)?;
    Ok(hash)
}

/// What a session's state means for the request.
///
/// # Errors
/// `061` or `062`.
pub(crate) fn usable(app: &App, state: SessionState) -> Result<(), ApiError> {
    match state {
        SessionState::Ready { .. } => Ok(()),
        SessionState::NotFound => Err(ApiError::new(
            ErrorCode::SessionNotFound,
            "the session has ended: get a new token from GET /session/",
        )),
        SessionState::Exhausted => Err(ApiError::new(
            ErrorCode::SessionLimit,
            format!(
                "all {} checks of this session are used: get a new token from GET /session/",
                app.config.access.session_uses
            ),
        )),
    }
}

fn unknown_session(header: &str) -> ApiError {
    ApiError::new(
        ErrorCode::SessionNotFound,
        format!(
            "the token in the header {header} is unknown, expired or another key's: get one from GET /session/"
        ),
    )
}
