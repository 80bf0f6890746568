//! The chunks of a PNG (ISO/IEC 15948).

use image::metadata::Orientation;

use super::exif;

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
