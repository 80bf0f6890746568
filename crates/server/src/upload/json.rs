//! `application/json`: an object whose `image_bytes` is a base64 string.
//!
//! The one form that is kept whole until its end, because a JSON document is valid or not as a
//! whole.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Fields, Upload, UploadError};

pub(super) struct Json {
    body: Vec<u8>,
    file_limit: usize,
}

/// The fields of ours; whatever else the object holds is skipped.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Object<'a> {
    #[serde(borrow, default)]
    image_bytes: Option<Text<'a>>,
    #[serde(default)]
    image: Option<IgnoredAny>,
    #[serde(default)]
    details: Option<Flag>,
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

/// A string, borrowed from the body where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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
        let first = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        if first.is_some_and(|byte| *byte != b'{') {
            return Err(UploadError::malformed(
                "the JSON body must be an object with the field image_bytes",
            ));
        }
        let object: Object<'_> = serde_json::from_slice(&self.body)
            .map_err(|error| UploadError::Malformed(explain(&error)))?;

        let mut fields = Fields::new(self.file_limit);
        if let Some(Text(text)) = &object.image_bytes {
            fields.expect(text.len());
            fields.begin(b"image_bytes", false);
            fields.data(text.as_bytes())?;
            fields.end();
        }
        if object.image.is_some() {
            fields.begin(b"image", false);
            fields.end();
        }
        if let Some(Flag(text)) = object.details {
            fields.begin(b"details", false);
            fields.data(text.as_bytes())?;
            fields.end();
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
        Category::Data => format!(
            "the JSON body does not fit, at line {line} column {column}: image_bytes must be one base64 string"
        ),
        Category::Syntax | Category::Io => {
            format!("the body is not JSON, at line {line} column {column}")
        }
    }
}
