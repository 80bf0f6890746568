//! The orientation in an EXIF block (Exif 2.32, tag 0x0112).

use image::metadata::Orientation;

/// What a JPEG puts before the block, and some writers of PNG and WebP too.
const PREFIX: &[u8] = b"Exif\0";

const TAG_ORIENTATION: u16 = 0x0112;

/// TIFF types of an integer that fits the entry: BYTE, SHORT, LONG.
const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// The orientation that a block gives; `None` when it is no EXIF block, is damaged, or gives none.
pub(super) fn orientation(block: &[u8]) -> Option<Orientation> {
    let tiff = match block.strip_prefix(PREFIX) {
        // A zero follows, or what padding there is.
        Some(rest) => rest.get(1..)?,
        None => block,
    };
    let little = match tiff.get(..4)? {
        b"II\x2a\0" => true,
        b"MM\0\x2a" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk::<2>()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let long = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk::<4>()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    let first = directory.checked_add(2)?;
    for entry in (first..).step_by(12).take(entries) {
        if short(entry)? != TAG_ORIENTATION {
            continue;
        }
        // The value itself, not where it lies: it fits.
        let value = match short(entry + 2)? {
            BYTE => u32::from(*tiff.get(entry + 8)?),
            SHORT => u32::from(short(entry + 8)?),
            LONG => long(entry + 8)?,
            _ => continue,
        };
        return Orientation::from_exif(u8::try_from(value).ok()?);
    }
    None
}
