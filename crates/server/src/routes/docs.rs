//! `GET /openapi.json`, and `GET /docs`: the same, to read and to try out (Swagger UI, served from
//! the binary).

use std::sync::{Arc, OnceLock};

use axum::extract::{OriginalUri, Path};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_swagger_ui::Config;

use crate::error::ApiError;

/// Swagger UI sets styles on its elements and draws its icons from `data:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn openapi() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(crate::openapi::document);
    ([(CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// The page's own links are relative to `/docs/`.
pub(crate) async fn redirect() -> Redirect {
    Redirect::permanent("/docs/")
}

pub(crate) async fn index(uri: OriginalUri) -> Response {
    serve("index.html", &uri)
}

pub(crate) async fn file(Path(file): Path<String>, uri: OriginalUri) -> Response {
    serve(&file, &uri)
}

fn serve(file: &str, uri: &OriginalUri) -> Response {
    static CONFIG: OnceLock<Arc<Config<'static>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        Arc::new(
            Config::from("../openapi.json")
                .try_it_out_enabled(true)
                .validator_url("none"),
        )
    });
    match utoipa_swagger_ui::serve(file, Arc::clone(config)) {
        Ok(Some(found)) => (
            [
                (CONTENT_TYPE, found.content_type.as_str()),
                (CONTENT_SECURITY_POLICY, POLICY),
                (CACHE_CONTROL, "no-cache"),
            ],
            found.bytes.into_owned(),
        )
            .into_response(),
        Ok(None) => ApiError::not_found(uri.path()).into_response(),
        Err(error) => {
            tracing::error!(%error, file, "the documentation page could not be served");
            ApiError::internal().into_response()
        }
    }
}
