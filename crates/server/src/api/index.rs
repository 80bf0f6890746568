//! `GET /`: links to the pages and endpoints that this listener has.

use axum::Extension;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::error::Shared;

/// Nothing is loaded, from here or elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// A link of the page: where it leads, its words, what is there.
pub(crate) struct Link {
    /// Relative, so that it holds behind a proxy that puts the service under a path.
    pub(crate) path: &'static str,
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
}

/// The page with these links.
pub(crate) fn page(links: &[Link]) -> Bytes {
    let items: String = links
        .iter()
        .map(|Link { path, title, text }| {
            format!("    <li><a href=\"{path}\">{title}</a> {text}</li>\n")
        })
        .collect();
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Livecheck</title>
  <style>
    body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}
    li {{ margin: .4rem 0 }}
  </style>
</head>
<body>
  <h1>Livecheck {version}</h1>
  <p>Does this selfie show a live person, or a picture of one?</p>
  <ul>
{items}  </ul>
</body>
</html>
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
    .into()
}

pub(crate) fn show(page: Bytes) -> Response {
    (
        Extension(Shared),
        [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (CACHE_CONTROL, "no-cache"),
        ],
        page,
    )
        .into_response()
}
