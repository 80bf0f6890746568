//! Who is asking: the API key (`001`), its rate limit, and the session token (`061`, `062`). Wrong ones
//! beyond so many are answered with `005` and 429; right ones are always served.

pub mod sent;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use livecheck_contract::ErrorCode;
use livecheck_store::{KeyRecord, Rate, RateDecision, SessionState, TokenHash};
use sha2::{Digest as _, Sha256};

use crate::access::keys::RequestKey;
use crate::app::App;
use crate::config::Switch;
use crate::error::ApiError;
use crate::http::client::{self, Origin, Peer};
use crate::observability::metrics::AuthFailure;

pub(crate) use sent::{API_KEY, SESSION_KEY, SESSION_TOKEN, sent_key, sent_token};

/// The live key of the request.
///
/// # Errors
/// `001`; `005` while the store is away, or with 429 after too many wrong keys.
async fn key(app: &App, request: &Parts) -> Result<Arc<KeyRecord>, ApiError> {
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
    let wait = app.throttle.key_wait(origin, now);
    let turn = app.throttle.turn(wait).await;
    let known = app
        .keys
        .authenticate(text)
        .await
        .inspect_err(|_| app.metrics.store_failed())?;
    drop(turn);
    let Some(known) = known else {
        if let Some(wait) = wait {
            return Err(slowed(app, wait, "wrong API keys of this address"));
        }
        app.throttle.key_failed(origin, now);
        app.metrics.auth_failed(AuthFailure::Key);
        return Err(ApiError::new(
            ErrorCode::ApiKey,
            "the key in the header x-api-key is unknown, expired or revoked",
        ));
    };
    if known.sandbox && app.config.access.sandbox == Switch::Off {
        return Err(ApiError::new(
            ErrorCode::ApiKey,
            "this is a sandbox key, and this server does not accept sandbox keys",
        ));
    }
    Ok(known)
}

/// That the key of a request is live still: it may have been revoked, or have expired, while its photo was
/// on the way.
///
/// # Errors
/// `001`; `005` while the store is away.
pub(crate) async fn is_still_live(app: &App, request: &Parts) -> Result<(), ApiError> {
    let sent = sent_key(&request.headers).and_then(|value| value.to_str().ok());
    let known = app
        .keys
        .authenticate(sent.unwrap_or_default().trim())
        .await
        .inspect_err(|_| app.metrics.store_failed())?;
    match known {
        Some(_) => Ok(()),
        None => Err(ApiError::new(
            ErrorCode::ApiKey,
            "the key in the header x-api-key was revoked, or expired, while the photo was received",
        )),
    }
}

/// That the request has the admin token, as `Authorization: Bearer TOKEN`. After too many wrong ones of an
/// address none of it is looked at for a while, since people choose this token.
///
/// # Errors
/// `001`; `005` with 429 after too many wrong tokens.
pub(crate) fn admin(app: &App, request: &Parts) -> Result<(), ApiError> {
    let wanted = app.config.network.admin_token.as_ref();
    let sent = request
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let (origin, now) = (origin(app, request), app.clock.monotonic());
    if let Some(wait) = app.throttle.admin_wait(origin, now) {
        return Err(slowed(app, wait, "wrong admin tokens of this address"));
    }
    // Hashes, so that the time says nothing about where they differ.
    let hash = |text: &str| Sha256::digest(text);
    if let (Some(wanted), Some(sent)) = (wanted, sent)
        && hash(wanted.reveal()) == hash(sent.trim())
    {
        return Ok(());
    }
    app.throttle.admin_failed(origin, now);
    app.metrics.auth_failed(AuthFailure::Key);
    Err(ApiError::new(
        ErrorCode::ApiKey,
        "the request must have the admin token: Authorization: Bearer TOKEN",
    ))
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
            "too many {because} came before this one; try again in {:.1} seconds",
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
async fn rate(app: &App, key: &KeyRecord) -> Result<Option<(Rate, RateDecision)>, ApiError> {
    let access = &app.config.access;
    let default = if access.rate_limit > 0.0 {
        Some(Rate::new(access.rate_limit, access.rate_burst)?)
    } else {
        None
    };
    let Some(rate) = key.rate.or(default) else {
        return Ok(None);
    };
    let decision = app
        .store
        .take_rate(&key.id, rate, app.clock.now())
        .await
        .inspect_err(|_| app.metrics.store_failed())?;
    Ok(Some((rate, decision)))
}

/// Beyond the key's rate limit.
fn limited(rate: Rate, wait: Duration) -> ApiError {
    ApiError::new(
        ErrorCode::Internal,
        format!(
            "this key may send {} requests a second and {} at once; try again in {:.1} seconds",
            rate.per_second(),
            rate.burst(),
            wait.as_secs_f32()
        ),
    )
    .with_status(StatusCode::TOO_MANY_REQUESTS)
    .retry_after(wait)
}

/// What is known of who sends a request, as far as it was looked at: the answer tells of it.
#[derive(Default)]
pub(crate) struct Caller {
    key: Option<Arc<KeyRecord>>,
    rate: Option<(Rate, RateDecision)>,
}

impl Caller {
    /// The live key of the request, within its rate limit.
    ///
    /// # Errors
    /// As [`key`] and [`rate`].
    pub(crate) async fn identify(
        &mut self,
        app: &App,
        request: &Parts,
    ) -> Result<Arc<KeyRecord>, ApiError> {
        let key = key(app, request).await?;
        self.key = Some(Arc::clone(&key));
        self.rate = rate(app, &key).await?;
        match self.rate {
            Some((rate, decision)) if !decision.allowed => Err(limited(rate, decision.retry_after)),
            _ => Ok(key),
        }
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.sandbox)
    }

    /// Adds the rate headers, and the key for the log and the metrics.
    pub(crate) fn finish(self, mut response: Response) -> Response {
        if let Some((rate, decision)) = self.rate {
            put_rate(rate, decision, response.headers_mut());
        }
        if let Some(key) = &self.key {
            response.extensions_mut().insert(RequestKey::from(&**key));
        }
        response
    }
}

/// `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers writes them (the burst,
/// the seconds in which it fills, what is left of it, and the seconds until more is), and the older
/// `RateLimit-Limit` and `RateLimit-Remaining`.
fn put_rate(rate: Rate, decision: RateDecision, headers: &mut HeaderMap) {
    let whole_seconds = |time: Duration| time.as_millis().div_ceil(1000).max(1);
    let (limit, remaining) = (rate.burst(), decision.remaining);
    let window = whole_seconds(rate.fill_time());
    let next = if decision.allowed {
        whole_seconds(Duration::from_secs_f64(1.0 / rate.per_second()))
    } else {
        whole_seconds(decision.retry_after)
    };
    for (name, value) in [
        ("ratelimit-policy", format!("\"key\";q={limit};w={window}")),
        ("ratelimit", format!("\"key\";r={remaining};t={next}")),
        ("ratelimit-limit", limit.to_string()),
        ("ratelimit-remaining", remaining.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
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
    request: &Parts,
) -> Result<Option<TokenHash>, ApiError> {
    let Some(sent) = sent_token(&request.headers) else {
        if !key.require_session {
            return Ok(None);
        }
        return Err(ApiError::new(
            ErrorCode::SessionNotFound,
            "this key needs a session: get a token from GET /session/ and send it in the header x-session-token",
        ));
    };
    let (origin, now) = (origin(app, request), app.clock.monotonic());
    let wait = app.throttle.token_wait(origin, &key.id, now);
    let turn = app.throttle.turn(wait).await;
    let hash = sent.token.map(|token| token.hash());
    let state = match &hash {
        Some(hash) => app
            .store
            .peek_session(hash, &key.id, app.clock.now())
            .await
            .inspect_err(|_| app.metrics.store_failed())?,
        None => SessionState::NotFound,
    };
    drop(turn);
    if state == SessionState::NotFound {
        if let Some(wait) = wait {
            let because = "wrong session tokens of this address and key";
            return Err(slowed(app, wait, because));
        }
        app.throttle.token_failed(origin, &key.id, now);
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
