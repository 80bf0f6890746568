//! Bodies of forms, and bytes to put into them.

/// The type of what [`multipart`] makes.
pub const MULTIPART: &str = "multipart/form-data; boundary=XX";

/// The head of a part that holds a photo.
pub const IMAGE_PART: &str = "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg";

/// Bytes whose base64 has every character, both special ones among them.
#[must_use]
pub fn sample(length: usize) -> Vec<u8> {
    let step = |n: usize| n.wrapping_mul(2_654_435_761) >> 7;
    (0..length).map(|n| step(n).to_le_bytes()[0]).collect()
}

/// A form of these parts: head and content.
#[must_use]
pub fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend_from_slice(b"--XX\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

/// The bytes in which each pair `from` is replaced by `to`.
#[must_use]
pub fn replaced(bytes: &[u8], from: &[u8; 2], to: &[u8; 2]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len().saturating_sub(1) {
        if bytes[at..at + 2] == *from {
            bytes[at..at + 2].copy_from_slice(to);
        }
    }
    bytes
}
