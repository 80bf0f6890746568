//! JPEG (ITU-T T.81: baseline, extended and progressive, 8 bits, Huffman codes) at 1, 1/2, 1/4 or 1/8 of
//! its size: the entropy-coded data is read once into coefficients, and pictures are made of these,
//! of the size and the part that is needed.
//!
//! At the whole size the pixels are those of libjpeg-turbo to the bit: the same integer transform, the
//! same interpolation of colours, the same rounding. What cannot be read so is refused, and so is a
//! file of which a part is missing: decoders that go on all the same show grey, or another picture.
//!
//! The inner loops are run by `pulp`, with the instructions that the processor turns out to have: only
//! what is inlined into such an operation is compiled for them, hence `inline(always)`.

mod blocks;
mod entropy;
mod error;
mod header;
mod huffman;
mod progressive;
mod sequential;
mod transform;

use image::metadata::Orientation;

use blocks::Blocks;
use error::{Unreadable, damaged};
use header::{Frame, Scan, Tables};
pub(super) use transform::{Part, Picture};

/// Most scans. Encoders write about ten; every scan walks all pixels again, so a file of thousands
/// would hold a worker for minutes.
const MAX_SCANS: u64 = 64;

/// Most pixels that all scans may walk together: 15 scans of the largest image, 83 of a phone's 12
/// megapixels. A kilobyte can ask for any number of them.
const MAX_SCANNED_PIXELS: u64 = 1_000_000_000;

/// Why a file is not read.
pub(super) enum Refusal<E> {
    /// `002`, with the reason.
    Unreadable(String),
    /// Its size is not acceptable.
    Size(E),
}

impl<E> From<Unreadable> for Refusal<E> {
    fn from(Unreadable(reason): Unreadable) -> Self {
        Self::Unreadable(reason)
    }
}

/// A JPEG whose entropy-coded data has been read.
pub(super) struct Jpeg {
    frame: Frame,
    blocks: Blocks,
}

/// How far the coefficients of each component are known: the bits that are still to come; `None`:
/// nothing came yet.
struct Progress(Vec<[Option<u32>; 64]>);

impl Progress {
    /// Notes a scan; bits that came before, or whose predecessors did not, are no valid JPEG.
    fn note(&mut self, frame: &Frame, scan: &Scan) -> Result<(), Unreadable> {
        let (first, last) = if frame.progressive {
            (scan.first, scan.last)
        } else {
            (0, 63)
        };
        for (at, _) in &scan.components {
            for known in &mut self.0[*at][first..=last] {
                let expected = (scan.before > 0).then_some(scan.before);
                if *known != expected {
                    return Err(damaged("its scans do not follow each other"));
                }
                *known = Some(scan.still);
            }
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    /// Coefficients of a block of each component that are not wholly known.
    fn missing(&self) -> usize {
        let all = self.0.iter().flatten();
        all.filter(|known| **known != Some(0)).count()
    }
}

impl Jpeg {
    /// Reads a file whose size (width and height as stored, pixels) is acceptable.
    pub(super) fn read<E>(
        file: &[u8],
        acceptable: impl Fn(u32, u32) -> Result<(), E>,
    ) -> Result<Self, Refusal<E>> {
        const SOI: u8 = 0xD8;
        const EOI: u8 = 0xD9;
        const SOS: u8 = 0xDA;
        const TEM: u8 = 0x01;
        let mut tables = Tables::default();
        let mut begun: Option<(Frame, Blocks, Progress)> = None;
        let mut scans = 0;
        let mut at = 2;
        loop {
            let complete = begun
                .as_ref()
                .is_some_and(|(.., known)| known.is_complete());
            let (marker, segment) = match next_segment(file, &mut at) {
                Some((EOI, _)) | None => break,
                // What follows the picture is never looked at.
                Some((marker, _)) if complete && marker != SOS => continue,
                Some((TEM | 0xD0..=0xD7, _)) => continue,
                Some((SOI, _)) => return Err(damaged("a second JPEG begins inside it").into()),
                Some((marker, Some(segment))) => (marker, segment),
                Some((_, None)) => break,
            };
            match marker {
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7 => {
                    if begun.is_some() {
                        return Err(damaged("it has two frame headers").into());
                    }
                    let frame = tables.frame(marker, segment)?;
                    acceptable(frame.width, frame.height).map_err(Refusal::Size)?;
                    let blocks = Blocks::of(&frame);
                    let known = Progress(vec![[None; 64]; frame.components.len()]);
                    begun = Some((frame, blocks, known));
                }
                SOS => {
                    let Some((frame, blocks, known)) = &mut begun else {
                        return Err(damaged("a scan comes before the frame header").into());
                    };
                    scans += 1;
                    check_scans(frame, scans)?;
                    let scan = tables.scan(frame, segment)?;
                    known.note(frame, &scan)?;
                    let data = (file, at);
                    let outcome = if frame.progressive {
                        progressive::progressive(frame, &scan, &tables, data, blocks)?
                    } else {
                        tables.complete();
                        sequential::sequential(frame, &scan, &tables, data, blocks)?
                    };
                    if outcome.missing > 0 {
                        return Err(cut_off(frame, scans, &outcome).into());
                    }
                    at = outcome.end;
                    if scans == 1 && known.is_complete() {
                        break;
                    }
                }
                marker => tables.read(marker, segment)?,
            }
        }
        match begun {
            Some((frame, blocks, known)) if known.is_complete() => Ok(Self { frame, blocks }),
            Some((frame, _, known)) => Err(lacking(&frame, scans, &known).into()),
            None => Err(Refusal::Unreadable(format!(
                "the JPEG is cut off: it ends after {} bytes, before its frame header",
                file.len()
            ))),
        }
    }

    /// Width as stored, pixels.
    pub(super) fn width(&self) -> u32 {
        self.frame.width
    }

    /// Height as stored, pixels.
    pub(super) fn height(&self) -> u32 {
        self.frame.height
    }

    /// How a viewer turns it.
    pub(super) fn orientation(&self) -> Orientation {
        self.frame.orientation
    }

    /// Width and height, as stored, at 1/`reduction` of the size.
    pub(super) fn reduced(&self, reduction: u32) -> (u32, u32) {
        (
            self.width().div_ceil(reduction),
            self.height().div_ceil(reduction),
        )
    }

    /// At least `part` of the picture at 1/`reduction` (1, 2, 4 or 8) of its size.
    pub(super) fn render(&self, reduction: u32, part: Part) -> Picture {
        transform::render(&self.frame, &self.blocks, reduction, part)
    }
}

/// The next marker at or after `at` and, where the file has it, the segment behind; `at` is then what
/// follows.
fn next_segment<'a>(file: &'a [u8], at: &mut usize) -> Option<(u8, Option<&'a [u8]>)> {
    loop {
        let found = *at + memchr::memchr(0xFF, file.get(*at..)?)?;
        let fill = file[found..].iter().take_while(|byte| **byte == 0xFF);
        let marker_at = found + fill.count();
        let marker = *file.get(marker_at)?;
        *at = marker_at + 1;
        match marker {
            0x00 => {}
            0x01 | 0xD0..=0xD9 => return Some((marker, None)),
            _ => {
                let segment = file.get(*at..*at + 2).and_then(|length| {
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                    file.get(*at + 2..*at + length)
                });
                *at += segment.map_or(0, |segment| segment.len() + 2);
                return Some((marker, segment));
            }
        }
    }
}

/// A file may walk no more scans than are of use.
fn check_scans(frame: &Frame, scans: u64) -> Result<(), Unreadable> {
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    if scans * pixels > MAX_SCANNED_PIXELS {
        return Err(Unreadable(format!(
            "the JPEG has more than {} scans of {pixels} pixels",
            scans - 1
        )));
    }
    if scans > MAX_SCANS {
        return Err(Unreadable(format!(
            "the JPEG has more than {MAX_SCANS} scans"
        )));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The data end before a scan does.
fn cut_off(frame: &Frame, scans: u64, outcome: &entropy::Outcome) -> Unreadable {
    let entropy::Outcome {
        blocks, missing, ..
    } = outcome;
    let whose = if frame.progressive || scans > 1 {
        format!("scan {scans}")
    } else {
        "its picture".to_owned()
    };
    Unreadable(format!(
        "the JPEG is cut off: {:.1} % of {whose} is missing ({missing} of {blocks} blocks); send the whole file",
        percent(*missing, *blocks)
    ))
}

/// Scans are missing.
fn lacking(frame: &Frame, scans: u64, known: &Progress) -> Unreadable {
    let coefficients = known.0.len() * 64;
    let what = if frame.progressive {
        "coefficients"
    } else {
        "components"
    };
    Unreadable(format!(
        "the JPEG is cut off after {scans} scans: {:.1} % of its {what} are missing; send the whole file",
        percent(known.missing(), coefficients)
    ))
}
