//! Large JPEGs at 1/2, 1/4 or 1/8 of their size: the entropy-coded data is read once, of each block
//! only the lowest frequencies are kept, and pictures are made of these at the size that is needed.
//!
//! Decoders for every JPEG compute all pixels; of a 12-megapixel selfie the nets need a thirtieth.
//! This one reads what cameras write (ITU-T T.81 baseline: 8 bits, Huffman, one scan, grey or YCbCr)
//! and answers `None` to everything else and to every irregularity: the general decoder, which knows
//! the whole standard, then has the say.

mod entropy;
mod header;
mod transform;

use image::metadata::Orientation;

use header::Header;

/// Coefficients kept of a block: the four lowest frequencies in each direction, row-major.
const KEPT: usize = 16;

/// The lowest frequencies of a block, dequantised.
type Block = [i16; KEPT];

/// The coefficients of one component.
struct Plane {
    /// Blocks in a row; whole MCUs, as they are stored.
    columns: usize,
    blocks: Vec<Block>,
}

/// A JPEG whose entropy-coded data has been read.
pub(super) struct LargeJpeg {
    header: Header,
    planes: Vec<Plane>,
}

impl LargeJpeg {
    /// Reads a file whose header passes `acceptable` (width and height as stored, pixels).
    pub(super) fn read(file: &[u8], acceptable: impl Fn(u32, u32) -> bool) -> Option<Self> {
        let (header, scan) = header::read(file)?;
        if !acceptable(header.width, header.height) {
            return None;
        }
        let planes = entropy::read(&header, scan)?;
        Some(Self { header, planes })
    }

    /// Width as stored, pixels.
    pub(super) fn width(&self) -> u32 {
        self.header.width
    }

    /// Height as stored, pixels.
    pub(super) fn height(&self) -> u32 {
        self.header.height
    }

    /// How a viewer turns it.
    pub(super) fn orientation(&self) -> Orientation {
        self.header.orientation
    }

    /// The picture at 1/`reduction` (2, 4 or 8) of its size, sides rounded up: width, height and
    /// interleaved RGB.
    pub(super) fn render(&self, reduction: u32) -> (u32, u32, Vec<u8>) {
        transform::render(&self.header, &self.planes, reduction)
    }
}
