//! Schemas that a type alone doesn't say: text out of a fixed list, a flag that is only ever `true`, and the
//! forms of a request, which the server reads piece by piece and never holds as a value.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::error_code::ErrorCode;

/// A flag with one value.
pub struct Always<const VALUE: bool>;

/// `true`, where the field isn't left out.
pub type True = Always<true>;

/// `false`.
pub type False = Always<false>;

impl<const VALUE: bool> PartialSchema for Always<VALUE> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Boolean)
            .enum_values(Some([VALUE]))
            .into()
    }
}

impl<const VALUE: bool> ToSchema for Always<VALUE> {}

/// Text out of a list.
pub fn one_of<'a>(values: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(values))
}

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let mut table = Self::ALL.map(|code| (code.code(), code.message()));
        table.sort_unstable();
        let lines = table.map(|(code, message)| format!("`{code}` {message}"));
        one_of(table.map(|(code, _)| code))
            .description(Some(lines.join(" ")))
            .into()
    }
}

impl ToSchema for ErrorCode {}

/// `error_message`: one for each error code.
pub struct ErrorMessage;

impl PartialSchema for ErrorMessage {
    fn schema() -> RefOr<Schema> {
        one_of(ErrorCode::ALL.map(ErrorCode::message)).into()
    }
}

impl ToSchema for ErrorMessage {}

/// A yes or no in a form or a query.
pub struct Flag;

impl PartialSchema for Flag {
    fn schema() -> RefOr<Schema> {
        one_of(["true", "1", "on", "yes", "false", "0", "off", "no", ""])
            .description(Some("In upper or lower case."))
            .into()
    }
}

impl ToSchema for Flag {}

/// The image as text.
#[derive(ToSchema)]
pub struct ImageText {
    /// The image file in base64: standard or URL-safe, with or without padding, line breaks or a `data:` prefix.
    #[schema(
        content_encoding = "base64",
        min_length = 1,
        examples("/9j/4AAQSkZJRgABAQAAAQABAAD")
    )]
    pub image_bytes: String,
    /// Whether the result explains itself. In upper or lower case.
    #[schema(inline, nullable = false)]
    pub details: Option<Flag>,
}

/// The image as a file. A part `image_bytes` that holds base64 is accepted in place of `image`.
// `image_bytes` works here too, but API consoles would send it empty along with the file.
#[derive(ToSchema)]
pub struct ImageFile {
    /// The image file.
    #[schema(content_media_type = "application/octet-stream", nullable = false)]
    pub image: Option<String>,
    /// Whether the result explains itself. In upper or lower case.
    #[schema(inline, nullable = false)]
    pub details: Option<Flag>,
}
