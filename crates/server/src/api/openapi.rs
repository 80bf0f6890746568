//! The OpenAPI 3.1 document of the API. The schemas of bodies are derived from the types that are written as
//! JSON; error codes, statuses and messages come from the one error table. `tests/openapi.json` is the reviewed
//! document, and a test holds every answer of a running server against the schemas.

mod operations;
mod schemas;

use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ServerBuilder};

use crate::access::auth::API_KEY;

/// The document as JSON.
#[must_use]
pub fn document() -> String {
    // Serialising what was just built from strings cannot fail.
    build().to_pretty_json().unwrap_or_default()
}

fn build() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Livecheck")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Passive face liveness: one selfie in, one verdict out. Every answer is JSON; every failure has the same envelope. The paths `/liveness/` and `/session/` also work without their last slash.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    let paths = PathsBuilder::new()
        .path(
            "/liveness/",
            PathItem::new(HttpMethod::Post, operations::liveness()),
        )
        .path(
            "/session/",
            PathItem::new(HttpMethod::Get, operations::session()),
        )
        .path(
            "/healthz",
            PathItem::new(HttpMethod::Get, operations::healthz()),
        )
        .path(
            "/readyz",
            PathItem::new(HttpMethod::Get, operations::readyz()),
        )
        .path(
            "/version",
            PathItem::new(HttpMethod::Get, operations::version()),
        )
        .path(
            "/metrics",
            PathItem::new(HttpMethod::Get, operations::metrics()),
        )
        .build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas::all())
        .security_scheme(
            operations::KEY_SCHEME,
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                API_KEY,
                "The API key issued to you or your organisation.",
            ))),
        )
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .paths(paths)
        .tags(Some(
            ["liveness", "operations"].map(|name| TagBuilder::new().name(name).build()),
        ))
        .components(Some(components))
        .build()
}
