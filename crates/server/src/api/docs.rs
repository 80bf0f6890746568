//! `GET /openapi.json`, and `GET /docs`: the same, to read and to try out (Swagger UI, served from
//! the binary, which holds it packed).

use std::io::{self, Cursor, Read};
use std::sync::OnceLock;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{OriginalUri, Path};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};

use crate::error::{ApiError, Shared};

/// Swagger UI sets styles on its elements and draws its icons from `data:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn openapi() -> Response {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| crate::api::openapi::document().into());
    let json = [(CONTENT_TYPE, "application/json")];
    (Extension(Shared), json, text.clone()).into_response()
}

/// The page's own links are relative to `/docs/`.
pub(crate) async fn redirect() -> Redirect {
    Redirect::permanent("/docs/")
}

/// The page: Swagger UI's script and style, and what tells it where the document is.
const INDEX: &str = r#"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Livecheck API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="swagger-ui-bundle.js"></script>
  <script type="module" src="start.js"></script>
</body>
</html>
"#;

/// Swagger UI's style has a dark mode, which follows the system's here. No validator: it would send the document's address to a stranger. Swagger UI offers the first body
/// first; the document lists them by the alphabet, where JSON comes before the upload of a file.
const START: &str = r##"const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
const response = await fetch("../openapi.json");
const spec = await response.json();
const body = spec.paths["/liveness/"].post.requestBody;
body.content = { "multipart/form-data": undefined, ...body.content };
spec.paths = { "/liveness/": undefined, "/session/": undefined, ...spec.paths };
SwaggerUIBundle({
  spec,
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"##;

/// A file inside the packed Swagger UI, unpacked when it is asked for first.
struct Packed {
    name: &'static str,
    content: OnceLock<Bytes>,
}

impl Packed {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            content: OnceLock::new(),
        }
    }

    fn content(&self) -> io::Result<Bytes> {
        if let Some(content) = self.content.get() {
            return Ok(content.clone());
        }
        let archive = Cursor::new(utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED);
        let mut archive = zip::ZipArchive::new(archive)?;
        let path = archive
            .file_names()
            .filter_map(Result::ok)
            .find(|path| path.ends_with(self.name));
        let path = path.ok_or(io::ErrorKind::NotFound)?.into_owned();
        let mut content = Vec::new();
        archive.by_name(&path)?.read_to_end(&mut content)?;
        Ok(self.content.get_or_init(|| content.into()).clone())
    }
}

static SCRIPT: Packed = Packed::new("/dist/swagger-ui-bundle.js");
static STYLE: Packed = Packed::new("/dist/swagger-ui.css");

pub(crate) async fn index(uri: OriginalUri) -> Response {
    serve("index.html", &uri)
}

pub(crate) async fn file(Path(file): Path<String>, uri: OriginalUri) -> Response {
    serve(&file, &uri)
}

fn serve(file: &str, uri: &OriginalUri) -> Response {
    let (kind, content) = match file {
        "index.html" => ("text/html; charset=utf-8", Ok(INDEX.into())),
        "start.js" => ("text/javascript; charset=utf-8", Ok(START.into())),
        "swagger-ui-bundle.js" => ("text/javascript; charset=utf-8", SCRIPT.content()),
        "swagger-ui.css" => ("text/css; charset=utf-8", STYLE.content()),
        _ => return ApiError::not_found(uri.path()).into_response(),
    };
    match content {
        Ok(content) => (
            Extension(Shared),
            [
                (CONTENT_TYPE, kind),
                (CONTENT_SECURITY_POLICY, POLICY),
                (CACHE_CONTROL, "no-cache"),
            ],
            content,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, file, "the documentation page could not be served");
            ApiError::internal().into_response()
        }
    }
}
