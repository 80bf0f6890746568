//! `application/json`: an object whose `image_bytes` is a base64 string.
//!
//! The one form that is kept whole until its end, because a JSON document is valid or not as a
//! whole.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

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
    image: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    details: Option<Value>,
}

/// A string, borrowed from the body where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Json {
    pub(super) fn new(file_limit: usize) -> Self {
        Self {
            body: Vec::new(),
            file_limit,
        }
    }

    pub(super) fn memory(&self) -> usize {
        // The decoded file comes on top of the text while it is decoded.
        self.body.capacity() / 4 * 7
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
            fields.begin(b"image_bytes", false);
            fields.data(text.as_bytes())?;
            fields.end();
        }
        if object.image.is_some() {
            fields.begin(b"image", false);
            fields.end();
        }
        if let Some(flag) = object.details {
            fields.begin(b"details", false);
            match flag {
                Value::Bool(flag) => fields.data(if flag { b"1" } else { b"0" })?,
                Value::Number(number) => fields.data(number.to_string().as_bytes())?,
                Value::String(text) => fields.data(text.as_bytes())?,
                _ => fields.data(b"?")?,
            }
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
