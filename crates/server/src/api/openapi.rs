//! The OpenAPI 3.1 document of the API. Error codes, statuses and messages come from the one error
//! table; a test holds every answer of a running server against the schemas.

use std::collections::BTreeMap;

use livecheck_contract::ErrorCode;
use livecheck_engine::Check;
use serde_json::json;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayBuilder, ComponentsBuilder, ObjectBuilder, Ref, Schema,
    SchemaType, Type,
};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Content, ContentBuilder, Header, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr,
    Required, Response, ResponseBuilder, ServerBuilder,
};

use crate::access::auth::{API_KEY, SESSION_KEY, SESSION_TOKEN};

/// Name of the security scheme.
const KEY_SCHEME: &str = "api_key";

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
        .path("/liveness/", PathItem::new(HttpMethod::Post, liveness()))
        .path("/session/", PathItem::new(HttpMethod::Get, session()))
        .path("/healthz", PathItem::new(HttpMethod::Get, healthz()))
        .path("/readyz", PathItem::new(HttpMethod::Get, readyz()))
        .path("/version", PathItem::new(HttpMethod::Get, version()))
        .path("/metrics", PathItem::new(HttpMethod::Get, metrics()))
        .build();
    let components = ComponentsBuilder::new()
        .schema("Failure", failure())
        .schema("Success", success())
        .schema("Details", details())
        .schema("Session", session_body())
        .schema("Health", health_body())
        .schema("Version", version_body())
        .schema("Finding", finding())
        .schema("Thresholds", thresholds())
        .schema("Model", model())
        .schema("Runtime", runtime())
        .schema("ImageText", image_text())
        .schema("ImageFile", image_file())
        .security_scheme(
            KEY_SCHEME,
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

fn liveness() -> OperationBuilder {
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
                .schema(Some(text("")))
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
                .schema(Some(text("")))
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
                .schema(Some(choice(
                    "",
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
                .schema(Some(flag_text()))
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

fn session() -> OperationBuilder {
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

fn healthz() -> OperationBuilder {
    operations("healthz", "Whether the process is up").response("200", answer("It is.", "Health"))
}

fn readyz() -> OperationBuilder {
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

fn version() -> OperationBuilder {
    operations("version", "Build, models and thresholds")
        .response("200", answer("What runs here.", "Version"))
}

fn metrics() -> OperationBuilder {
    let body = ContentBuilder::new().schema(Some(text("OpenMetrics text")));
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

/// An object whose fields are all there always.
fn object(description: &str, fields: Vec<(&str, RefOr<Schema>)>) -> Schema {
    let mut builder = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(described(description));
    for (name, schema) in fields {
        builder = builder.property(name, schema).required(name);
    }
    builder.build().into()
}

fn described(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn text(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(described(description))
        .into()
}

fn number(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .description(described(description))
        .into()
}

fn integer(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .description(described(description))
        .into()
}

/// 0 to 1.
fn score(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .maximum(Some(1))
        .description(described(description))
        .into()
}

fn constant(value: bool) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([value]))
        .into()
}

fn choice<'a>(description: &str, values: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(described(description))
        .enum_values(Some(values))
        .into()
}

fn flag_text() -> RefOr<Schema> {
    choice(
        "In upper or lower case.",
        ["true", "1", "on", "yes", "false", "0", "off", "no", ""],
    )
}

fn array(item: RefOr<Schema>) -> ArrayBuilder {
    ArrayBuilder::new().items(item)
}

fn failure() -> Schema {
    let table: BTreeMap<&str, &str> = ErrorCode::ALL
        .iter()
        .map(|code| (code.code(), code.message()))
        .collect();
    let lines: Vec<String> = table
        .iter()
        .map(|(code, message)| format!("`{code}` {message}"))
        .collect();
    let failure = object(
        "The answer to every request that failed.",
        vec![
            ("success", constant(false)),
            (
                "error_code",
                choice(&lines.join(" "), table.keys().copied()),
            ),
            (
                "error_message",
                choice("The fixed text of the code.", table.values().copied()),
            ),
            (
                "error_detail",
                text(
                    "One plain sentence about this very request, with the figures, such as `2 faces found (scores 0.98, 0.91)`.",
                ),
            ),
        ],
    );
    let failure = optional(failure, "findings", findings());
    optional(failure, "sandbox", in_sandbox())
}

/// With one more field, which may be missing.
fn optional(schema: Schema, name: &str, field: RefOr<Schema>) -> Schema {
    match schema {
        Schema::Object(fields) => ObjectBuilder::from(fields)
            .property(name, field)
            .build()
            .into(),
        other => other,
    }
}

fn in_sandbox() -> RefOr<Schema> {
    only_true("Only with sandbox keys: no photo was judged.")
}

/// A field that is `true` or missing.
fn only_true(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([true]))
        .description(Some(description))
        .into()
}

fn success() -> Schema {
    let result = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "liveness",
            ObjectBuilder::new()
                .schema_type(Type::Boolean)
                .description(Some("Whether the score reaches the liveness threshold.")),
        )
        .required("liveness")
        .property("score", score("Confidence that the face is a live person."))
        .required("score")
        .property(
            "review",
            only_true(
                "Only where a review threshold is set: the score reaches it and not the liveness threshold, so let people look.",
            ),
        )
        .property("details", reference("Details"));
    let success = object(
        "The answer for an image that was judged.",
        vec![("success", constant(true)), ("result", result.into())],
    );
    optional(success, "sandbox", in_sandbox())
}

fn details() -> Schema {
    let point = array(number("Pixels."))
        .min_items(Some(2))
        .max_items(Some(2));
    let landmarks: Array = array(point.into())
        .min_items(Some(5))
        .max_items(Some(5))
        .description(Some(
            "Left eye, right eye, nose, left and right mouth corner as [x, y]; left and right as seen in the image.",
        ))
        .build();
    let bbox = object(
        "The face box in pixels of the upright image; may reach beyond its border.",
        vec![
            ("x0", number("Left edge.")),
            ("y0", number("Top edge.")),
            ("x1", number("Right edge.")),
            ("y1", number("Bottom edge.")),
        ],
    );
    let face = object(
        "The one face.",
        vec![
            ("bbox", bbox.into()),
            ("landmarks", Schema::from(landmarks).into()),
            ("score", score("Confidence in a whole, unobstructed face.")),
        ],
    );
    let content = object(
        "What is left without one-coloured bars and frames, pixels of the upright image; x1 and y1 are the first beyond it.",
        ["x0", "y0", "x1", "y1"]
            .map(|edge| (edge, integer("")))
            .to_vec(),
    );
    let image = object(
        "The image as it was judged.",
        vec![
            ("width", integer("Pixels of the upright image.")),
            ("height", integer("Pixels of the upright image.")),
            ("content", content.into()),
            (
                "rotated",
                integer(
                    "Degrees (0, 90, 180 or 270) by which it was turned clockwise beyond what EXIF says, because its face was not upright.",
                ),
            ),
            ("format", choice("", ["jpeg", "png", "webp"])),
        ],
    );
    let quality = object(
        "Measures of the face region; no decision uses them.",
        vec![
            (
                "face_share",
                number("Width of the face over the width of the image."),
            ),
            ("brightness", number("Mean luma, 0 to 1.")),
            (
                "contrast",
                number("Standard deviation of the luma, 0 to 0.5."),
            ),
            (
                "sharpness",
                number("Variance of the Laplacian of the luma."),
            ),
        ],
    );
    let timings = object(
        "Wall time of each stage, milliseconds.",
        [
            "decode_ms",
            "detect_ms",
            "mask_ms",
            "liveness_ms",
            "total_ms",
        ]
        .map(|stage| (stage, number("")))
        .to_vec(),
    );
    let details = object(
        "What led to the verdict; only when asked for.",
        vec![
            ("face", face.into()),
            (
                "mask_score",
                score("Confidence that a face covering is worn."),
            ),
            (
                "attack_score",
                score(
                    "How surely the face is a presentation attack, before calibration and thresholds. Not calibrated; `score` is.",
                ),
            ),
            ("image", image.into()),
            ("quality", quality.into()),
            ("thresholds", reference("Thresholds")),
            ("models", array(reference("Model")).into()),
            ("runtime", reference("Runtime")),
            ("timings", timings.into()),
        ],
    );
    let replayed = ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .description(Some(
            "Whether this very file was judged before with this key; only with keys that ask for it.",
        ));
    let details = optional(details, "replayed", replayed.into());
    optional(details, "findings", findings())
}

/// A list that is there only when details were asked for.
fn findings() -> RefOr<Schema> {
    Schema::from(
        array(reference("Finding"))
            .description(Some(
                "Everything that a person could improve; only when details were asked for. None of it refuses a photo.",
            ))
            .build(),
    )
    .into()
}

fn finding() -> Schema {
    object(
        "One thing that a person could improve.",
        vec![
            (
                "check",
                choice(
                    "What was looked at.",
                    Check::ALL.iter().map(|check| check.name()),
                ),
            ),
            ("value", number("What was measured.")),
            ("limit", number("The limit that it is beyond: a setting.")),
            (
                "severity",
                choice(
                    "`warning`: such photos are refused more often. `info`: another photo would be better.",
                    ["info", "warning"],
                ),
            ),
            (
                "hint",
                text("What to do, in words for the person in front of the camera."),
            ),
        ],
    )
}

fn thresholds() -> Schema {
    let thresholds = object(
        "The scores from which decisions flip: the key's own, else the server's.",
        vec![
            ("face", score("A candidate at or above counts as a face.")),
            ("liveness", score("A face at or above is live.")),
            ("mask", score("A face at or above wears a covering.")),
        ],
    );
    let review =
        score("A face at or above that is not live is for people to review; only where it is set.");
    optional(thresholds, "review", review)
}

fn model() -> Schema {
    object(
        "One model inside the server.",
        vec![
            ("name", text("")),
            ("sha256", text("SHA-256 of its file, hexadecimal.")),
        ],
    )
}

fn runtime() -> Schema {
    object(
        "What the models run on.",
        vec![
            ("name", choice("", ["embedded", "onnxruntime"])),
            ("version", text("")),
        ],
    )
}

fn session_body() -> Schema {
    let token = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(32))
        .max_length(Some(32))
        .pattern(Some("^[A-Za-z0-9_-]+$"))
        .description(Some("The value of the header `x-session-token`."));
    let session = object(
        "A new session.",
        vec![("success", constant(true)), ("session_token", token.into())],
    );
    optional(session, "sandbox", in_sandbox())
}

fn health_body() -> Schema {
    let states = choice(
        "",
        [
            "ok",
            "starting",
            "draining",
            "judging stalled",
            "connections full",
            "store unavailable",
        ],
    );
    let health = object("The state of the server.", vec![("status", states)]);
    let log = choice("Only while nobody reads the log.", ["stalled"]);
    optional(health, "log", log)
}

fn version_body() -> Schema {
    let limits = object(
        "What an image must satisfy before anything is judged.",
        vec![
            ("max_file_bytes", integer("Most bytes of the file.")),
            ("max_pixels", integer("Most pixels.")),
            (
                "min_image_side",
                integer("Least pixels of the shorter side."),
            ),
            (
                "min_face_side",
                integer("Least width of the face box in pixels."),
            ),
        ],
    );
    object(
        "What runs here.",
        vec![
            ("name", text("")),
            ("version", text("")),
            ("models", array(reference("Model")).into()),
            ("runtime", reference("Runtime")),
            (
                "library",
                nullable_object(
                    "`path` and `sha256` of the shared library that the runtime was loaded from; null with the embedded one.",
                ),
            ),
            ("thresholds", reference("Thresholds")),
            ("limits", limits.into()),
            (
                "preset",
                nullable(Type::String, "Name of the preset in force, or null."),
            ),
            ("presets", array(preset().into()).into()),
            (
                "calibration",
                nullable_object(
                    "The file behind the setting `calibration`, as `livecheck calibrate` wrote it; null when scores are the shipped ones.",
                ),
            ),
        ],
    )
}

fn nullable(what: Type, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([what, Type::Null]))
        .description(described(description))
        .into()
}

/// An object whose fields are another document's matter, or null.
fn nullable_object(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .description(described(description))
        .into()
}

/// A share with its counts and its interval.
fn rate(description: &str) -> Schema {
    object(
        description,
        vec![
            ("errors", integer("How many went wrong.")),
            ("of", integer("Of how many.")),
            ("rate", score("The share.")),
            ("lower", score("Lower end of its 95 % interval.")),
            ("upper", score("Upper end of its 95 % interval.")),
        ],
    )
}

fn preset() -> Schema {
    let apcer = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "Attacks classified as bona fide, by kind (APCER of ISO/IEC 30107-3).",
        ))
        .additional_properties(Some(rate("")));
    let figures = object(
        "Error rates on one set of photos.",
        vec![
            ("source", text("Name of the set.")),
            (
                "bpcer",
                rate("Live people classified as attacks (BPCER of ISO/IEC 30107-3).").into(),
            ),
            ("apcer", apcer.into()),
            ("no_response", rate("Photos without a verdict.").into()),
        ],
    );
    object(
        "A named set of thresholds, and what it was measured at without any calibration.",
        vec![
            ("preset", choice("", ["convenience", "balanced", "strict"])),
            ("thresholds", reference("Thresholds")),
            ("measured", array(figures.into()).into()),
        ],
    )
}

fn image_text() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "image_bytes",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .content_encoding("base64")
                .min_length(Some(1))
                .description(Some(
                    "The image file in base64: standard or URL-safe, with or without padding, line breaks or a `data:` prefix.",
                ))
                .examples([json!("/9j/4AAQSkZJRgABAQAAAQABAAD")]),
        )
        .required("image_bytes")
        .property("details", flag_text())
        .build()
        .into()
}

fn image_file() -> Schema {
    // `image_bytes` works here too, but API consoles would send it empty beside the file.
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "The image as a file. A part `image_bytes` that holds base64 is accepted in place of `image`.",
        ))
        .property(
            "image",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .content_media_type("application/octet-stream")
                .description(Some("The image file.")),
        )
        .property("details", flag_text())
        .build()
        .into()
}
