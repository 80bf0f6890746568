//! Which format a file is, by its first bytes: what is read, and the name of what is refused.

use image::ImageFormat;

use crate::error::DecodeError;

/// The format, when it is one that the API takes.
///
/// # Errors
/// [`DecodeError::Unreadable`] names the format found.
pub(super) fn accepted(file: &[u8]) -> Result<ImageFormat, DecodeError> {
    if file.is_empty() {
        return Err(DecodeError::Unreadable("the image is empty".to_owned()));
    }
    match image::guess_format(file) {
        Ok(ImageFormat::Jpeg) => match refused_jpeg(file) {
            Some(found) => Err(DecodeError::Unreadable(format!(
                "the image is {found}; only baseline and progressive JPEG with 8 bits, PNG and WebP are supported: convert it"
            ))),
            None => Ok(ImageFormat::Jpeg),
        },
        Ok(format @ (ImageFormat::Png | ImageFormat::WebP)) => Ok(format),
        _ => Err(DecodeError::Unreadable(match name(file) {
            Some(found) => {
                format!("the image is {found}; only JPEG, PNG and WebP are supported: convert it")
            }
            None => "the bytes are not a JPEG, PNG or WebP image".to_owned(),
        })),
    }
}

/// First bytes of formats that are not read, and their names.
const SIGNATURES: [(&[u8], &str); 25] = [
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"II\xBC", "JPEG XR"),
    (b"BM", "BMP"),
    (b"\0\0\x01\0", "ICO"),
    (b"\0\0\x02\0", "ICO"),
    (b"%PDF", "PDF"),
    (b"\xFF\x0A", "JPEG XL"),
    (b"\0\0\0\x0CJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (b"8BPS", "a Photoshop file"),
    (b"RIFF", "a RIFF file that is not WebP"),
    (b"\x1A\x45\xDF\xA3", "a Matroska or WebM video"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1F\x8B", "a gzip archive"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
    (b"<!DOCTYPE", "HTML"),
    (b"<html", "HTML"),
    (b"qoif", "QOI"),
];

/// The name of a format that is not read; `None` when it is not known.
fn name(file: &[u8]) -> Option<&'static str> {
    base_media(file).or_else(|| {
        let signature = |start: &[u8]| {
            let enough = file.get(..start.len());
            enough.is_some_and(|bytes| bytes.eq_ignore_ascii_case(start))
        };
        let found = SIGNATURES.iter().find(|(start, _)| signature(start));
        found.map(|(_, name)| *name)
    })
}

/// What a file of the ISO base media file format (ISO/IEC 14496-12) is by its brands: the major one
/// says least, because AVIF and HEIC share the general brands `mif1` and `miaf`.
fn base_media(file: &[u8]) -> Option<&'static str> {
    /// No file lists more.
    const MOST_BRANDS: usize = 64;
    if file.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32::from_be_bytes(file.get(..4)?.try_into().ok()?) as usize;
    let end = length.clamp(16, file.len().max(16)).min(file.len());
    let (major, compatible) = (file.get(8..12)?, file.get(16..end).unwrap_or_default());
    let brands = || std::iter::once(major).chain(compatible.chunks_exact(4).take(MOST_BRANDS));
    let any = |wanted: &[&[u8; 4]]| {
        brands().any(|brand| wanted.iter().any(|wanted| brand == wanted.as_slice()))
    };
    Some(if any(&[b"avif", b"avis", b"MA1A", b"MA1B", b"avio"]) {
        "AVIF"
    } else if any(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
    ]) {
        "HEIC"
    } else if any(&[b"jxl "]) {
        "JPEG XL"
    } else if any(&[b"jp2 ", b"jpx ", b"jph "]) {
        "JPEG 2000"
    } else if any(&[b"crx "]) {
        "a Canon raw photo"
    } else if any(&[b"mif1", b"msf1", b"miaf"]) {
        "HEIF"
    } else {
        "a video"
    })
}

/// The kind of a JPEG that is not read, by its first frame header (ITU-T T.81, table B.1); `None` for
/// those that are, and for what has no frame header.
fn refused_jpeg(file: &[u8]) -> Option<String> {
    let mut at = 2;
    loop {
        while *file.get(at)? == 0xFF && *file.get(at + 1)? == 0xFF {
            at += 1;
        }
        if *file.get(at)? != 0xFF {
            return None;
        }
        let marker = *file.get(at + 1)?;
        let kind = match marker {
            0xC0..=0xC2 => {
                let bits = *file.get(at + 4)?;
                return (bits != 8).then(|| format!("a JPEG with {bits} bits"));
            }
            0xC3 | 0xCB => "a lossless JPEG",
            0xC5 | 0xC6 | 0xC7 | 0xCD | 0xCE | 0xCF => "a hierarchical JPEG",
            0xC9 | 0xCA => "a JPEG with arithmetic coding",
            0xF7 => "JPEG-LS",
            // A scan or the end without a frame: the decoder says what is wrong.
            0xDA | 0xD9 => return None,
            // No length follows.
            0x01 | 0xD0..=0xD8 => {
                at += 2;
                continue;
            }
            _ => {
                let length = file.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                continue;
            }
        };
        return Some(kind.to_owned());
    }
}
