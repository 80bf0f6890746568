//! The marker segments before the scan (ITU-T T.81, annex B).

use image::metadata::Orientation;

use super::entropy::HuffmanTable;

/// One component of the frame, as frame and scan header give it.
#[derive(Clone, Copy)]
pub(super) struct Component {
    id: u8,
    /// Blocks of an MCU in each direction.
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    pub(super) quantisation: usize,
    pub(super) dc_table: usize,
    pub(super) ac_table: usize,
}

/// What the segments before the scan say.
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    /// One (grey) or three (YCbCr).
    pub(super) components: Vec<Component>,
    /// Divisors in zigzag order.
    pub(super) quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc_tables: [Option<HuffmanTable>; 4],
    pub(super) ac_tables: [Option<HuffmanTable>; 4],
    /// MCUs between restart markers; 0: there are none.
    pub(super) restart_interval: usize,
    pub(super) orientation: Orientation,
}

impl Header {
    /// MCUs in a row and in a column.
    pub(super) fn mcus(&self) -> (usize, usize) {
        let luma = &self.components[0];
        (
            (self.width as usize).div_ceil(8 * luma.horizontal),
            (self.height as usize).div_ceil(8 * luma.vertical),
        )
    }
}

/// Reads everything up to the scan; returns what follows its header.
pub(super) fn read(file: &[u8]) -> Option<(Header, &[u8])> {
    let mut header = Header {
        width: 0,
        height: 0,
        components: Vec::new(),
        quantisation: [None; 4],
        dc_tables: Default::default(),
        ac_tables: Default::default(),
        restart_interval: 0,
        orientation: Orientation::NoTransforms,
    };
    let mut rest = file.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        rest = rest.strip_prefix(&[0xFF])?;
        let (&marker, after) = rest.split_first()?;
        if marker == 0xFF {
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?]));
        let segment = after.get(2..length)?;
        rest = after.get(length..)?;
        match marker {
            0xC0 | 0xC1 => header.frame(segment)?,
            0xC4 => header.huffman_tables(segment)?,
            0xDA => {
                header.scan(segment)?;
                return Some((header, rest));
            }
            0xDB => header.quantisation_tables(segment)?,
            0xDD => {
                header.restart_interval =
                    usize::from(u16::from_be_bytes([*segment.first()?, *segment.get(1)?]));
            }
            0xE1 => {
                if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
                    // A damaged block is no reason to refuse a photo that can be read.
                    header.orientation =
                        Orientation::from_exif_chunk(exif).unwrap_or(header.orientation);
                }
            }
            // Adobe's: colours that are not YCbCr.
            0xEE if segment.starts_with(b"Adobe") && *segment.get(11)? != 1 => return None,
            // Application data, comments.
            0xE0..=0xEF | 0xFE => {}
            _ => return None,
        }
    }
}

impl Header {
    fn frame(&mut self, segment: &[u8]) -> Option<()> {
        let [8, h1, h0, w1, w0, count @ (1 | 3), list @ ..] = segment else {
            return None;
        };
        if !self.components.is_empty() || list.len() != usize::from(*count) * 3 {
            return None;
        }
        self.height = u32::from(u16::from_be_bytes([*h1, *h0]));
        self.width = u32::from(u16::from_be_bytes([*w1, *w0]));
        if self.width == 0 || self.height == 0 {
            return None;
        }
        for part in list.chunks_exact(3) {
            let sampling = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            let first = self.components.is_empty();
            let (horizontal, vertical) = match sampling {
                // A single component's blocks come one by one, whatever its factors.
                _ if *count == 1 => (1, 1),
                (1 | 2, 1 | 2) if first => sampling,
                (1, 1) => sampling,
                _ => return None,
            };
            self.components.push(Component {
                id: part[0],
                horizontal,
                vertical,
                quantisation: usize::from(part[2]),
                dc_table: 0,
                ac_table: 0,
            });
        }
        // Named so where the colours are not YCbCr.
        let ids = self.components.iter().map(|component| component.id);
        (!ids.eq(*b"RGB")).then_some(())
    }

    fn scan(&mut self, segment: &[u8]) -> Option<()> {
        let (&count, list) = segment.split_first()?;
        let count = usize::from(count);
        if count == 0 || count != self.components.len() || list.len() != count * 2 + 3 {
            return None;
        }
        for (component, part) in self.components.iter_mut().zip(list.chunks_exact(2)) {
            if component.id != part[0] {
                return None;
            }
            component.dc_table = usize::from(part[1] >> 4);
            component.ac_table = usize::from(part[1] & 15);
        }
        // All coefficients at once, in full precision.
        (list[count * 2..] == [0, 63, 0]).then_some(())
    }

    fn quantisation_tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let table = self.quantisation.get_mut(usize::from(kind & 15))?;
            let mut divisors = [0; 64];
            let bytes = if kind >> 4 == 0 { 64 } else { 128 };
            let values = rest.get(..bytes)?;
            for (at, divisor) in divisors.iter_mut().enumerate() {
                *divisor = match kind >> 4 {
                    0 => u16::from(values[at]),
                    1 => u16::from_be_bytes([values[2 * at], values[2 * at + 1]]),
                    _ => return None,
                };
            }
            *table = Some(divisors);
            segment = &rest[bytes..];
        }
        Some(())
    }

    fn huffman_tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let dc = kind >> 4 == 0;
            let tables = match kind >> 4 {
                0 => &mut self.dc_tables,
                1 => &mut self.ac_tables,
                _ => return None,
            };
            let table = tables.get_mut(usize::from(kind & 15))?;
            let lengths = rest.first_chunk::<16>()?;
            let count: usize = lengths.iter().copied().map(usize::from).sum();
            let symbols = rest.get(16..16 + count)?;
            *table = Some(HuffmanTable::new(dc, lengths, symbols)?);
            segment = &rest[16 + count..];
        }
        Some(())
    }
}
