//! Scans of sequential JPEGs (ITU-T T.81, annex F.2): each block once and whole.
//!
//! A symbol can only be read when the one before is known, so what counts is how short the way is from one to the
//! next: a lookup, whose lowest bits say by how many bits to go on, and nothing that the processor has to guess.

use std::{array, hint::select_unpredictable, iter::repeat_n, ops::Range};

use pulp::{Arch, NullaryFnOnce};

use super::{
    blocks::{Blocks, Coefficient, Plane},
    entropy::{Bits, Layout, Outcome, Reader, code, run},
    error::Unreadable,
    header::{Frame, Scan, Tables},
    huffman::{END_OF_BLOCK, HuffmanTable, Lookup},
};

/// Reads a scan of a sequential JPEG; its components' blocks become lists of coefficients.
pub(super) fn sequential(
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    (file, at): (&[u8], usize),
    blocks: &mut Blocks,
) -> Result<Outcome, Unreadable> {
    let Blocks {
        planes,
        coefficients,
    } = blocks;
    // Cameras write four bits and more a coefficient; the room grows where there are more.
    coefficients.reserve((file.len() - at) * 8 / 4);
    // One for the components that share their codes: the nearest cache holds few.
    let mut slots: Vec<[usize; 2]> = scan.components.iter().map(|(_, slots)| *slots).collect();
    slots.sort_unstable();
    slots.dedup();
    let codes = slots
        .iter()
        .map(|[dc, ac]| Ok(Codes::of(code(&tables.dc, *dc)?, code(&tables.ac, *ac)?)))
        .collect::<Result<Vec<_>, _>>()?;
    let layout = Layout::of(frame, scan);
    let components = scan.components.iter().map(|(_, used)| Sequence {
        codes: &codes[slots.partition_point(|slots| slots < used)],
        prediction: 0,
    });
    let components = components.collect();
    let mut reader = Sequential::new(&layout, components, planes, coefficients);
    run(file, at, &layout, tables.restart_interval, &mut reader)
}

/// The codes of a component; what its differences and its coefficients are looked up in.
struct Codes<'a> {
    dc: &'a HuffmanTable,
    ac: &'a HuffmanTable,
    first: Box<Lookup>,
    more: Box<Lookup>,
}

impl<'a> Codes<'a> {
    fn of(dc: &'a HuffmanTable, ac: &'a HuffmanTable) -> Self {
        Self {
            dc,
            ac,
            first: dc.lookup.with_ends(&ac.lookup),
            more: ac.lookup.with_ends(&ac.lookup),
        }
    }
}

/// A component of a sequential scan.
struct Sequence<'a> {
    codes: &'a Codes<'a>,
    prediction: i32,
}

/// Blocks that are read in one go, at most: what they hold stays in the nearest cache.
const GO: usize = 120;

/// Room for them, and for their coefficients and ends: powers of two, so that finding a place needs no check.
const GO_ROOM: usize = 128;
const FOUND: usize = 8192;
const _: () = assert!(GO * 65 < FOUND && GO < GO_ROOM);

struct Sequential<'a> {
    arch: Arch,
    components: Vec<Sequence<'a>>,
    /// Blocks of an MCU.
    blocks: usize,
    /// By the block of a go.
    turns: [Turn<'a>; GO_ROOM],
    planes: &'a mut [Plane],
    coefficients: &'a mut Vec<Coefficient>,
    /// Of one go: coefficients, and where each block begins and the last one ends.
    found: Box<[Coefficient; FOUND + 1]>,
    starts: [u32; GO_ROOM],
}

impl<'a> Sequential<'a> {
    fn new(
        layout: &Layout,
        components: Vec<Sequence<'a>>,
        planes: &'a mut [Plane],
        coefficients: &'a mut Vec<Coefficient>,
    ) -> Self {
        let codes: Vec<&'a Codes<'a>> = components
            .iter()
            .zip(&layout.components)
            .flat_map(|(one, cells)| repeat_n(one.codes, cells.count()))
            .collect();
        Self {
            arch: Arch::new(),
            blocks: codes.len(),
            turns: array::from_fn(|block| {
                let codes_of = |block: usize| codes[block % codes.len()];
                Turn {
                    codes: codes_of(block),
                    more: &codes_of(block).more,
                    next: &codes_of(block + 1).first,
                }
            }),
            components,
            planes,
            coefficients,
            found: Box::new([Coefficient::default(); FOUND + 1]),
            starts: [0; GO_ROOM],
        }
    }

    /// Reads so many blocks, at most [`GO`], into `found`.
    fn read(&mut self, bits: &mut Bits<'_>, blocks: usize) -> Option<()> {
        // A call of its own, whose state fits the registers.
        self.arch.dispatch(ReadBlocks {
            bits,
            turns: &self.turns,
            found: &mut self.found,
            starts: &mut self.starts,
            wanted: blocks,
        })
    }

    /// Adds what was found of these MCUs to the planes; differences become values.
    fn keep(&mut self, layout: &Layout, mcus: Range<usize>) -> Option<()> {
        let before = self.coefficients.len();
        let mut found = self.starts.iter();
        for mcu in mcus {
            let place = layout.place(mcu);
            for (component, cells) in self.components.iter_mut().zip(&layout.components) {
                let plane = &mut self.planes[cells.plane];
                for blocks in cells.rows(plane.columns, place) {
                    for (start, found) in plane.starts.get_mut(blocks)?.iter_mut().zip(&mut found) {
                        *start = u32::try_from(before + *found as usize).ok()?;
                        let dc = &mut self.found.get_mut(*found as usize)?.value;
                        let value = component.prediction.wrapping_add(i32::from(*dc));
                        component.prediction = value;
                        *dc = value.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
                    }
                }
            }
        }
        let count = *found.next()? as usize;
        self.coefficients
            .extend_from_slice(self.found.get(..count)?);
        Some(())
    }
}

impl Reader for Sequential<'_> {
    fn restart(&mut self) {
        for component in &mut self.components {
            component.prediction = 0;
        }
    }

    fn mcu(&mut self, bits: &mut Bits<'_>, layout: &Layout, mcu: usize) -> Option<()> {
        self.read(bits, self.blocks)?;
        self.keep(layout, mcu..mcu + 1)
    }

    fn ahead(&mut self, bits: &mut Bits<'_>, layout: &Layout, mcus: Range<usize>) -> usize {
        let mut read = mcus.start;
        while read < mcus.end {
            let go = read..mcus.end.min(read + GO / self.blocks);
            let before = *bits;
            let found = self.read(bits, go.len() * self.blocks);
            if found.is_none() || bits.overrun() || self.keep(layout, go.clone()).is_none() {
                // Which MCU it is, they say one by one.
                *bits = before;
                break;
            }
            read = go.end;
        }
        read - mcus.start
    }
}

/// A block of an MCU: its codes; what its coefficients, and the difference of the block that follows, are looked
/// up in.
struct Turn<'a> {
    codes: &'a Codes<'a>,
    more: &'a Lookup,
    next: &'a Lookup,
}

/// Reads `wanted` blocks.
struct ReadBlocks<'a, 'data> {
    bits: &'a mut Bits<'data>,
    turns: &'a [Turn<'a>; GO_ROOM],
    found: &'a mut [Coefficient; FOUND + 1],
    starts: &'a mut [u32; GO_ROOM],
    wanted: usize,
}

/// Where the next symbol belongs.
#[derive(Clone, Copy)]
struct At<'a> {
    lookup: &'a Lookup,
    /// Number of the coefficient in its block.
    index: u32,
    /// Blocks and coefficients found.
    blocks: usize,
    count: usize,
}

impl NullaryFnOnce for ReadBlocks<'_, '_> {
    type Output = Option<()>;

    #[inline(always)]
    fn call(mut self) -> Option<()> {
        let mut at = At {
            lookup: &self.turns[0].codes.first,
            index: 0,
            blocks: 0,
            count: 0,
        };
        // A copy, which stays in registers.
        let mut bits = *self.bits;
        // Three symbols end at most three blocks.
        while at.blocks + 3 <= self.wanted {
            bits.refill();
            self.symbol(&mut bits, &mut at)?;
            self.symbol(&mut bits, &mut at)?;
            self.symbol(&mut bits, &mut at)?;
        }
        while at.blocks < self.wanted {
            bits.refill();
            self.symbol(&mut bits, &mut at)?;
        }
        *self.bits = bits;
        Some(())
    }
}

impl<'a, 'data> ReadBlocks<'a, 'data> {
    /// Reads a symbol, or one and the end of its block. That a block ends is no branch: the processor would often guess
    /// wrong, and that costs more than all the rest.
    #[inline(always)]
    fn symbol(&mut self, bits: &mut Bits<'data>, at: &mut At<'a>) -> Option<()> {
        let code = at.lookup.find(bits.buffer);
        let index = at.index + code.run();
        // The last coefficient, beyond which no end is coded; a run that leads beyond the block; no code.
        if index.wrapping_sub(63) <= END_OF_BLOCK - 64 {
            (*bits, *at) = self.seldom(*bits, *at)?;
            return Some(());
        }
        let value = bits.value(code);
        self.put(at, (index, value), code.found(), code.ends_block());
        Some(())
    }

    /// Adds a coefficient, or `count` of two with the end behind it, and goes on to the next symbol.
    #[inline(always)]
    fn put(&mut self, at: &mut At<'a>, (index, value): (u32, i32), count: usize, ends: bool) {
        let turn = &self.turns[at.blocks % GO_ROOM];
        let found = at.count % FOUND;
        self.found[found] = Coefficient {
            index: index as u8,
            value: value as i16,
        };
        self.found[found + 1].index = 64;
        at.count += count;
        self.starts[(at.blocks + 1) % GO_ROOM] = at.count as u32;
        at.blocks += usize::from(ends);
        at.index = select_unpredictable(ends, 0, index + 1);
        at.lookup = select_unpredictable(ends, turn.next, turn.more);
    }

    /// Reads a symbol of any kind. By value: what a call can change is kept in no register.
    #[cold]
    #[inline(never)]
    fn seldom(&mut self, mut bits: Bits<'data>, mut at: At<'a>) -> Option<(Bits<'data>, At<'a>)> {
        bits.refill();
        let Codes { dc, ac, .. } = self.turns[at.blocks % GO_ROOM].codes;
        let table = if at.index == 0 { dc } else { ac };
        let code = table.find_slow(bits.buffer)?;
        let index = at.index + code.run();
        let value = bits.value(code);
        if index > 63 && !code.ends_block() {
            // The caller looks whether the data have ended.
            *self.bits = bits;
            return None;
        }
        bits.refill();
        let count = 1 + usize::from(index == 63);
        self.put(&mut at, (index, value), count, index >= 63);
        Some((bits, at))
    }
}
