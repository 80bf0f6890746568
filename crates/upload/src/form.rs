//! The parser of one body, whichever of the three forms it has.

use crate::{
    error::UploadError,
    fields::Upload,
    json::{self, Json},
    multipart::Multipart,
    urlencoded::UrlEncoded,
};

/// What a body needs beside the image itself: other fields, part headers.
const BODY_SLACK: usize = 1024 * 1024;

/// What a streaming parser holds of a body beside the image: the piece that came last.
const PIECES: usize = 512 * 1024;

/// What some editors and .NET write before a text, and no form means.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The parser of one body.
pub struct Form {
    kind: Kind,
    /// Bytes of a byte order mark that the body began with; `None` once it has not, or is through.
    mark: Option<usize>,
    received: usize,
    file_limit: usize,
    body_limit: usize,
}

enum Kind {
    Multipart(Multipart),
    UrlEncoded(UrlEncoded),
    Json(Json),
}

impl Kind {
    fn push(&mut self, chunk: &[u8]) -> Result<(), UploadError> {
        match self {
            Self::Multipart(form) => form.push(chunk),
            Self::UrlEncoded(form) => form.push(chunk),
            Self::Json(form) => {
                form.push(chunk);
                Ok(())
            }
        }
    }
}

/// Refuses a body that is encoded, by whichever of any number of `Content-Encoding` headers and of
/// names in them. A character set, which some clients name there, is no encoding and does no harm.
fn check_encoding<'a>(
    content_encodings: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), UploadError> {
    for value in content_encodings {
        for name in value.split(|byte| *byte == b',') {
            let name = name.trim_ascii().to_ascii_lowercase();
            if !matches!(name.as_slice(), b"" | b"identity" | b"utf-8" | b"utf8") {
                let shown: String = String::from_utf8_lossy(&name).chars().take(40).collect();
                return Err(UploadError::UnsupportedMediaType(format!(
                    "the header Content-Encoding is {shown:?}: send the body uncompressed, without this header"
                )));
            }
        }
    }
    Ok(())
}

impl Form {
    /// Chooses the form by the values of the headers `Content-Type` and `Content-Encoding`, of which a
    /// request may have several. `file_limit`: most bytes of the decoded image file.
    ///
    /// ```
    /// use livecheck_upload::{Form, UploadError};
    ///
    /// let mut form = Form::new([b"application/json".as_slice()], [], 10 * 1024 * 1024)?;
    /// for piece in [r#"{"image_bytes": "R0lG"#, r#"ODlh"}"#] {
    ///     form.push(piece.as_bytes())?;
    /// }
    /// assert_eq!(form.finish()?.file, b"GIF89a");
    /// # Ok::<(), UploadError>(())
    /// ```
    ///
    /// # Errors
    /// [`UploadError::UnsupportedMediaType`] for any other type or a `Content-Encoding`,
    /// [`UploadError::Malformed`] for a multipart type without a usable boundary.
    pub fn new<'a>(
        content_types: impl IntoIterator<Item = &'a [u8]>,
        content_encodings: impl IntoIterator<Item = &'a [u8]>,
        file_limit: usize,
    ) -> Result<Self, UploadError> {
        check_encoding(content_encodings)?;
        let mut content_types = content_types.into_iter();
        let Some(content_type) = content_types.next() else {
            return Err(UploadError::UnsupportedMediaType(format!(
                "the request has no Content-Type; {ACCEPTED}"
            )));
        };
        if content_types.any(|other| other != content_type) {
            return Err(UploadError::UnsupportedMediaType(format!(
                "the request has two headers Content-Type that differ; {ACCEPTED}"
            )));
        }
        let text = String::from_utf8_lossy(content_type);
        let (essence, parameters) = text.split_once(';').unwrap_or((&text, ""));
        let kind = match essence.trim().to_ascii_lowercase().as_str() {
            "multipart/form-data" => Kind::Multipart(Multipart::new(parameters, file_limit)?),
            "application/x-www-form-urlencoded" => Kind::UrlEncoded(UrlEncoded::new(file_limit)),
            "application/json" => Kind::Json(Json::new(file_limit)),
            _ => {
                return Err(UploadError::UnsupportedMediaType(format!(
                    "the Content-Type is {:?}; {ACCEPTED}",
                    essence.trim().chars().take(80).collect::<String>()
                )));
            }
        };
        Ok(Self {
            kind,
            mark: Some(0),
            received: 0,
            file_limit,
            body_limit: body_limit(file_limit),
        })
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// A broken size limit, or a body that cannot be parsed further. Stop reading then.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), UploadError> {
        self.received = self.received.saturating_add(chunk.len());
        if self.received > self.body_limit {
            return Err(UploadError::BodyTooLarge {
                limit: self.body_limit,
            });
        }
        let Some(seen) = self.mark else {
            return self.kind.push(chunk);
        };
        let expected = &BYTE_ORDER_MARK[seen..];
        let same = expected
            .iter()
            .zip(chunk)
            .take_while(|(a, b)| a == b)
            .count();
        if same == chunk.len() && same < expected.len() {
            self.mark = Some(seen + same);
            return Ok(());
        }
        self.mark = None;
        if same == expected.len() {
            return self.kind.push(&chunk[same..]);
        }
        // It only began like one.
        self.kind.push(&BYTE_ORDER_MARK[..seen])?;
        self.kind.push(chunk)
    }

    /// Makes room for a body of `bytes`, so that it is not copied as it grows. Call it only when that
    /// much memory is reserved.
    pub fn expect(&mut self, bytes: usize) {
        match &mut self.kind {
            Kind::Multipart(form) => form.expect(bytes),
            Kind::UrlEncoded(form) => form.expect(bytes),
            Kind::Json(form) => form.expect(bytes),
        }
    }

    /// Most bytes that a body of `bytes` holds in memory.
    #[must_use]
    pub fn most_memory(&self, bytes: usize) -> usize {
        let bytes = bytes.min(self.body_limit);
        match &self.kind {
            Kind::Multipart(_) | Kind::UrlEncoded(_) => bytes.min(self.file_limit) + PIECES,
            Kind::Json(_) => json::memory(bytes),
        }
    }

    /// Says that the body has ended.
    ///
    /// # Errors
    /// What is wrong with the body as a whole.
    pub fn finish(mut self) -> Result<Upload, UploadError> {
        if let Some(seen) = self.mark {
            self.kind.push(&BYTE_ORDER_MARK[..seen])?;
        }
        match self.kind {
            Kind::Multipart(form) => form.finish(),
            Kind::UrlEncoded(form) => form.finish(),
            Kind::Json(form) => form.finish(),
        }
    }

    /// Bytes of the body that came by now.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received
    }

    /// Bytes held in memory by now.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.kind {
            Kind::Multipart(form) => form.memory(),
            Kind::UrlEncoded(form) => form.memory(),
            Kind::Json(form) => form.memory(),
        }
    }
}

const ACCEPTED: &str =
    "send multipart/form-data, application/x-www-form-urlencoded or application/json";

/// Most bytes of a body: an image of `file_limit` bytes in base64 (4/3) whose every character is
/// percent-encoded (3), and the other fields.
#[must_use]
pub const fn body_limit(file_limit: usize) -> usize {
    file_limit.saturating_mul(4).saturating_add(BODY_SLACK)
}
