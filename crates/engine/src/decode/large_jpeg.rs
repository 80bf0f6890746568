//! Large JPEGs at 1, 1/2, 1/4 or 1/8 of their size: the entropy-coded data is read once into lists of
//! coefficients, and pictures are made of these, of the size and the part that is needed.
//!
//! Decoders for every JPEG compute all pixels; of a 12-megapixel selfie the nets need a thirtieth.
//! This one reads what cameras write (ITU-T T.81 baseline: 8 bits, Huffman, one scan, grey or YCbCr)
//! and answers `None` to everything else and to every irregularity: the general decoder, which knows
//! the whole standard, then has the say.
//!
//! The inner loops are run by `pulp`, with the instructions that the processor turns out to have: only
//! what is inlined into such an operation is compiled for them, hence `inline(always)`.

mod entropy;
mod header;
mod transform;

use image::metadata::Orientation;

use header::Header;
pub(super) use transform::{Part, Picture};

/// A coefficient of a block that is not zero, divided as it is stored.
#[derive(Clone, Copy, Default)]
struct Coefficient {
    /// In zigzag order; 64 or more: the block ends.
    index: u8,
    value: i16,
}

/// The blocks of one component.
struct Plane {
    /// Blocks in a row; whole MCUs, as they are stored.
    columns: usize,
    /// Where the coefficients of each block begin.
    starts: Vec<u32>,
}

/// What the entropy-coded data says.
struct Blocks {
    planes: Vec<Plane>,
    coefficients: Vec<Coefficient>,
}

/// A JPEG whose entropy-coded data has been read.
pub(super) struct LargeJpeg {
    header: Header,
    blocks: Blocks,
}

impl LargeJpeg {
    /// Reads a file whose header passes `acceptable` (width and height as stored, pixels).
    pub(super) fn read(file: &[u8], acceptable: impl Fn(u32, u32) -> bool) -> Option<Self> {
        let (header, scan) = header::read(file)?;
        if !acceptable(header.width, header.height) {
            return None;
        }
        let blocks = entropy::read(&header, scan)?;
        Some(Self { header, blocks })
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

    /// Width and height, as stored, at 1/`reduction` of the size.
    pub(super) fn reduced(&self, reduction: u32) -> (u32, u32) {
        (
            self.width().div_ceil(reduction),
            self.height().div_ceil(reduction),
        )
    }

    /// At least `part` of the picture at 1/`reduction` (1, 2, 4 or 8) of its size.
    pub(super) fn render(&self, reduction: u32, part: Part) -> Picture {
        transform::render(&self.header, &self.blocks, reduction, part)
    }
}
