//! A base64 decoder for what clients really send: both alphabets, padding or not, line breaks, a
//! `data:` prefix, spaces where a `+` was not percent-encoded. Streaming: memory is the output.
//!
//! A run of spaces counts as that many `+`, except at the start, behind a `data:` prefix, and beside
//! a line break, where white space is dropped. At the end it counts only where it completes a group
//! of four.

use crate::error::UploadError;

/// Most characters between `data:` and its comma.
const LONGEST_DATA_HEAD: usize = 256;

const DATA_SCHEME: &[u8] = b"data:";

/// Characters whose output is dropped at a time.
const DISCARDED_PIECE: usize = 4096;

/// Decodes one field piece by piece.
pub(super) struct Decoder {
    output: Vec<u8>,
    limit: usize,
    phase: Phase,
    /// Up to three sextets that do not yet make three bytes.
    group: u32,
    group_len: u8,
    /// Base64 characters seen, good or bad: the size is judged before the alphabet.
    characters: usize,
    /// Spaces that count as `+` when more data follows them on the same line.
    spaces: usize,
    /// `+` of a form that was not percent-encoded: spaces, unless data or a line break follows.
    pluses: usize,
    /// Whether a line has just begun, so that spaces indent it.
    line_start: bool,
    /// Whether the output is dropped as it comes: only size and emptiness matter.
    discard: bool,
    problem: Option<String>,
}

enum Phase {
    /// The first characters, which may turn out to be `data:`.
    Head(Vec<u8>),
    /// Between `data:` and the comma; holds what was seen.
    DataHead(Vec<u8>),
    Body,
    /// After `=`.
    Padding(u8),
}

impl Decoder {
    /// `limit`: most bytes of output.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            output: Vec::new(),
            limit,
            phase: Phase::Head(Vec::new()),
            group: 0,
            group_len: 0,
            characters: 0,
            spaces: 0,
            pluses: 0,
            line_start: true,
            discard: false,
            problem: None,
        }
    }

    /// As [`Decoder::new`], without output: it only watches the limit.
    pub(super) fn counting(limit: usize) -> Self {
        Self {
            discard: true,
            ..Self::new(limit)
        }
    }

    /// Whether nothing but white space, and perhaps a `data:` prefix, has come: an empty field.
    pub(super) fn is_blank(&self) -> bool {
        self.characters == 0
            && self.spaces + self.pluses == 0
            && self.problem.is_none()
            && match &self.phase {
                Phase::Head(head) => head.is_empty(),
                Phase::Body => true,
                Phase::DataHead(_) | Phase::Padding(_) => false,
            }
    }

    /// Text of `bytes` comes: room for the file in it is made at once.
    pub(super) fn expect(&mut self, bytes: usize) {
        // Four characters make three bytes.
        let file = bytes / 4 * 3 + 3;
        self.output
            .reserve_exact(file.min(self.limit).saturating_sub(self.output.len()));
    }

    pub(super) fn memory(&self) -> usize {
        self.output.capacity()
    }

    /// Takes the next characters; only a broken size limit is told at once.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), UploadError> {
        if !self.discard {
            return self.push_piece(text);
        }
        for piece in text.chunks(DISCARDED_PIECE) {
            self.push_piece(piece)?;
            self.output.clear();
        }
        Ok(())
    }

    fn push_piece(&mut self, text: &[u8]) -> Result<(), UploadError> {
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = self.take_groups(rest)?;
            if rest.len() > after.len() {
                self.take(byte)?;
                rest = after;
            }
        }
        Ok(())
    }

    /// Takes a `+` of a form's body, which stands for a space unless the client forgot to
    /// percent-encode it.
    pub(super) fn push_plus(&mut self) -> Result<(), UploadError> {
        if matches!(self.phase, Phase::Body) && !(self.line_start && self.characters == 0) {
            self.pluses += 1;
            self.line_start = false;
            return Ok(());
        }
        self.push(b" ")
    }

    /// Takes whole groups of four plain characters, as long as nothing else needs care; the fast
    /// way through a large image. Returns what is left.
    fn take_groups<'a>(&mut self, mut text: &'a [u8]) -> Result<&'a [u8], UploadError> {
        let plain = matches!(self.phase, Phase::Body)
            && self.group_len == 0
            && self.spaces + self.pluses == 0
            && self.problem.is_none();
        if !plain {
            return Ok(text);
        }
        while let Some((group, after)) = text.split_first_chunk::<4>() {
            let mut bits = 0;
            let mut seen = 0;
            for byte in group {
                let sextet = SEXTETS[usize::from(*byte)];
                seen |= sextet;
                bits = bits << 6 | u32::from(sextet);
            }
            if seen == NO_SEXTET {
                break;
            }
            self.characters += 4;
            if self.characters / 4 * 3 > self.limit {
                return Err(UploadError::FileTooLarge { limit: self.limit });
            }
            let [_, a, b, c] = bits.to_be_bytes();
            self.output.extend_from_slice(&[a, b, c]);
            self.line_start = false;
            text = after;
        }
        Ok(text)
    }

    fn take(&mut self, byte: u8) -> Result<(), UploadError> {
        match &mut self.phase {
            Phase::Head(head) => {
                if head.is_empty() && byte.is_ascii_whitespace() {
                    return Ok(());
                }
                head.push(byte);
                let expected = &DATA_SCHEME[..head.len()];
                if !head.eq_ignore_ascii_case(expected) {
                    let head = std::mem::take(head);
                    self.phase = Phase::Body;
                    for byte in head {
                        self.character(byte)?;
                    }
                } else if head.len() == DATA_SCHEME.len() {
                    self.phase = Phase::DataHead(Vec::new());
                }
                Ok(())
            }
            Phase::DataHead(head) => {
                if byte == b',' {
                    let marked =
                        head.len() >= 7 && head[head.len() - 7..].eq_ignore_ascii_case(b";base64");
                    self.phase = Phase::Body;
                    if !marked {
                        self.complain("its data: prefix does not end in \";base64,\"".to_owned());
                    }
                } else if byte.is_ascii_whitespace() {
                    // No part of a type or a parameter.
                } else if head.len() < LONGEST_DATA_HEAD {
                    head.push(byte);
                } else {
                    self.phase = Phase::Body;
                    self.complain("its data: prefix has no comma".to_owned());
                }
                Ok(())
            }
            Phase::Body | Phase::Padding(_) => self.character(byte),
        }
    }

    fn character(&mut self, byte: u8) -> Result<(), UploadError> {
        match byte {
            b'\r' | b'\n' => {
                self.spaces = 0;
                self.line_start = true;
                self.flush_spaces()
            }
            b'\t' => Ok(()),
            b' ' => {
                if matches!(self.phase, Phase::Body) && !self.line_start {
                    self.spaces += 1;
                }
                Ok(())
            }
            b'=' => {
                self.flush_spaces()?;
                let seen = match self.phase {
                    Phase::Padding(seen) => seen.saturating_add(1),
                    _ => 1,
                };
                if seen > 2 {
                    self.complain("it has more than two \"=\" at its end".to_owned());
                }
                self.phase = Phase::Padding(seen);
                Ok(())
            }
            _ => {
                self.flush_spaces()?;
                self.line_start = false;
                if matches!(self.phase, Phase::Padding(_)) {
                    self.complain("it continues after its padding \"=\"".to_owned());
                }
                if let Some(sextet) = sextet(byte) {
                    self.sextet(sextet)
                } else {
                    let position = self.characters + 1;
                    self.complain(format!("character {position} is {:?}", char::from(byte)));
                    self.sextet(0)
                }
            }
        }
    }

    fn flush_spaces(&mut self) -> Result<(), UploadError> {
        let run = std::mem::take(&mut self.spaces) + std::mem::take(&mut self.pluses);
        for _ in 0..run {
            self.sextet(62)?;
        }
        Ok(())
    }

    fn sextet(&mut self, sextet: u8) -> Result<(), UploadError> {
        self.characters += 1;
        if self.characters / 4 * 3 > self.limit {
            return Err(UploadError::FileTooLarge { limit: self.limit });
        }
        if self.problem.is_some() {
            return Ok(());
        }
        self.group = self.group << 6 | u32::from(sextet);
        self.group_len += 1;
        if self.group_len == 4 {
            let [_, a, b, c] = self.group.to_be_bytes();
            self.output.extend([a, b, c]);
            self.group = 0;
            self.group_len = 0;
        }
        Ok(())
    }

    fn complain(&mut self, problem: String) {
        if self.problem.is_none() {
            self.problem = Some(problem);
            self.output = Vec::new();
        }
    }

    /// The decoded bytes; none at all when the field held no character. `what` begins the sentence
    /// that says why it is not base64.
    pub(super) fn finish(mut self, what: &str) -> Result<Vec<u8>, UploadError> {
        match std::mem::replace(&mut self.phase, Phase::Body) {
            // Shorter than "data:", so it is data.
            Phase::Head(head) => {
                for byte in head {
                    self.character(byte)?;
                }
            }
            Phase::DataHead(_) => self.complain("its data: prefix has no comma".to_owned()),
            Phase::Body => {
                // Trailing spaces are `+` only where they complete a group of four.
                if (self.characters + self.spaces + self.pluses).is_multiple_of(4) {
                    self.flush_spaces()?;
                }
            }
            padding @ Phase::Padding(_) => self.phase = padding,
        }
        if self.problem.is_none() {
            match self.group_len {
                0 if self.characters == 0 && matches!(self.phase, Phase::Padding(_)) => {
                    self.complain("it contains nothing but padding".to_owned());
                }
                1 => self.complain(format!(
                    "its {} characters don't form whole bytes; it may have been cut off",
                    self.characters
                )),
                2 => self.output.push((self.group >> 4).to_be_bytes()[3]),
                3 => {
                    let [.., a, b] = (self.group >> 2).to_be_bytes();
                    self.output.extend([a, b]);
                }
                _ => {}
            }
        }
        if let Some(problem) = self.problem {
            return Err(UploadError::NotBase64(format!("{what}: {problem}")));
        }
        if self.output.len() > self.limit {
            return Err(UploadError::FileTooLarge { limit: self.limit });
        }
        Ok(self.output)
    }
}

/// Stands for "no character of either alphabet"; no sextet has these bits.
const NO_SEXTET: u8 = 0xff;

/// The value of every character of both alphabets.
const SEXTETS: [u8; 256] = {
    let mut table = [NO_SEXTET; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        table[alphabet[value as usize] as usize] = value;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

/// Most bytes that [`looks_like_text`] reads, and fewest that it judges.
const TEXT_SAMPLE: std::ops::RangeInclusive<usize> = 16..=256;

/// Whether a file is base64 text (perhaps behind a `data:` prefix) and not an image: no image format
/// begins with that many characters of the alphabet.
pub(super) fn looks_like_text(file: &[u8]) -> bool {
    let file = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
    let file = file.trim_ascii();
    let is_data_uri = file
        .get(..DATA_SCHEME.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(DATA_SCHEME))
        && file
            .iter()
            .take(LONGEST_DATA_HEAD)
            .any(|byte| *byte == b',');
    let sample = &file[..file.len().min(*TEXT_SAMPLE.end())];
    is_data_uri
        || sample.len() >= *TEXT_SAMPLE.start()
            && sample
                .iter()
                .all(|byte| sextet(*byte).is_some() || matches!(byte, b'\r' | b'\n' | b'='))
}

fn sextet(byte: u8) -> Option<u8> {
    Some(SEXTETS[usize::from(byte)]).filter(|sextet| *sextet != NO_SEXTET)
}
