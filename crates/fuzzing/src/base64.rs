//! The tolerant base64 decoder, through the three forms that use it.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use livecheck_upload::UploadError;

use crate::upload::{BOUNDARY, CONTENT_TYPES, LIMIT, parse};

/// Any text means the same in each of the three forms, and strict base64 means what it means to
/// another decoder; any bytes come back from each way of writing them.
///
/// # Panics
/// When that is not so.
pub fn base64(input: &[u8]) {
    let read = urlencoded(input);
    if let Some(multipart) = multipart(input) {
        assert_eq!(multipart, read, "multipart and urlencoded");
    }
    if let Ok(text) = std::str::from_utf8(input) {
        assert_eq!(json(text), read, "json and urlencoded");
    }
    if let Ok(strict) = STANDARD.decode(input)
        && (1..=LIMIT).contains(&strict.len())
    {
        assert_eq!(read.as_ref(), Ok(&strict), "another decoder");
    }
    let bytes = &input[..input.len().min(LIMIT)];
    if !bytes.is_empty() {
        for writer in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
            let text = writer.encode(bytes);
            assert_eq!(json(&text).as_deref(), Ok(bytes), "{text}");
            let text = format!("data:image/png;base64,{text}\r\n");
            assert_eq!(urlencoded(text.as_bytes()).as_deref(), Ok(bytes), "{text}");
        }
    }
}

type Outcome = Result<Vec<u8>, UploadError>;

fn read(kind: usize, body: &[u8]) -> Outcome {
    parse(CONTENT_TYPES[kind].as_bytes(), body, 997).map(|upload| upload.file)
}

/// `None` when the text holds what would end its part.
fn multipart(text: &[u8]) -> Option<Outcome> {
    let delimiter = format!("\r\n--{BOUNDARY}");
    let head =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image_bytes\"\r\n\r\n");
    // The line break before the text counts: it may be the first of a delimiter.
    let content = [b"\r\n".as_slice(), text].concat();
    let ends_early = content
        .windows(delimiter.len())
        .any(|window| window == delimiter.as_bytes());
    let body = [head.as_bytes(), text, delimiter.as_bytes(), b"--\r\n"].concat();
    (!ends_early).then(|| read(0, &body))
}

fn urlencoded(text: &[u8]) -> Outcome {
    let mut body = "image_bytes=".to_owned();
    for byte in text {
        body.push_str(&format!("%{byte:02X}"));
    }
    read(1, body.as_bytes())
}

fn json(text: &str) -> Outcome {
    let body = serde_json::json!({ "image_bytes": text }).to_string();
    read(2, body.as_bytes())
}
