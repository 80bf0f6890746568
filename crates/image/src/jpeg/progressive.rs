//! Scans of progressive JPEGs (ITU-T T.81, annex G): some bits of some coefficients of each block.

use super::{
    blocks::{Blocks, Plane},
    entropy::{Bits, Layout, Outcome, Reader, code, run},
    error::Unreadable,
    header::{Frame, Scan, Tables},
    huffman::{Code, END_OF_BLOCK, HuffmanTable},
};

/// Reads a scan of a progressive JPEG, which adds some bits of some coefficients of each block.
pub(super) fn progressive(
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    (file, at): (&[u8], usize),
    blocks: &mut Blocks,
) -> Result<Outcome, Unreadable> {
    let codes = scan.components.iter().map(|(_, [dc, ac])| {
        Ok(match (scan.first, scan.before) {
            // A bit each, without a code.
            (0, 1..) => None,
            (0, 0) => Some(code(&tables.dc, *dc)?),
            _ => Some(code(&tables.ac, *ac)?),
        })
    });
    let components = codes
        .map(|code| {
            Ok(Progression {
                code: code?,
                prediction: 0,
            })
        })
        .collect::<Result<_, Unreadable>>()?;
    let mut reader = Progressive {
        scan,
        components,
        planes: &mut blocks.planes,
        ended: 0,
    };
    let layout = Layout::of(frame, scan);
    run(file, at, &layout, tables.restart_interval, &mut reader)
}

/// A component of a progressive scan.
struct Progression<'a> {
    code: Option<&'a HuffmanTable>,
    prediction: i32,
}

struct Progressive<'a> {
    scan: &'a Scan,
    components: Vec<Progression<'a>>,
    planes: &'a mut [Plane],
    /// Blocks to come that have no new coefficients.
    ended: u32,
}

impl Reader for Progressive<'_> {
    fn restart(&mut self) {
        self.ended = 0;
        for component in &mut self.components {
            component.prediction = 0;
        }
    }

    fn mcu(&mut self, bits: &mut Bits<'_>, layout: &Layout, mcu: usize) -> Option<()> {
        let (first, last, still) = (self.scan.first, self.scan.last, self.scan.still);
        for (component, cells) in self.components.iter_mut().zip(&layout.components) {
            let plane = &mut self.planes[cells.plane];
            for blocks in cells.rows(plane.columns, layout.place(mcu)) {
                for block in blocks {
                    let block = plane.dense.get_mut(block * 64..)?.first_chunk_mut()?;
                    match (first, component.code) {
                        (0, Some(code)) => {
                            bits.refill();
                            let found = code.find(bits.buffer)?;
                            let prediction = &mut component.prediction;
                            *prediction = prediction.wrapping_add(bits.value(found));
                            block[0] = (*prediction << still) as i16;
                        }
                        (0, None) => {
                            bits.refill();
                            block[0] |= (bits.take(1) << still) as i16;
                        }
                        (_, Some(code)) if self.scan.before == 0 => {
                            begin(bits, code, block, (first, last, still), &mut self.ended)?;
                        }
                        (_, Some(code)) => {
                            refine(bits, code, block, (first, last, still), &mut self.ended)?;
                        }
                        (_, None) => return None,
                    }
                }
            }
        }
        Some(())
    }
}

/// The number of blocks, this one included, that end with a symbol without a value (table G.1).
fn run_of_ends(bits: &mut Bits<'_>, code: Code) -> u32 {
    let size = code.high();
    (1 << size) + bits.take(size)
}

/// The first bits of a block's coefficients (annex G.1.2.2).
fn begin(
    bits: &mut Bits<'_>,
    code: &HuffmanTable,
    block: &mut [i16; 64],
    (first, last, still): (usize, usize, u32),
    ended: &mut u32,
) -> Option<()> {
    if *ended > 0 {
        *ended -= 1;
        return Some(());
    }
    let mut index = first;
    while index <= last {
        bits.refill();
        let found = code.find(bits.buffer)?;
        let value = bits.value(found);
        if found.size() == 0 {
            if found.run() >= END_OF_BLOCK {
                *ended = run_of_ends(bits, found) - 1;
                break;
            }
            index += 16;
            continue;
        }
        index += found.run() as usize;
        if index > last {
            return None;
        }
        block[index] = (value << still) as i16;
        index += 1;
    }
    Some(())
}

/// One more bit of a block's coefficients (annex G.1.2.3).
fn refine(
    bits: &mut Bits<'_>,
    code: &HuffmanTable,
    block: &mut [i16; 64],
    (first, last, still): (usize, usize, u32),
    ended: &mut u32,
) -> Option<()> {
    let bit = 1_i16 << still;
    // A bit for a coefficient that is known already.
    let refined = |bits: &mut Bits<'_>, value: &mut i16| {
        bits.refill();
        if bits.take(1) == 1 && *value & bit == 0 {
            *value = value.wrapping_add(if *value >= 0 { bit } else { -bit });
        }
    };
    let mut index = first;
    if *ended == 0 {
        while index <= last {
            bits.refill();
            let found = code.find(bits.buffer)?;
            bits.skip(found.length());
            let mut zeros = found.run();
            let mut fresh = 0;
            match found.size() {
                0 if found.run() >= END_OF_BLOCK => {
                    *ended = run_of_ends(bits, found);
                    break;
                }
                // Sixteen zeros.
                0 => {}
                1 => fresh = if bits.take(1) == 1 { bit } else { -bit },
                _ => return None,
            }
            while index <= last {
                let value = &mut block[index];
                if *value != 0 {
                    refined(bits, value);
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                index += 1;
            }
            if fresh != 0 {
                *block[..=last].get_mut(index)? = fresh;
            }
            index += 1;
        }
    }
    if *ended > 0 {
        for value in &mut block[index..=last] {
            if *value != 0 {
                refined(bits, value);
            }
        }
        *ended -= 1;
    }
    Some(())
}
