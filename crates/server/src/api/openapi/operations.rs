//! What can be asked, and every answer that may come.

use livecheck_contract::ErrorCode;
use livecheck_contract::openapi::{Flag, one_of};
use serde_json::json;
use utoipa::PartialSchema as _;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Ref, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    Content, ContentBuilder, Header, RefOr, Required, Response, ResponseBuilder,
};

use crate::access::auth::{SESSION_KEY, SESSION_TOKEN};

/// Name of the security scheme.
pub(super) const KEY_SCHEME: &str = "api_key";

pub(super) fn liveness() -> OperationBuilder {
    let mut operation = OperationBuilder::new()
        .operation_id(Some("checkLiveness"))
        .tag("liveness")
        .summary(Some("Judge one selfie"))
        .description(Some(
            "Send exactly one of `image` (a file, multipart only) and `image_bytes` (base64). JPEG, PNG or WebP, at most 10 MB, shorter side at least 320 pixels, exactly one face, no face covering. Unknown fields are ignored.",
        ))
        .security(SecurityRequirement::new(KEY_SCHEME, [""; 0]))
        .parameter(
            ParameterBuilder::new()
                .name(SESSION_TOKEN)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(
                    "Token from GET /session/. Needed with keys that require sessions.",
                ))
                .schema(Some(text()))
                .build(),
        )
        .parameter(
            ParameterBuilder::new()
                .name(SESSION_KEY)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(
                    "Another name of `x-session-token`: send one of the two.",
                ))
                .schema(Some(text()))
                .build(),
        )
        .parameter(
            ParameterBuilder::new()
                .name(crate::check::sandbox::HEADER)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(
                    "With a sandbox key (`lck_test_…`), which judges no photo: the answer to get, `live` when it is left out. `429` and `503` are `005` with `Retry-After`. Other keys ignore it.",
                ))
                .schema(Some(one_of(
                    ["live", "attack", "review"]
                        .into_iter()
                        .chain(ErrorCode::ALL.iter().map(|code| code.code()))
                        .chain(["429", "503"]),
                )))
                .build(),
        )
        .parameter(
            ParameterBuilder::new()
                .name("details")
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some("`true`, `1`, `on` or `yes`: the result explains itself. `false`, `0`, `off`, `no` or empty: it does not."))
                .schema(Some(Flag::schema()))
                .build(),
        )
        .request_body(Some(
            RequestBodyBuilder::new()
                .required(Some(Required::True))
                .content("multipart/form-data", content("ImageFile"))
                .content("application/x-www-form-urlencoded", content("ImageText"))
                .content("application/json", content("ImageText"))
                .build(),
        ))
        .response(
            "200",
            answer_such_as(
                "The image was judged.",
                "Success",
                json!({"success": true, "result": {"liveness": true, "score": 0.97}}),
            ),
        );
    use ErrorCode as E;
    operation = errors(
        operation,
        &[
            (400, &[E::BadRequest, E::UnreadableImage]),
            (401, &[E::ApiKey, E::SessionNotFound]),
            (405, &[E::BadRequest]),
            (408, &[E::BadRequest]),
            (413, &[E::ImageTooLarge]),
            (415, &[E::BadRequest]),
            (422, &[E::ResolutionTooLow, E::FaceCount, E::FaceMask]),
            (429, &[E::SessionLimit, E::Internal]),
            (431, &[E::BadRequest]),
            (500, &[E::Internal]),
            (503, &[E::Internal]),
        ],
    );
    operation
}

pub(super) fn session() -> OperationBuilder {
    let operation = OperationBuilder::new()
        .operation_id(Some("openSession"))
        .tag("liveness")
        .summary(Some("Get a session token"))
        .description(Some(
            "The token belongs to the key, is good for 3 liveness checks and lives 3 hours, unless the server is set up otherwise.",
        ))
        .security(SecurityRequirement::new(KEY_SCHEME, [""; 0]))
        .response(
            "200",
            answer_such_as(
                "A new token.",
                "Session",
                json!({"success": true, "session_token": "hQ2mB0x7Jc4tYV9sKfWz1nRpLdEo6gUa"}),
            ),
        );
    use ErrorCode as E;
    errors(
        operation,
        &[
            (400, &[E::BadRequest]),
            (401, &[E::ApiKey]),
            (405, &[E::BadRequest]),
            (429, &[E::Internal]),
            (431, &[E::BadRequest]),
            (500, &[E::Internal]),
            (503, &[E::Internal]),
        ],
    )
}

fn operations(id: &str, summary: &str) -> OperationBuilder {
    let operation = OperationBuilder::new()
        .operation_id(Some(id))
        .tag("operations")
        .summary(Some(summary));
    use ErrorCode as E;
    errors(
        operation,
        &[
            (400, &[E::BadRequest]),
            (405, &[E::BadRequest]),
            (431, &[E::BadRequest]),
            (500, &[E::Internal]),
        ],
    )
}

pub(super) fn healthz() -> OperationBuilder {
    operations("healthz", "Whether the process is up").response("200", answer("It is.", "Health"))
}

pub(super) fn readyz() -> OperationBuilder {
    operations("readyz", "Whether the server can judge")
        .response("200", answer("It can.", "Health"))
        .response(
            "503",
            answer(
                "It is starting or draining, judges nothing, has no connection left, or its database is away.",
                "Health",
            ),
        )
}

pub(super) fn version() -> OperationBuilder {
    operations("version", "Build, models and thresholds")
        .response("200", answer("What runs here.", "Version"))
}

pub(super) fn metrics() -> OperationBuilder {
    let body = ContentBuilder::new().schema(Some(text().description(Some("OpenMetrics text"))));
    operations("metrics", "Metrics for Prometheus").response(
        "200",
        with_request_id(ResponseBuilder::new().description("All metrics."))
            .content("application/openmetrics-text", body.build()),
    )
}

/// One response a status, which lists the codes it can carry.
fn errors(mut operation: OperationBuilder, statuses: &[(u16, &[ErrorCode])]) -> OperationBuilder {
    for (status, codes) in statuses {
        let lines: Vec<String> = codes
            .iter()
            .map(|code| format!("`{}`: {}", code.code(), code.message()))
            .collect();
        let examples = codes.iter().map(|code| {
            let detail = example_detail(*code, *status);
            let body = json!({
                "success": false,
                "error_code": code.code(),
                "error_message": code.message(),
                "error_detail": detail,
            });
            let example = ExampleBuilder::new().summary(code.message());
            (code.code(), example.value(Some(body)).build())
        });
        let content = ContentBuilder::new()
            .schema(Some(reference("Failure")))
            .examples_from_iter(examples)
            .build();
        let mut response = with_request_id(ResponseBuilder::new().description(lines.join("\n\n")))
            .content("application/json", content);
        if matches!(status, 429 | 503) {
            response = response.header(
                "Retry-After",
                header(
                    Type::Integer,
                    "Seconds to wait before the next try (not with `062`).",
                ),
            );
        }
        if *status == 405 {
            response = response.header("Allow", header(Type::String, "The methods there are."));
        }
        operation = operation.response(status.to_string(), response);
    }
    operation
}

/// What `error_detail` says in the example of a code with this status.
fn example_detail(code: ErrorCode, status: u16) -> &'static str {
    use ErrorCode as E;
    match (code, status) {
        (E::ApiKey, _) => "the key in the header x-api-key is unknown, expired or revoked",
        (E::SessionNotFound, _) => {
            "this key needs a session: get a token from GET /session/ and send it in the header x-session-token"
        }
        (E::SessionLimit, _) => {
            "all 3 checks of this session are used: get a new token from GET /session/"
        }
        (E::UnreadableImage, _) => "the file is a HEIC image; send JPEG, PNG or WebP",
        (E::ImageTooLarge, _) => {
            "the image is 10000x10000 = 100.0 megapixels; at most 64.0 are allowed"
        }
        (E::BadRequest, 405) => {
            "the method PUT is not allowed here; the Allow header lists those that are"
        }
        (E::BadRequest, 408) => "the body arrived too slowly",
        (E::BadRequest, 415) => {
            "send multipart/form-data, application/x-www-form-urlencoded or application/json"
        }
        (E::BadRequest, 431) => "the head of the request is too large",
        (E::BadRequest, _) => "there is neither a field image nor image_bytes",
        (E::Internal, 429) => {
            "this key may send 10 requests a second and 20 at once; try again in 0.4 seconds"
        }
        (E::Internal, 503) => "the server is busy judging other images: try again shortly",
        (E::Internal, _) => {
            "the server failed on this request; its log has the reason under the request id"
        }
        (E::ResolutionTooLow, _) => {
            "the face is 80 pixels wide; it must be at least 96 pixels: come closer or send the photo at full size"
        }
        (E::FaceCount, _) => "2 faces found (scores 0.98, 0.91)",
        (E::FaceMask, _) => "a face covering was found (score 0.99, threshold 0.50)",
        _ => "",
    }
}

fn answer(description: &str, schema: &str) -> Response {
    with_request_id(ResponseBuilder::new().description(description))
        .content("application/json", content(schema))
        .build()
}

/// As [`answer`], with an example.
fn answer_such_as(description: &str, schema: &str, example: serde_json::Value) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(reference(schema)))
        .example(Some(example))
        .build();
    with_request_id(ResponseBuilder::new().description(description))
        .content("application/json", content)
        .build()
}

fn with_request_id(response: ResponseBuilder) -> ResponseBuilder {
    response.header(
        "X-Request-Id",
        header(
            Type::String,
            "The request's own id if it sent a sane one, else a random one.",
        ),
    )
}

fn header(kind: Type, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(kind).build()))
        .description(Some(description))
        .build()
}

fn content(schema: &str) -> Content {
    ContentBuilder::new()
        .schema(Some(reference(schema)))
        .build()
}

fn reference(schema: &str) -> RefOr<Schema> {
    Ref::from_schema_name(schema).into()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
