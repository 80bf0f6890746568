//! What the three forms have in common: which field is the image, and which bodies are wrong.

use crate::{base64, error::UploadError};

/// Longest text of a `details` field that is looked at.
const LONGEST_FLAG: usize = 32;

/// What a body gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The image file, at least one byte.
    pub file: Vec<u8>,
    /// The `details` field, when there was one.
    pub details: Option<bool>,
}

/// How a part's bytes were encoded for the way (`Content-Transfer-Encoding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    AsIs,
    Base64,
}

/// Collects the fields as a form parser finds them: `begin`, any number of `data`, `end`.
///
/// An image field without a byte is as good as absent: API consoles and HTML forms send the fields
/// that were not filled in.
pub(super) struct Fields {
    limit: usize,
    /// Bytes of the body, when they are known and reserved.
    expected: usize,
    image: Option<Image>,
    /// Name of the first image field without content.
    empty: Option<&'static str>,
    details: Option<Details>,
    current: Current,
    /// The first thing that makes this body wrong whatever follows.
    malformed: Option<String>,
}

/// The first image field with content, or that may still get some.
enum Image {
    /// The file itself.
    File(Vec<u8>),
    /// The file as base64 text.
    Text {
        decoder: base64::Decoder,
        field: &'static str,
        transfer: Transfer,
    },
}

struct Details {
    text: Vec<u8>,
    transfer: Transfer,
}

enum Current {
    Ignored,
    Image {
        field: &'static str,
        is_file: bool,
    },
    Details,
    /// A second image: only its size still matters (`003` comes before `004`), and whether it is
    /// empty.
    SurplusFile {
        seen: usize,
    },
    SurplusText(Box<base64::Decoder>),
}

/// The names of the image fields.
const IMAGE: &str = "image";
const IMAGE_BYTES: &str = "image_bytes";

impl Fields {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            expected: 0,
            image: None,
            empty: None,
            details: None,
            current: Current::Ignored,
            malformed: None,
        }
    }

    /// The body has `bytes`: room for all that it can hold of an image is made at once, also if one has
    /// begun.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.expected = bytes;
        match &mut self.image {
            Some(Image::File(file)) => {
                file.reserve_exact(bytes.min(self.limit).saturating_sub(file.len()));
            }
            Some(Image::Text { decoder, .. }) => decoder.expect(bytes),
            None => {}
        }
    }

    pub(super) fn memory(&self) -> usize {
        match &self.image {
            Some(Image::File(file)) => file.capacity(),
            Some(Image::Text { decoder, .. }) => decoder.memory(),
            None => 0,
        }
    }

    /// A field starts. `is_file`: it came as a file (only `multipart/form-data` has files).
    pub(super) fn begin(&mut self, name: &[u8], is_file: bool, transfer: Transfer) {
        self.end();
        let (field, is_text) = match name {
            b"image" => (IMAGE, transfer == Transfer::Base64),
            b"image_bytes" => (IMAGE_BYTES, true),
            b"details" if self.details.is_some() => {
                self.complain("the field details occurs more than once");
                return;
            }
            b"details" => {
                self.details = Some(Details {
                    text: Vec::new(),
                    transfer,
                });
                self.current = Current::Details;
                return;
            }
            _ => return,
        };
        self.current = match (&self.image, is_text) {
            (Some(_), false) => Current::SurplusFile { seen: 0 },
            (Some(_), true) => {
                Current::SurplusText(Box::new(base64::Decoder::counting(self.limit)))
            }
            (None, false) => {
                self.image = Some(Image::File(Vec::with_capacity(
                    self.expected.min(self.limit),
                )));
                Current::Image { field, is_file }
            }
            (None, true) => {
                let mut decoder = base64::Decoder::new(self.limit);
                decoder.expect(self.expected);
                self.image = Some(Image::Text {
                    decoder,
                    field,
                    transfer,
                });
                Current::Image { field, is_file }
            }
        };
    }

    pub(super) fn data(&mut self, data: &[u8]) -> Result<(), UploadError> {
        let limit = self.limit;
        match &mut self.current {
            Current::Ignored => Ok(()),
            Current::Image { .. } => match &mut self.image {
                Some(Image::File(file)) => {
                    if file.len() + data.len() > limit {
                        return Err(UploadError::FileTooLarge { limit });
                    }
                    file.extend_from_slice(data);
                    Ok(())
                }
                Some(Image::Text { decoder, .. }) => decoder.push(data),
                None => Ok(()),
            },
            Current::Details => {
                if let Some(Details { text, .. }) = &mut self.details {
                    let room = LONGEST_FLAG.saturating_sub(text.len());
                    text.extend_from_slice(&data[..data.len().min(room)]);
                }
                Ok(())
            }
            Current::SurplusFile { seen } => {
                *seen += data.len();
                if *seen > limit {
                    return Err(UploadError::FileTooLarge { limit });
                }
                Ok(())
            }
            Current::SurplusText(decoder) => decoder.push(data),
        }
    }

    /// A `+` in a form's body that has no percent-encoding: perhaps the client forgot it, so that
    /// base64 means the `+` itself.
    pub(super) fn plus(&mut self) -> Result<(), UploadError> {
        match (&mut self.current, &mut self.image) {
            (Current::Image { .. }, Some(Image::Text { decoder, .. })) => decoder.push_plus(),
            (Current::SurplusText(decoder), _) => decoder.push_plus(),
            _ => self.data(b" "),
        }
    }

    pub(super) fn end(&mut self) {
        match std::mem::replace(&mut self.current, Current::Ignored) {
            Current::Ignored | Current::Details => {}
            Current::Image { field, is_file } => {
                let is_empty = match &self.image {
                    Some(Image::File(file)) => file.is_empty(),
                    Some(Image::Text { decoder, .. }) => decoder.is_blank(),
                    None => true,
                };
                if is_empty {
                    self.image = None;
                    self.empty.get_or_insert(field);
                } else if field == IMAGE && !is_file {
                    self.complain(
                        "image must be sent as a file part of multipart/form-data; base64 text goes into image_bytes",
                    );
                }
            }
            Current::SurplusFile { seen } => self.surplus(seen == 0),
            Current::SurplusText(decoder) => self.surplus(decoder.is_blank()),
        }
    }

    /// A further image field has ended.
    fn surplus(&mut self, is_empty: bool) {
        if !is_empty {
            self.complain(
                "the request contains more than one image: send either image or image_bytes, once",
            );
        }
    }

    /// Remembers that the body is wrong (`004`); the first reason stands.
    pub(super) fn complain(&mut self, reason: &str) {
        self.malformed.get_or_insert_with(|| reason.to_owned());
    }

    pub(super) fn finish(mut self) -> Result<Upload, UploadError> {
        self.end();
        if let Some(reason) = self.malformed {
            return Err(UploadError::Malformed(reason));
        }
        let details = match self.details {
            None => None,
            Some(details) => Some(details.flag()?),
        };
        let Some(image) = self.image else {
            return Err(UploadError::Malformed(match self.empty {
                Some(field) => format!("the field {field} is empty"),
                None => "the request contains neither the field image nor image_bytes".to_owned(),
            }));
        };
        Ok(Upload {
            file: image.file(self.limit)?,
            details,
        })
    }
}

impl Image {
    fn file(self, limit: usize) -> Result<Vec<u8>, UploadError> {
        match self {
            Self::File(file) if base64::looks_like_text(&file) => Err(UploadError::NotBase64(
                "the file part image contains base64 text instead of an image file: send the text in the field image_bytes".to_owned(),
            )),
            Self::File(file) => Ok(file),
            Self::Text {
                decoder,
                field: IMAGE_BYTES,
                transfer,
            } => {
                let file = decoder.finish("image_bytes is not base64")?;
                // Base64 by the part's head as well as by the field's name.
                if transfer == Transfer::Base64 && base64::looks_like_text(&file) {
                    let mut decoder = base64::Decoder::new(limit);
                    decoder.push(&file)?;
                    return decoder.finish("image_bytes is not base64");
                }
                Ok(file)
            }
            Self::Text { decoder, .. } => decoder.finish(
                "the part image is not base64, although its Content-Transfer-Encoding says it is",
            ),
        }
    }
}

impl Details {
    fn flag(&self) -> Result<bool, UploadError> {
        match self.transfer {
            Transfer::AsIs => details_flag(&self.text),
            Transfer::Base64 => {
                let mut decoder = base64::Decoder::new(LONGEST_FLAG);
                let text = decoder
                    .push(&self.text)
                    .and_then(|()| decoder.finish("details is not base64"));
                details_flag(&text.unwrap_or_else(|_| b"?".to_vec()))
            }
        }
    }
}

/// Reads the text of a `details` field or query parameter.
///
/// # Errors
/// [`UploadError::Malformed`] for anything but `true`, `1`, `on`, `yes`, `false`, `0`, `off`, `no`
/// and nothing.
pub fn details_flag(text: &[u8]) -> Result<bool, UploadError> {
    match text.trim_ascii().to_ascii_lowercase().as_slice() {
        b"true" | b"1" | b"on" | b"yes" => Ok(true),
        b"false" | b"0" | b"off" | b"no" | b"" => Ok(false),
        _ => Err(UploadError::malformed(
            "details must be true, 1, on or yes, or false, 0, off or no",
        )),
    }
}
