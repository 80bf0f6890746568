//! The chunks of a PNG (ISO/IEC 15948).

use std::io::{Cursor, ErrorKind};

use image::{ImageError, metadata::Orientation};

use crate::{error::DecodeError, exif};

/// Most bytes that the chunks beside the pixels may take, packed and unpacked: a colour profile of 10 MB
/// may hold 10 GB of zeros.
pub(super) const MAX_CHUNK_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of the signature; and of a chunk beside its data: length, kind and checksum.
const SIGNATURE: usize = 8;
const FRAMING: usize = 12;

/// How a viewer turns it: as the first `eXIf` chunk says that gives an orientation, wherever it is.
pub(super) fn orientation(file: &[u8]) -> Orientation {
    chunks(file)
        .filter(|(kind, _)| kind == b"eXIf")
        .find_map(|(_, data)| exif::orientation(data))
        .unwrap_or(Orientation::NoTransforms)
}

/// Kind and data of each whole chunk.
fn chunks(file: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = file.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let kind = *rest.get(4..)?.first_chunk()?;
        let data = rest.get(8..8 + length)?;
        rest = rest.get(length + FRAMING..).unwrap_or_default();
        Some((kind, data))
    })
}

/// Why a PNG that its decoder refuses for `error` is not read: how many scan lines are missing where the
/// file ends too early.
pub(super) fn refusal(file: &[u8], error: ImageError) -> DecodeError {
    match missing_lines(file) {
        Some((missing, lines)) => DecodeError::Unreadable(format!(
            "the PNG is cut off: {:.1} % of its scan lines are missing ({missing} of {lines}); send the whole file",
            100.0 * f64::from(missing) / f64::from(lines.max(1))
        )),
        None => DecodeError::damaged(error),
    }
}

/// Scan lines that are missing, and all, of a file that ends too early; of an interlaced one those of its
/// passes.
fn missing_lines(file: &[u8]) -> Option<(u32, u32)> {
    let limits = png::Limits {
        bytes: MAX_CHUNK_BYTES as usize,
    };
    let mut reader = png::Decoder::new_with_limits(Cursor::new(file), limits)
        .read_info()
        .ok()?;
    let info = reader.info();
    let lines = if info.interlaced {
        adam7_lines(info.width, info.height)
    } else {
        info.height
    };
    let mut read = 0;
    loop {
        match reader.next_row() {
            Ok(Some(_)) => read += 1,
            Ok(None) => return None,
            Err(png::DecodingError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return (read < lines).then_some((lines - read, lines));
            }
            Err(_) => return None,
        }
    }
}

/// Scan lines of the seven passes (ISO/IEC 15948, section 8).
fn adam7_lines(width: u32, height: u32) -> u32 {
    // First column and row, and steps between them.
    const PASSES: [[u32; 4]; 7] = [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
    ];
    PASSES
        .iter()
        .filter(|[column, ..]| *column < width)
        .map(|[_, row, _, step]| height.saturating_sub(*row).div_ceil(*step))
        .sum()
}

/// The file with an end chunk where only that is missing: all chunks are whole, and there are pixels.
pub(super) fn ended(file: &[u8]) -> Option<Vec<u8>> {
    const END: &[u8; FRAMING] = b"\0\0\0\0IEND\xaeB`\x82";
    let mut length = SIGNATURE;
    let mut pixels = false;
    for (kind, data) in chunks(file) {
        if &kind == b"IEND" {
            return None;
        }
        pixels |= &kind == b"IDAT";
        length += data.len() + FRAMING;
    }
    // What follows the last whole chunk is the beginning of the one that is missing.
    let rest = file.get(length..)?;
    let begun = END.starts_with(rest);
    (pixels && begun).then(|| [&file[..length], END].concat())
}
