//! The chunks of a WebP (RIFF, RFC 9649).

use image::metadata::Orientation;

use crate::{error::DecodeError, exif};

const RIFF_HEAD: usize = 12;
const CHUNK_HEAD: usize = 8;

/// Refuses a file in which a chunk announces more bytes than follow: the decoder would allocate what it
/// announces, up to 4 GB. Answers how a viewer turns it.
pub(super) fn check(file: &[u8]) -> Result<Orientation, DecodeError> {
    let length = |at: usize| {
        let bytes = file.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    };
    // What the head does not count is not part of the image.
    let end = length(4).unwrap_or_default().saturating_add(8);
    let mut orientation = None;
    let mut at = RIFF_HEAD;
    while at < end.min(file.len()) {
        let Some(announced) = length(at + 4) else {
            break;
        };
        let data = at + CHUNK_HEAD;
        let Some(chunk) = file.get(data..data + announced) else {
            let follow = file.len() - data;
            return Err(DecodeError::Unreadable(format!(
                "the WebP is cut off: {:.1} % of a chunk is missing ({} of {announced} bytes); send the whole file",
                percent(announced - follow, announced),
                announced - follow
            )));
        };
        if file[at..].starts_with(b"EXIF") {
            // The first that gives one.
            orientation = orientation.or_else(|| exif::orientation(chunk));
        }
        at = data + announced.next_multiple_of(2);
    }
    Ok(orientation.unwrap_or(Orientation::NoTransforms))
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
