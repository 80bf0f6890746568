//! `GET /demo`: the capture page, served from the binary.

use axum::Extension;
use axum::extract::{OriginalUri, Path};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::RustEmbed;

use crate::error::{ApiError, Shared};

/// Everything comes from this server, the camera's picture stays in the page. `wasm-unsafe-eval` lets
/// the page's face detector be compiled, and nothing else; it runs in a worker.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
    style-src 'self'; img-src 'self' blob:; media-src 'self' blob: mediastream:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// The files of the capture page.
#[derive(RustEmbed)]
#[folder = "../../web"]
#[include = "*.html"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
#[include = "*.wasm"]
#[include = "sample.jpg"]
#[exclude = "tests/*"]
#[exclude = "examples/*"]
struct Web;

/// The page's own links are relative to `/demo/`; this one is relative too, so that it holds
/// behind a proxy that puts the service under a path.
pub(crate) async fn redirect() -> Redirect {
    Redirect::permanent("demo/")
}

pub(crate) async fn index(uri: OriginalUri) -> Response {
    serve("index.html", &uri)
}

pub(crate) async fn file(Path(file): Path<String>, uri: OriginalUri) -> Response {
    serve(&file, &uri)
}

fn serve(file: &str, uri: &OriginalUri) -> Response {
    let Some(content) = Web::get(file) else {
        return ApiError::not_found(uri.path()).into_response();
    };
    let kind = mime_guess::from_path(file).first_or_octet_stream();
    let kind = if kind.type_() == "text" {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    (
        Extension(Shared),
        [
            (CONTENT_TYPE, kind.as_str()),
            (CONTENT_SECURITY_POLICY, POLICY),
            (CACHE_CONTROL, "no-cache"),
        ],
        [(
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("camera=(self), microphone=(), geolocation=()"),
        )],
        content.data,
    )
        .into_response()
}
