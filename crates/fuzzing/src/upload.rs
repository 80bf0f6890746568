//! Request bodies in the three forms.

use livecheck_upload::{Form, Upload, UploadError};

/// Most bytes of an image file: small, so that inputs reach it.
pub(crate) const LIMIT: usize = 4096;

/// The boundary of multipart bodies whose content type is given.
pub(crate) const BOUNDARY: &str = "XX";

/// What a parser may hold beyond twice the bytes that it was given.
const MEMORY_SLACK: usize = 16 * 1024;

/// Content types, by the first byte of an input; the fourth kind brings its own, up to a line break.
pub(crate) const CONTENT_TYPES: [&str; 3] = [
    "multipart/form-data; boundary=XX",
    "application/x-www-form-urlencoded",
    "application/json",
];

/// Two bytes that choose the content type and the size of pieces, then any body: an image within
/// the limit or a refusal, the same in one piece and in many, in bounded memory.
///
/// # Panics
/// When that is not so.
pub fn upload(input: &[u8]) {
    let Some((&[kind, piece], body)) = input.split_first_chunk::<2>() else {
        return;
    };
    let (content_type, body) = match CONTENT_TYPES.get(usize::from(kind) % 4) {
        Some(known) => (known.as_bytes(), body),
        None => {
            let line = body.iter().position(|byte| *byte == b'\n');
            let (content_type, rest) = body.split_at(line.unwrap_or(body.len()));
            (content_type, rest.get(1..).unwrap_or_default())
        }
    };
    let whole = parse(content_type, body, body.len());
    assert_eq!(
        parse(content_type, body, usize::from(piece)),
        whole,
        "in pieces of {piece}"
    );
    if let Ok(upload) = whole {
        assert!((1..=LIMIT).contains(&upload.file.len()));
    }
}

/// Parses a body in pieces of a size.
pub(crate) fn parse(content_type: &[u8], body: &[u8], piece: usize) -> Result<Upload, UploadError> {
    let mut form = Form::new([content_type], [], LIMIT)?;
    let mut received = 0;
    for chunk in body.chunks(piece.max(1)) {
        form.push(chunk)?;
        received += chunk.len();
        let held = form.memory();
        assert!(
            held <= 2 * received + MEMORY_SLACK,
            "{held} bytes held of {received}"
        );
    }
    form.finish()
}
