//! `application/x-www-form-urlencoded`, decoded as it streams in.

use crate::{
    error::UploadError,
    fields::{Fields, Transfer, Upload},
};

/// No field of ours has a longer name.
const LONGEST_NAME: usize = 64;

/// Decoded bytes handed on at a time.
const BATCH: usize = 4096;

pub(super) struct UrlEncoded {
    fields: Fields,
    name: Vec<u8>,
    in_value: bool,
    /// Whether this value has an escape: its client encodes, so that a `+` is a space.
    is_escaped: bool,
    escape: Escape,
    batch: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Escape {
    None,
    /// After `%`.
    First,
    /// After `%` and one digit.
    Second(u8),
}

impl UrlEncoded {
    pub(super) fn new(file_limit: usize) -> Self {
        Self {
            fields: Fields::new(file_limit),
            name: Vec::new(),
            in_value: false,
            is_escaped: false,
            escape: Escape::None,
            batch: Vec::with_capacity(BATCH),
        }
    }

    pub(super) fn expect(&mut self, bytes: usize) {
        self.fields.expect(bytes);
    }

    pub(super) fn memory(&self) -> usize {
        self.fields.memory()
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), UploadError> {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            if self.in_value && matches!(self.escape, Escape::None) {
                let plain = memchr::memchr3(b'%', b'&', b'+', rest).unwrap_or(rest.len());
                if plain > 0 {
                    self.flush()?;
                    self.fields.data(&rest[..plain])?;
                    rest = &rest[plain..];
                    continue;
                }
            }
            rest = after;
            match (self.escape, byte) {
                (Escape::First, _) => self.escape = Escape::Second(self.digit(byte)),
                (Escape::Second(high), _) => {
                    let low = self.digit(byte);
                    self.escape = Escape::None;
                    self.decoded(high << 4 | low)?;
                }
                (Escape::None, b'%') => {
                    self.is_escaped = true;
                    self.escape = Escape::First;
                }
                (Escape::None, b'&') => self.end_pair()?,
                (Escape::None, b'=') if !self.in_value => self.begin_value(),
                (Escape::None, b'+') if self.in_value && !self.is_escaped => {
                    self.flush()?;
                    self.fields.plus()?;
                }
                (Escape::None, b'+') => self.decoded(b' ')?,
                (Escape::None, _) => self.decoded(byte)?,
            }
        }
        self.flush()
    }

    fn digit(&mut self, byte: u8) -> u8 {
        let digit = char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok());
        digit.unwrap_or_else(|| {
            self.fields.complain(
                "the form contains a \"%\" that is not followed by two hexadecimal digits",
            );
            0
        })
    }

    fn decoded(&mut self, byte: u8) -> Result<(), UploadError> {
        if self.in_value {
            self.batch.push(byte);
            if self.batch.len() == BATCH {
                self.flush()?;
            }
        } else if self.name.len() <= LONGEST_NAME {
            self.name.push(byte);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), UploadError> {
        self.fields.data(&self.batch)?;
        self.batch.clear();
        Ok(())
    }

    fn begin_value(&mut self) {
        self.in_value = true;
        self.is_escaped = false;
        self.fields.begin(&self.name, false, Transfer::AsIs);
    }

    fn end_pair(&mut self) -> Result<(), UploadError> {
        if !self.in_value && !self.name.is_empty() {
            self.begin_value();
        }
        self.flush()?;
        self.fields.end();
        self.name.clear();
        self.in_value = false;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Upload, UploadError> {
        if !matches!(self.escape, Escape::None) {
            self.digit(b' ');
        }
        self.end_pair()?;
        self.fields.finish()
    }
}
