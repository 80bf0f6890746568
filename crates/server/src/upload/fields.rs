//! What the three forms have in common: which field is the image, and which bodies are wrong.

use super::{UploadError, base64};

/// Longest text of a `details` field that is looked at.
const LONGEST_FLAG: usize = 16;

/// What a body gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The image file, at least one byte.
    pub file: Vec<u8>,
    /// The `details` field, when there was one.
    pub details: Option<bool>,
}

/// Collects the fields as a form parser finds them: `begin`, any number of `data`, `end`.
pub(super) struct Fields {
    limit: usize,
    /// Bytes of the body, when they are known and reserved.
    expected: usize,
    image: Option<Vec<u8>>,
    image_bytes: Option<base64::Decoder>,
    details: Option<Vec<u8>>,
    current: Current,
    /// The first thing that makes this body wrong whatever follows.
    malformed: Option<String>,
}

#[derive(Clone, Copy)]
enum Current {
    Ignored,
    Image,
    ImageBytes,
    Details,
    /// A second image: only its size still matters (`003` comes before `004`).
    Surplus {
        seen: usize,
        most: usize,
    },
}

impl Fields {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            expected: 0,
            image: None,
            image_bytes: None,
            details: None,
            current: Current::Ignored,
            malformed: None,
        }
    }

    /// The body has `bytes`: room for all that it can hold of an image is made at once, also if one has
    /// begun.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.expected = bytes;
        if let Some(image) = &mut self.image {
            image.reserve_exact(bytes.min(self.limit).saturating_sub(image.len()));
        }
        if let Some(decoder) = &mut self.image_bytes {
            decoder.expect(self.expected);
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.image.as_ref().map_or(0, Vec::capacity)
            + self.image_bytes.as_ref().map_or(0, base64::Decoder::memory)
    }

    /// A field starts. `is_file`: it came as a file (only `multipart/form-data` has files).
    pub(super) fn begin(&mut self, name: &[u8], is_file: bool) {
        self.current = match name {
            b"image" | b"image_bytes" if self.image.is_some() || self.image_bytes.is_some() => {
                self.complain(
                    "the request holds more than one image: send either image or image_bytes, once",
                );
                // Four base64 characters make three bytes.
                let most = if name == b"image" {
                    self.limit
                } else {
                    self.limit / 3 * 4 + 4
                };
                Current::Surplus { seen: 0, most }
            }
            b"image" => {
                if !is_file {
                    self.complain(
                        "image must be sent as a file part of multipart/form-data; base64 text goes into image_bytes",
                    );
                }
                self.image = Some(Vec::with_capacity(self.expected.min(self.limit)));
                Current::Image
            }
            b"image_bytes" => {
                let mut decoder = base64::Decoder::new(self.limit);
                decoder.expect(self.expected);
                self.image_bytes = Some(decoder);
                Current::ImageBytes
            }
            b"details" if self.details.is_some() => {
                self.complain("the field details is there more than once");
                Current::Ignored
            }
            b"details" => {
                self.details = Some(Vec::new());
                Current::Details
            }
            _ => Current::Ignored,
        };
    }

    pub(super) fn data(&mut self, data: &[u8]) -> Result<(), UploadError> {
        match &mut self.current {
            Current::Ignored => Ok(()),
            Current::Image => {
                let image = self.image.get_or_insert_default();
                if image.len() + data.len() > self.limit {
                    return Err(UploadError::FileTooLarge { limit: self.limit });
                }
                image.extend_from_slice(data);
                Ok(())
            }
            Current::ImageBytes => self
                .image_bytes
                .get_or_insert_with(|| base64::Decoder::new(self.limit))
                .push(data),
            Current::Details => {
                let details = self.details.get_or_insert_default();
                let room = LONGEST_FLAG.saturating_sub(details.len());
                details.extend_from_slice(&data[..data.len().min(room)]);
                Ok(())
            }
            Current::Surplus { seen, most } => {
                *seen += data.len();
                if *seen > *most {
                    return Err(UploadError::FileTooLarge { limit: self.limit });
                }
                Ok(())
            }
        }
    }

    pub(super) fn end(&mut self) {
        self.current = Current::Ignored;
    }

    /// Remembers that the body is wrong (`004`); the first reason stands.
    pub(super) fn complain(&mut self, reason: &str) {
        self.malformed.get_or_insert_with(|| reason.to_owned());
    }

    pub(super) fn finish(self) -> Result<Upload, UploadError> {
        if let Some(reason) = self.malformed {
            return Err(UploadError::Malformed(reason));
        }
        let details = match &self.details {
            None => None,
            Some(text) => Some(details_flag(text)?),
        };
        let file = match (self.image, self.image_bytes) {
            (Some(file), None) if file.is_empty() => {
                return Err(UploadError::malformed("the field image is empty"));
            }
            (Some(file), None) => file,
            (None, Some(decoder)) => {
                let file = decoder.finish()?;
                if file.is_empty() {
                    return Err(UploadError::malformed("the field image_bytes is empty"));
                }
                file
            }
            _ => {
                return Err(UploadError::malformed(
                    "the request holds neither of the fields image and image_bytes",
                ));
            }
        };
        Ok(Upload { file, details })
    }
}

/// Reads the text of a `details` field or query parameter.
///
/// # Errors
/// [`UploadError::Malformed`] for anything but `true`, `1`, `false`, `0` and nothing.
pub fn details_flag(text: &[u8]) -> Result<bool, UploadError> {
    match text.to_ascii_lowercase().as_slice() {
        b"true" | b"1" => Ok(true),
        b"false" | b"0" | b"" => Ok(false),
        _ => Err(UploadError::malformed(
            "details must be true or false (1 or 0)",
        )),
    }
}
