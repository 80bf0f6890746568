//! What every request and answer goes through, whatever the route: its id, log line, metrics,
//! caught panics, headers for browsers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, EXPECT, HOST, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use livecheck_contract::ErrorCode;
use percent_encoding::percent_decode_str;
use tracing::Instrument;

use crate::access::keys::RequestKey;
use crate::app::App;
use crate::error::ApiError;
use crate::http::client::Full;
use crate::http::request_id::{REQUEST_ID, RequestId, request_id};

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// For a year, as long as this server itself speaks TLS.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Methods that are named in the log.
const LOGGED_METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

pub(crate) async fn apply(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let _in_flight = app.metrics.begin();
    let id = request_id(request.headers(), app.config.network.admin_token.as_ref());
    request.extensions_mut().insert(RequestId(id.clone()));
    // A method may be any word, so only those that exist are logged.
    let method = LOGGED_METHODS
        .into_iter()
        .find(|method| method == request.method())
        .map_or_else(|| "other".to_owned(), |method| method.to_string());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let origin = request.headers().get(ORIGIN).cloned();
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method,
        route,
        trace_id = trace_id(request.headers()),
    );

    let full = request.extensions().get::<Full>().copied();
    let mut response =
        if let Some(full) = full.filter(|_| !matches!(route.as_str(), "/healthz" | "/readyz")) {
            turned_away(&app, full).into_response()
        } else if let Err(error) = check_head(&request) {
            error.into_response()
        } else if let Some(preflight) = preflight(&app, &request) {
            preflight
        } else {
            AssertUnwindSafe(next.run(request))
                .catch_unwind()
                .instrument(span.clone())
                .await
                .unwrap_or_else(|_| {
                    app.metrics.panicked();
                    span.in_scope(|| tracing::error!("the handler panicked"));
                    ApiError::internal().into_response()
                })
        };

    finish_headers(&app, origin.as_ref(), &id, response.headers_mut());
    let error = response.extensions_mut().remove::<ApiError>();
    let key = response.extensions_mut().remove::<RequestKey>();
    let took = started.elapsed();
    span.in_scope(|| {
        log(
            &route,
            response.status(),
            error.as_ref(),
            key.as_ref(),
            // Microseconds are as fine as anyone reads.
            (took.as_secs_f64() * 1e6).round() / 1e3,
        );
    });
    let status = response.status().as_u16();
    let code = error.as_ref().map(ApiError::code);
    match &key {
        Some(key) if key.sandbox => app.metrics.answered_in_sandbox(status, code),
        key => {
            app.metrics.answered(&route, status, code, took);
            if let Some(key) = key {
                app.metrics.answered_key(&key.name, status, code);
            }
        }
    }
    response
}

/// What HTTP demands of every request, and hyper does not look at.
fn check_head(request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    let fits = match request.version() {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    };
    if !fits {
        return Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("the request has {hosts} Host headers; it must have exactly one"),
        ));
    }
    let mut expected = headers.get_all(EXPECT).iter();
    if expected.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(ApiError::new(
            ErrorCode::BadRequest,
            "the header Expect has an unknown value: only 100-continue is supported",
        )
        .with_status(StatusCode::EXPECTATION_FAILED));
    }
    // Nothing here has a name that is not UTF-8; the router would say so in words of its own.
    if percent_decode_str(request.uri().path())
        .decode_utf8()
        .is_err()
    {
        return Err(ApiError::not_found(request.uri().path()));
    }
    Ok(())
}

/// The answer on a connection that has a reserved place only.
fn turned_away(app: &App, full: Full) -> ApiError {
    let network = &app.config.network;
    ApiError::unavailable(match full {
        Full::All => {
            "all connections that the server allows have requests in progress: try again shortly"
                .to_owned()
        }
        Full::Address => format!(
            "all connections that one address may have ({}) have requests in progress: use fewer, or try again shortly",
            network.max_connections_per_address
        ),
    })
}

/// One line a request; probes only at debug level.
fn log(
    route: &str,
    status: StatusCode,
    error: Option<&ApiError>,
    key: Option<&RequestKey>,
    millis: f64,
) {
    let status = status.as_u16();
    let sandbox = key.is_some_and(|key| key.sandbox).then_some(true);
    let key = key.map(|key| key.id.as_str());
    match error {
        Some(error) => tracing::info!(
            status,
            code = error.code().code(),
            detail = error.logged_detail(),
            key,
            sandbox,
            millis,
            "answered"
        ),
        None if matches!(route, "/healthz" | "/readyz" | "/metrics") => {
            tracing::debug!(status, millis, "answered");
        }
        None => tracing::info!(status, key, sandbox, millis, "answered"),
    }
}

/// The trace that the request belongs to, from its `traceparent` (W3C Trace Context): version, trace,
/// parent and flags in lower-case hexadecimal digits. A malformed one is none.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACE_PARENT).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
        return None;
    };
    let fields: Vec<&str> = value.split('-').collect();
    let [version, trace, parent, flags, later @ ..] = fields.as_slice() else {
        return None;
    };
    // Later versions may append fields; version 00 has none, and ff is forbidden.
    let known = hex(version, 2) && *version != "ff" && (*version != "00" || later.is_empty());
    let whole = known && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    (whole && !is_zero(trace) && !is_zero(parent)).then_some(*trace)
}

/// Whether a text is so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

/// Headers of every answer. A page brings its own content security policy; all else may load
/// nothing.
fn finish_headers(
    app: &App,
    origin: Option<&HeaderValue>,
    id: &HeaderValue,
    headers: &mut HeaderMap,
) {
    headers.insert(REQUEST_ID, id.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        let name = HeaderName::from_static(name);
        headers.insert(name, HeaderValue::from_static("same-origin"));
    }
    if app.config.network.tls_cert.is_some() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if app.config.network.cors_origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|origin| is_allowed(app, origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "x-request-id, retry-after, ratelimit-policy, ratelimit, ratelimit-limit, ratelimit-remaining",
            ),
        );
    }
}

fn is_allowed(app: &App, origin: &HeaderValue) -> bool {
    origin
        .to_str()
        .is_ok_and(|origin| app.config.network.cors_origins.allow(origin))
}

/// The answer to a browser that asks whether a page may call the API.
fn preflight(app: &App, request: &Request<Body>) -> Option<Response> {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && headers
            .get(ORIGIN)
            .is_some_and(|origin| is_allowed(app, origin));
    asks.then(|| {
        (
            StatusCode::NO_CONTENT,
            [
                (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
                (
                    ACCESS_CONTROL_ALLOW_HEADERS,
                    "x-api-key, x-session-token, x-session-key, x-livecheck-sandbox, x-request-id, traceparent, content-type",
                ),
                (ACCESS_CONTROL_MAX_AGE, "600"),
            ],
        )
            .into_response()
    })
}
