//! What the entropy-coded data says: coefficients, block by block.

use super::header::Frame;

/// A coefficient of a block that is not zero, divided as it is stored.
#[derive(Clone, Copy, Default)]
pub(super) struct Coefficient {
    /// In zigzag order; 64 or more: the block ends.
    pub(super) index: u8,
    pub(super) value: i16,
}

/// The blocks of one component.
pub(super) struct Plane {
    /// Blocks in a row; whole MCUs, as they are stored.
    pub(super) columns: usize,
    /// Where the coefficients of each block begin (sequential).
    pub(super) starts: Vec<u32>,
    /// All 64 coefficients of each block, zigzag (progressive).
    pub(super) dense: Vec<i16>,
}

/// What the entropy-coded data says.
pub(super) struct Blocks {
    pub(super) planes: Vec<Plane>,
    /// Of sequential JPEGs.
    pub(super) coefficients: Vec<Coefficient>,
}

impl Blocks {
    pub(super) fn of(frame: &Frame) -> Self {
        let (columns, rows) = frame.mcus();
        let planes = frame.components.iter().map(|component| {
            let columns = columns * component.horizontal;
            let blocks = columns * rows * component.vertical;
            let (starts, dense) = if frame.progressive {
                (0, blocks * 64)
            } else {
                (blocks, 0)
            };
            Plane {
                columns,
                starts: vec![0; starts],
                dense: vec![0; dense],
            }
        });
        Self {
            planes: planes.collect(),
            // What blocks that no scan has, at the right and lower edge, begin with: their end.
            coefficients: vec![Coefficient {
                index: 64,
                value: 0,
            }],
        }
    }
}
