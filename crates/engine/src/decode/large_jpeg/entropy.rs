//! The scan: bits to coefficients (ITU-T T.81, annex F.2).

use pulp::{Arch, NullaryFnOnce};

use super::{
    Blocks, Coefficient, Plane,
    header::{Component, Header},
};

/// Codes of up to this many bits are found in one step.
const LOOKUP_BITS: u32 = 11;

/// Zero bytes behind each stretch of data, so that reading ahead needs no care.
const PADDING: usize = 16;

/// A Huffman code.
pub(super) struct HuffmanTable {
    /// By the next [`LOOKUP_BITS`] bits.
    lookup: Vec<Code>,
    /// For each length: the first code beyond it, aligned to 16 bits; and what to add to a code of
    /// that length to get its symbol's place.
    ends: [u32; 17],
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

/// A symbol found, packed: bits of its code, of code and value together, of the value, and zero
/// coefficients before it. 0: the code is longer than the lookup.
#[derive(Clone, Copy, Default)]
struct Code(u32);

/// A "run" that leads beyond every block.
const END_OF_BLOCK: u32 = 128;

impl Code {
    fn new(length: u32, symbol: u8) -> Self {
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let run = if symbol == 0 { END_OF_BLOCK } else { run };
        Self(length | ((length + size) << 8) | (size << 16) | (run << 24))
    }

    fn length(self) -> u32 {
        self.0 & 0xFF
    }

    fn length_with_value(self) -> u32 {
        (self.0 >> 8) & 0xFF
    }

    fn size(self) -> u32 {
        (self.0 >> 16) & 0xFF
    }

    fn run(self) -> u32 {
        self.0 >> 24
    }
}

/// Most bits of a coefficient's difference (table F.1) and of a coefficient (table F.2) at 8 bits a
/// sample: what a symbol may ask for, and no more than [`Bits`] holds.
const MAX_DC_SIZE: u8 = 11;
const MAX_AC_SIZE: u8 = 10;

impl HuffmanTable {
    /// The code of differences (`dc`) or of coefficients, from the number of codes of each length
    /// and the symbols in order; `None` when there are more codes than bits, or symbols that
    /// baseline does not have.
    pub(super) fn new(dc: bool, lengths: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let known = |symbol: &u8| {
            if dc {
                *symbol <= MAX_DC_SIZE
            } else {
                let (run, size) = (symbol >> 4, symbol & 15);
                size <= MAX_AC_SIZE && (size != 0 || matches!(run, 0 | 15))
            }
        };
        if !symbols.iter().all(known) {
            return None;
        }
        let mut lookup = vec![Code::default(); 1 << LOOKUP_BITS];
        let (mut ends, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut at) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(lengths) {
            offsets[length as usize] = at as i32 - code as i32;
            for _ in 0..*count {
                if code >> length != 0 {
                    return None;
                }
                if length <= LOOKUP_BITS {
                    let first = (code << (LOOKUP_BITS - length)) as usize;
                    let entry = Code::new(length, *symbols.get(at)?);
                    lookup
                        .get_mut(first..first + (1 << (LOOKUP_BITS - length)))?
                        .fill(entry);
                }
                code += 1;
                at += 1;
            }
            ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(Self {
            lookup,
            ends,
            offsets,
            symbols: symbols.to_vec(),
        })
    }

    /// The symbol at the front of `bits` (left-aligned).
    #[inline(always)]
    fn find(&self, bits: u64) -> Option<Code> {
        let code = self.lookup[(bits >> (64 - LOOKUP_BITS)) as usize];
        if code.0 != 0 {
            return Some(code);
        }
        self.find_long(bits)
    }

    #[cold]
    fn find_long(&self, bits: u64) -> Option<Code> {
        let front = (bits >> 48) as u32;
        let length = (LOOKUP_BITS + 1..=16).find(|length| front < self.ends[*length as usize])?;
        let code = (front >> (16 - length)) as i32;
        let at = usize::try_from(code + self.offsets[length as usize]).ok()?;
        Some(Code::new(length, *self.symbols.get(at)?))
    }
}

/// Reads the scan; `None` at any irregularity.
pub(super) fn read(header: &Header, scan: &[u8]) -> Option<Blocks> {
    let arch = Arch::new();
    let (columns, rows) = header.mcus();
    let interval = match header.restart_interval {
        0 => columns * rows,
        interval => interval,
    };
    let (data, stretches) = unstuffed(scan)?;
    if stretches.len() != (columns * rows).div_ceil(interval) {
        return None;
    }
    let mut planes: Vec<Plane> = header
        .components
        .iter()
        .map(|component| {
            let wide = columns * component.horizontal;
            Plane {
                columns: wide,
                starts: vec![0; wide * rows * component.vertical],
            }
        })
        .collect();
    // Cameras write about five bits a coefficient; the room grows where there are more.
    let mut coefficients = Vec::with_capacity(data.len() * 8 / 5);
    let mut found = [Coefficient::default(); FOUND];
    let tables: Vec<Tables<'_>> = header
        .components
        .iter()
        .map(|component| Tables::of(header, component))
        .collect::<Option<_>>()?;

    for (number, stretch) in stretches.iter().enumerate() {
        let mut bits = Bits {
            data: data.get(stretch.clone())?,
            at: 0,
            buffer: 0,
            count: 0,
        };
        let mut predictions = [0_i32; 3];
        let first = number * interval;
        for mcu in first..(first + interval).min(columns * rows) {
            let (row, column) = (mcu / columns, mcu % columns);
            for (((component, tables), plane), prediction) in header
                .components
                .iter()
                .zip(&tables)
                .zip(&mut planes)
                .zip(&mut predictions)
            {
                for block_row in 0..component.vertical {
                    let start = (row * component.vertical + block_row) * plane.columns
                        + column * component.horizontal;
                    let starts = plane.starts.get_mut(start..start + component.horizontal)?;
                    for start in starts {
                        *start = u32::try_from(coefficients.len()).ok()?;
                        // A call of its own, whose state fits the registers.
                        let count = arch.dispatch(ReadBlock {
                            bits: &mut bits,
                            tables,
                            prediction,
                            found: &mut found,
                        })?;
                        keep(&mut coefficients, &found, count);
                    }
                }
            }
            if bits.overrun() {
                return None;
            }
        }
    }
    Some(Blocks {
        planes,
        coefficients,
    })
}

/// What the blocks of a component are read with.
struct Tables<'a> {
    dc: &'a HuffmanTable,
    ac: &'a HuffmanTable,
}

impl<'a> Tables<'a> {
    fn of(header: &'a Header, component: &Component) -> Option<Self> {
        Some(Self {
            dc: header.dc_tables.get(component.dc_table)?.as_ref()?,
            ac: header.ac_tables.get(component.ac_table)?.as_ref()?,
        })
    }
}

/// Room for the coefficients of a block and an end: a power of two above 65, so that each is written
/// without a look at the length. Branches that follow noise cost more than all the rest.
const FOUND: usize = 128;

/// Adds the first `count` of `found`: most often in one copy of fixed length, which needs no call.
#[inline]
fn keep(coefficients: &mut Vec<Coefficient>, found: &[Coefficient; FOUND], count: usize) {
    const MOST: usize = 16;
    let kept = coefficients.len() + count;
    coefficients.extend_from_slice(&found[..MOST]);
    if let Some(rest) = found.get(MOST..count) {
        coefficients.extend_from_slice(rest);
    }
    coefficients.truncate(kept);
}

/// Reads the coefficients of a block and an end; answers how many.
struct ReadBlock<'a, 'data> {
    bits: &'a mut Bits<'data>,
    tables: &'a Tables<'a>,
    prediction: &'a mut i32,
    found: &'a mut [Coefficient; FOUND],
}

impl NullaryFnOnce for ReadBlock<'_, '_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn call(self) -> Option<usize> {
        let Self {
            bits: state,
            tables,
            prediction,
            found,
        } = self;
        // A copy, which stays in registers.
        let mut bits = Bits { ..*state };
        bits.refill();
        let code = tables.dc.find(bits.buffer)?;
        *prediction = prediction.wrapping_add(bits.value(code));
        found[0] = Coefficient {
            index: 0,
            value: (*prediction).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16,
        };
        let (mut count, mut index) = (1, 1);
        while index < 64 {
            bits.refill();
            let code = tables.ac.find(bits.buffer)?;
            index += code.run();
            found[count % FOUND] = Coefficient {
                index: index as u8,
                value: bits.value(code) as i16,
            };
            count += 1;
            index += 1;
        }
        if index == 64 {
            found[count % FOUND].index = 64;
            count += 1;
        }
        *state = bits;
        // Not between: that is a run that leads beyond the block.
        (index == 64 || index > END_OF_BLOCK).then_some(count)
    }
}

/// The data of a scan without its byte stuffing, each stretch between restart markers followed by
/// [`PADDING`]; and where the stretches are.
fn unstuffed(scan: &[u8]) -> Option<(Vec<u8>, Vec<std::ops::Range<usize>>)> {
    let mut data = Vec::with_capacity(scan.len() + 2 * PADDING);
    let mut stretches = Vec::new();
    let (mut rest, mut start) = (scan, 0);
    loop {
        let (plain, marked) = rest.split_at(memchr::memchr(0xFF, rest)?);
        data.extend_from_slice(plain);
        match *marked.get(1)? {
            0x00 => data.push(0xFF),
            marker => {
                data.extend([0; PADDING]);
                stretches.push(start..data.len());
                start = data.len();
                match marker {
                    // They count from 0 to 7 and again.
                    0xD0..=0xD7 if usize::from(marker & 7) == (stretches.len() - 1) % 8 => {}
                    0xD9 => return Some((data, stretches)),
                    _ => return None,
                }
            }
        }
        rest = &marked[2..];
    }
}

/// Bits from a stretch of data.
struct Bits<'a> {
    data: &'a [u8],
    /// Next byte that is not in the buffer.
    at: usize,
    /// The next bits, left-aligned.
    buffer: u64,
    /// How many of them count.
    count: u32,
}

impl Bits<'_> {
    /// At least 56 bits are in the buffer afterwards; beyond the end of the data they are zero.
    #[inline(always)]
    fn refill(&mut self) {
        let word = match self.data.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => 0,
        };
        self.buffer |= word >> self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
    }

    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// Skips a code and reads the value behind it: the sign is in its first bit (table F.1).
    #[inline(always)]
    fn value(&mut self, code: Code) -> i32 {
        let size = code.size();
        let behind = self.buffer << code.length();
        let raw = (behind >> 1 >> (63 - size)) as i32;
        self.skip(code.length_with_value());
        let below = if raw < (1 << size) >> 1 {
            (1 << size) - 1
        } else {
            0
        };
        raw - below
    }

    /// Whether more was read than there is, padding apart.
    fn overrun(&self) -> bool {
        self.at * 8 > (self.data.len() - PADDING) * 8 + self.count as usize
    }
}
