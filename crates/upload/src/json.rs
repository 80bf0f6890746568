//! `application/json`: an object whose `image_bytes` is a base64 string.
//!
//! The one form that is kept whole until its end, because a JSON document is valid or not as a
//! whole.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{
    error::UploadError,
    fields::{Fields, Transfer, Upload},
};

pub(super) struct Json {
    body: Vec<u8>,
    file_limit: usize,
}

/// The fields of ours; whatever else the object holds is skipped.
#[derive(Default)]
struct Object<'a> {
    image_bytes: Option<Value<'a>>,
    image: Option<Value<'a>>,
    details: Option<Flag>,
    /// Name of a field that is there more than once.
    twice: Option<&'static str>,
}

/// What an image field holds.
enum Value<'a> {
    /// A string, borrowed from the body where it has no escapes.
    Text(Cow<'a, str>),
    /// Nothing: as good as absent.
    Null,
    /// What kind of value it is instead.
    Other(&'static str),
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut object = Object::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let twice = match name.as_ref() {
                "image_bytes" => {
                    let before = object.image_bytes.replace(map.next_value()?);
                    before.map(|_| "image_bytes")
                }
                "image" => object.image.replace(map.next_value()?).map(|_| "image"),
                "details" => {
                    let before = match map.next_value::<Option<Flag>>()? {
                        Some(flag) => object.details.replace(flag),
                        None => None,
                    };
                    before.map(|_| "details")
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            object.twice = object.twice.or(twice);
        }
        Ok(object)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other("true or false"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other("a number"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other("an object"))
    }
}

/// The text of a flag that may be written as any scalar. Lists and objects are read and dropped:
/// kept, they would take many times the memory of the body.
struct Flag(String);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl FlagVisitor {
    /// A text that is no flag.
    fn no_flag() -> Flag {
        Flag("?".to_owned())
    }
}

impl<'de> Visitor<'de> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("true or false")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(flag.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Flag, E> {
        Ok(Flag(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Flag, E> {
        Ok(Flag(number.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Flag, E> {
        Ok(Self::no_flag())
    }

    fn visit_str<E>(self, text: &str) -> Result<Flag, E> {
        Ok(Flag(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Flag, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::no_flag())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Flag, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::no_flag())
    }
}

/// What a text of `bytes` takes: the decoded file comes on top of it while it is decoded.
pub(super) fn memory(bytes: usize) -> usize {
    bytes / 4 * 7
}

impl Json {
    pub(super) fn new(file_limit: usize) -> Self {
        Self {
            body: Vec::new(),
            file_limit,
        }
    }

    pub(super) fn expect(&mut self, bytes: usize) {
        self.body
            .reserve_exact(bytes.saturating_sub(self.body.len()));
    }

    pub(super) fn memory(&self) -> usize {
        memory(self.body.capacity())
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.body.extend_from_slice(chunk);
    }

    pub(super) fn finish(self) -> Result<Upload, UploadError> {
        if let [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] = self.body.as_slice() {
            return Err(UploadError::malformed(
                "the JSON body is in UTF-16: send it in UTF-8",
            ));
        }
        match self.body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => return Err(UploadError::malformed("the JSON body is empty")),
            Some(b'{') => {}
            Some(_) => {
                return Err(UploadError::malformed(
                    "the JSON body must be an object with the field image_bytes",
                ));
            }
        }
        let object: Object<'_> = serde_json::from_slice(&self.body)
            .map_err(|error| UploadError::Malformed(explain(&error)))?;

        let mut fields = Fields::new(self.file_limit);
        match &object.image_bytes {
            Some(Value::Text(text)) => {
                fields.expect(text.len());
                fields.begin(b"image_bytes", false, Transfer::AsIs);
                fields.data(text.as_bytes())?;
                fields.end();
            }
            Some(Value::Other(kind)) => {
                fields.complain(&format!(
                    "image_bytes must be one base64 string, but it is {kind}"
                ));
            }
            Some(Value::Null) | None => {}
        }
        match &object.image {
            Some(Value::Text(text)) => {
                fields.begin(b"image", false, Transfer::AsIs);
                fields.data(text.as_bytes())?;
                fields.end();
            }
            Some(Value::Other(_)) => fields.complain(
                "image cannot be sent as JSON: send the file as base64 text in image_bytes, or as a part of multipart/form-data",
            ),
            Some(Value::Null) | None => {}
        }
        if let Some(Flag(text)) = object.details {
            fields.begin(b"details", false, Transfer::AsIs);
            fields.data(text.as_bytes())?;
            fields.end();
        }
        if let Some(field) = object.twice {
            fields.complain(&format!("the field {field} occurs more than once"));
        }
        fields.finish()
    }
}

/// One sentence without the values of the request.
fn explain(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("the JSON body ends too early, at line {line} column {column}"),
        Category::Data | Category::Syntax | Category::Io => {
            format!("the body is not JSON, at line {line} column {column}")
        }
    }
}
