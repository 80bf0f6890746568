//! Schemas that a field's type alone doesn't say, for the feature `openapi`.

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::inference::RuntimeChoice;

fn one_of<'a>(values: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(values))
        .into()
}

/// `[x, y]` in pixels.
pub(crate) struct Point;

impl PartialSchema for Point {
    fn schema() -> RefOr<Schema> {
        let pixels = ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("Pixels."));
        ArrayBuilder::new()
            .items(pixels)
            .min_items(Some(2))
            .max_items(Some(2))
            .into()
    }
}

impl ToSchema for Point {}

/// The formats that `livecheck_image` reads.
pub(crate) struct ImageFormat;

impl PartialSchema for ImageFormat {
    fn schema() -> RefOr<Schema> {
        one_of(["jpeg", "png", "webp"])
    }
}

impl ToSchema for ImageFormat {}

/// Every [`RuntimeChoice`] but the one that leaves it open.
pub(crate) struct RuntimeName;

impl PartialSchema for RuntimeName {
    fn schema() -> RefOr<Schema> {
        let choices = RuntimeChoice::ALL.into_iter();
        one_of(choices.filter_map(|(choice, name)| (choice != RuntimeChoice::Auto).then_some(name)))
    }
}

impl ToSchema for RuntimeName {}
