//! What the tables hold.

/// The image cannot be read.
pub(super) const UNREADABLE: &[&str] = &["002"];

/// The image is too large.
pub(super) const TOO_LARGE: &[&str] = &["003"];

/// The image is read, and shows nobody.
pub(super) const NOBODY: &[&str] = &["051"];

/// Decoders differ in what they make of it; whatever they make is an honest answer.
pub(super) const ANY: &[&str] = &["002", "003", "007", "051"];

/// The request is wrong.
pub(super) const MALFORMED: &[&str] = &["004"];

/// Side of pictures that pass the limits, pixels.
pub(super) const SIDE: u32 = 400;

/// Most bytes of an image file by default.
pub(super) const FILE_LIMIT: usize = 10 * 1024 * 1024;

/// Sides of the largest square that passes the default limit of 64 million pixels.
pub(super) const LARGEST_SIDE: u32 = 8000;

/// One image file.
pub struct HostileFile {
    /// What it is.
    pub name: String,
    /// What it is meant to break.
    pub why: &'static str,
    /// The file.
    pub file: Vec<u8>,
    /// The error codes that are a right answer.
    pub answers: &'static [&'static str],
}

/// One request body.
pub struct HostileBody {
    /// What it is.
    pub name: &'static str,
    /// What it is meant to break.
    pub why: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// The error codes that are a right answer.
    pub answers: &'static [&'static str],
}

pub(super) struct Table(pub(super) Vec<HostileFile>);

impl Table {
    pub(super) fn add(
        &mut self,
        name: impl Into<String>,
        why: &'static str,
        answers: &'static [&'static str],
        file: Vec<u8>,
    ) {
        self.0.push(HostileFile {
            name: name.into(),
            why,
            file,
            answers,
        });
    }
}
