//! `multipart/form-data` (RFC 7578), parsed as it streams in: part contents go straight to their
//! field, and only a part's head or a possible piece of a delimiter is ever held back.
//!
//! Lines end with CR LF. A body whose first delimiter line ends with a bare line feed is read with
//! bare line feeds throughout; a part's head may use either in every body.

use memchr::memmem;

use crate::{
    error::UploadError,
    fields::{Fields, Transfer, Upload},
};

/// Most bytes of one part's head.
const LONGEST_HEAD: usize = 8 * 1024;

/// Most bytes of a boundary (RFC 2046).
const LONGEST_BOUNDARY: usize = 70;

/// Most spaces and tabs between a delimiter and its line break.
const LONGEST_PADDING: usize = 64;

pub(super) struct Multipart {
    fields: Fields,
    /// `\n--boundary` until the first one has shown how lines end, then perhaps `\r\n--boundary`.
    delimiter: Vec<u8>,
    /// Whether a delimiter has come.
    is_begun: bool,
    /// Whether any byte has come.
    is_empty: bool,
    /// Received and not yet understood.
    pending: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, or in a part's content.
    Content,
    /// Right behind a delimiter.
    Delimited,
    /// In the head of a part.
    Head,
    /// Behind the closing delimiter; what follows is ignored.
    Closed,
}

/// What a part's head says.
#[derive(Default)]
struct PartHead {
    name: Option<Vec<u8>>,
    has_filename: bool,
    has_file_type: bool,
    /// `Content-Transfer-Encoding`, lower case.
    transfer_encoding: Option<Vec<u8>>,
}

impl Multipart {
    /// `parameters`: what follows `multipart/form-data;` in the content type.
    pub(super) fn new(parameters: &str, file_limit: usize) -> Result<Self, UploadError> {
        let boundary = parameter(parameters.as_bytes(), b"boundary").ok_or_else(|| {
            UploadError::malformed("the Content-Type multipart/form-data has no boundary")
        })?;
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            return Err(UploadError::Malformed(format!(
                "the multipart boundary has {} characters; 1 to {LONGEST_BOUNDARY} are allowed",
                boundary.len()
            )));
        }
        Ok(Self {
            fields: Fields::new(file_limit),
            delimiter: [b"\n--", boundary.as_slice()].concat(),
            is_begun: false,
            is_empty: true,
            // The first delimiter needs no line break in front.
            pending: b"\n".to_vec(),
            state: State::Content,
        })
    }

    pub(super) fn expect(&mut self, bytes: usize) {
        self.fields.expect(bytes);
    }

    pub(super) fn memory(&self) -> usize {
        self.fields.memory() + self.pending.capacity()
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), UploadError> {
        if self.state == State::Closed {
            return Ok(());
        }
        self.is_empty &= chunk.is_empty();
        self.pending.extend_from_slice(chunk);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while let Some(used) = self.step(rest)? {
            rest = &rest[used..];
        }
        self.pending = rest.to_vec();
        Ok(())
    }

    /// Understands a piece of `input`; `None` when more input is needed first.
    fn step(&mut self, input: &[u8]) -> Result<Option<usize>, UploadError> {
        match self.state {
            State::Content => {
                if let Some(end) = memmem::find(input, &self.delimiter) {
                    self.fields.data(&input[..end])?;
                    self.state = State::Delimited;
                    return Ok(Some(end + self.delimiter.len()));
                }
                // A delimiter may have begun in the last bytes.
                let sure = input.len().saturating_sub(self.delimiter.len() - 1);
                if sure == 0 {
                    return Ok(None);
                }
                self.fields.data(&input[..sure])?;
                Ok(Some(sure))
            }
            State::Delimited => self.after_delimiter(input),
            State::Head => self.head(input),
            State::Closed => Ok(None),
        }
    }

    fn after_delimiter(&mut self, input: &[u8]) -> Result<Option<usize>, UploadError> {
        if input.starts_with(b"--") {
            self.fields.end();
            self.state = State::Closed;
            return Ok(Some(2));
        }
        let padding = input
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        match &input[padding..] {
            [b'\r', b'\n', ..] if padding <= LONGEST_PADDING => {
                if !self.is_begun {
                    self.delimiter.insert(0, b'\r');
                }
                Ok(Some(self.begin_head(padding)))
            }
            [b'\n', ..] if padding <= LONGEST_PADDING && !self.has_crlf() => {
                Ok(Some(self.begin_head(padding)))
            }
            [] | [b'\r'] if padding <= LONGEST_PADDING => Ok(None),
            [b'-'] if padding == 0 => Ok(None),
            _ => {
                // Content that only looked like a delimiter.
                let delimiter = std::mem::take(&mut self.delimiter);
                let result = self.fields.data(&delimiter);
                self.delimiter = delimiter;
                self.state = State::Content;
                result.map(|()| Some(0))
            }
        }
    }

    /// Whether delimiters must stand behind CR LF.
    fn has_crlf(&self) -> bool {
        self.delimiter.first() == Some(&b'\r')
    }

    /// The line of a delimiter is over behind `padding` bytes; its line break stays, because it is
    /// also the end of an empty head.
    fn begin_head(&mut self, padding: usize) -> usize {
        self.fields.end();
        self.is_begun = true;
        self.state = State::Head;
        padding
    }

    /// `input` starts with the line break before the head.
    fn head(&mut self, input: &[u8]) -> Result<Option<usize>, UploadError> {
        let Some((end, content)) = head_end(input) else {
            if input.len() > LONGEST_HEAD {
                return Err(UploadError::Malformed(format!(
                    "the header section of a multipart part has more than {LONGEST_HEAD} bytes"
                )));
            }
            return Ok(None);
        };
        if end > LONGEST_HEAD {
            return Err(UploadError::Malformed(format!(
                "the header section of a multipart part has more than {LONGEST_HEAD} bytes"
            )));
        }
        let head = PartHead::parse(&input[..end])?;
        if let Some(name) = &head.name {
            let transfer = head.transfer(name)?;
            self.fields
                .begin(name, head.has_filename || head.has_file_type, transfer);
        }
        self.state = State::Content;
        Ok(Some(content))
    }

    pub(super) fn finish(self) -> Result<Upload, UploadError> {
        match self.state {
            State::Closed => self.fields.finish(),
            _ if self.is_empty => Err(UploadError::malformed("the multipart body is empty")),
            _ if self.is_begun => Err(UploadError::malformed(
                "the multipart body ends before its closing boundary",
            )),
            _ => Err(UploadError::malformed(
                "the boundary given in the Content-Type never starts a part in the multipart body",
            )),
        }
    }
}

/// Where the head in `input` ends and where the content behind it begins: the first empty line.
fn head_end(input: &[u8]) -> Option<(usize, usize)> {
    memchr::memchr_iter(b'\n', input).find_map(|at| {
        let end = if at > 0 && input[at - 1] == b'\r' {
            at - 1
        } else {
            at
        };
        match &input[at + 1..] {
            [b'\n', ..] => Some((end, at + 2)),
            [b'\r', b'\n', ..] => Some((end, at + 3)),
            _ => None,
        }
    })
}

impl PartHead {
    /// `head`: lines without the empty one at their end.
    fn parse(head: &[u8]) -> Result<Self, UploadError> {
        let mut parsed = Self::default();
        for line in unfolded(head) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return Err(UploadError::malformed(
                    "the header section of a multipart part has a line without a colon",
                ));
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-disposition") {
                let (_, parameters) = split_once(value, b';');
                parsed.name = parameter(parameters, b"name");
                parsed.has_filename = parameter(parameters, b"filename").is_some()
                    || parameter(parameters, b"filename*").is_some();
            } else if name.eq_ignore_ascii_case(b"content-type") {
                let (essence, _) = split_once(value, b';');
                parsed.has_file_type = !essence.trim_ascii().eq_ignore_ascii_case(b"text/plain");
            } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
                parsed.transfer_encoding = Some(value.to_ascii_lowercase());
            }
        }
        Ok(parsed)
    }

    /// How the part's content is encoded; of parts that are not read, it does not matter.
    fn transfer(&self, name: &[u8]) -> Result<Transfer, UploadError> {
        match self.transfer_encoding.as_deref() {
            None | Some(b"" | b"7bit" | b"8bit" | b"binary") => Ok(Transfer::AsIs),
            Some(b"base64") => Ok(Transfer::Base64),
            Some(_) if matches!(name, b"image" | b"image_bytes" | b"details") => {
                Err(UploadError::malformed(
                    "the Content-Transfer-Encoding of a part is not base64, binary, 8bit or 7bit: send the image as it is",
                ))
            }
            Some(_) => Ok(Transfer::AsIs),
        }
    }
}

/// The lines of a head that are not empty. A line that begins with white space goes on with the one
/// before it.
fn unfolded(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.first(), lines.last_mut()) {
            (None, _) => {}
            (Some(b' ' | b'\t'), Some(before)) => {
                before.push(b' ');
                before.extend_from_slice(line.trim_ascii());
            }
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

fn split_once(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(index) => (&bytes[..index], &bytes[index + 1..]),
        None => (bytes, b""),
    }
}

/// The value of `wanted` in `a=b; c="d"`.
fn parameter(mut rest: &[u8], wanted: &[u8]) -> Option<Vec<u8>> {
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let name_end = rest.iter().position(|byte| matches!(byte, b'=' | b';'));
        let name = rest[..name_end.unwrap_or(rest.len())].trim_ascii();
        rest = &rest[name_end.unwrap_or(rest.len())..];
        let mut value = Vec::new();
        if rest.first() == Some(&b'=') {
            rest = rest[1..].trim_ascii_start();
            if rest.first() == Some(&b'"') {
                let mut bytes = rest[1..].iter().enumerate();
                let mut used = rest.len();
                while let Some((index, byte)) = bytes.next() {
                    match byte {
                        b'"' => {
                            used = index + 2;
                            break;
                        }
                        // Only a quote is escaped: browsers leave backslashes of file names alone.
                        b'\\' if rest.get(index + 2) == Some(&b'"') => {
                            value.push(b'"');
                            bytes.next();
                        }
                        _ => value.push(*byte),
                    }
                }
                rest = &rest[used..];
            } else {
                let (plain, _) = split_once(rest, b';');
                value = plain.trim_ascii().to_vec();
            }
        }
        let (_, after) = split_once(rest, b';');
        rest = after;
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
    }
}
