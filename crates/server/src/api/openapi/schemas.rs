//! The schemas of bodies, from the types that are read and written.

use livecheck_contract::openapi::{ImageFile, ImageText};
use livecheck_contract::{Failure, Health, Session};
use livecheck_engine::Finding;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, AllOf, ArrayItems, Object, Schema};

use crate::api::{liveness::Success, version::Version};

type Named = (String, RefOr<Schema>);

/// Every body, and what it refers to.
pub(super) fn all() -> Vec<Named> {
    let mut all = Vec::new();
    add::<ImageFile>(&mut all);
    add::<ImageText>(&mut all);
    add::<Success>(&mut all);
    add::<Failure<Finding>>(&mut all);
    add::<Session>(&mut all);
    add::<Health>(&mut all);
    add::<Version<'static>>(&mut all);
    for (_, schema) in &mut all {
        simplify(schema);
    }
    all
}

fn add<T: ToSchema>(all: &mut Vec<Named>) {
    all.push((T::name().into_owned(), T::schema()));
    T::schemas(all);
}

/// Leaves out what the derive says beyond the API: how wide Rust's numbers are, and what holds where such a
/// type is read from a file (defaults; no other fields). Joins what it splits: an inlined type and the words
/// about it, an object and the one flattened into it, the lines of a comment.
fn simplify(schema: &mut RefOr<Schema>) {
    let schema = match schema {
        RefOr::Ref(reference) => {
            reference.description = on_one_line(&reference.description);
            return;
        }
        RefOr::T(schema) => schema,
    };
    if let Schema::AllOf(parts) = schema {
        *schema = join(std::mem::take(parts)).into();
    }
    match schema {
        Schema::Object(object) => {
            object.description = object.description.as_deref().map(on_one_line);
            object.format = None;
            object.default = None;
            object.property_names = None;
            match object.additional_properties.as_deref_mut() {
                Some(AdditionalProperties::FreeForm(false)) => object.additional_properties = None,
                Some(AdditionalProperties::RefOr(value)) => simplify(value),
                Some(AdditionalProperties::FreeForm(true)) | None => {}
            }
            object.properties.values_mut().for_each(simplify);
        }
        Schema::Array(array) => {
            array.description = array.description.as_deref().map(on_one_line);
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                simplify(items);
            }
        }
        _ => {}
    }
}

/// All parts as one object; a later description replaces an earlier one.
fn join(parts: AllOf) -> Object {
    let objects = parts.items.into_iter().filter_map(|part| match part {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    });
    let mut whole = objects
        .reduce(|mut whole, part| {
            whole.properties.extend(part.properties);
            whole.required.extend(part.required);
            whole.description = part.description.or(whole.description);
            whole
        })
        .unwrap_or_default();
    whole.description = parts.description.or(whole.description);
    whole
}

fn on_one_line(text: &str) -> String {
    text.replace('\n', " ")
}
