//! A scan: bits to coefficients (ITU-T T.81, annexes F.2 and G.2).

use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

use super::{
    blocks::{Blocks, Coefficient, Plane},
    error::{Unreadable, damaged},
    header::{Frame, Scan, Tables},
    huffman::{Code, END_OF_BLOCK, HuffmanTable},
};

/// Zero bytes behind each stretch of data, so that reading ahead needs no care.
const PADDING: usize = 16;

/// Where the blocks of a scan are: those of one component, or all of each MCU.
struct Layout {
    /// MCUs in a row and in all.
    columns: usize,
    count: usize,
    /// Blocks of the scan.
    blocks: usize,
}

impl Layout {
    fn of(frame: &Frame, scan: &Scan) -> Self {
        let (columns, rows, blocks) = match scan.components.as_slice() {
            // One component's blocks come one by one, without those that fill up an MCU.
            [(at, _)] => {
                let one = &frame.components[*at];
                (one.width.div_ceil(8), one.height.div_ceil(8), 1)
            }
            several => {
                let (columns, rows) = frame.mcus();
                let blocks = several.iter().map(|(at, _)| {
                    let one = &frame.components[*at];
                    one.horizontal * one.vertical
                });
                (columns, rows, blocks.sum())
            }
        };
        Self {
            columns,
            count: columns * rows,
            blocks: columns * rows * blocks,
        }
    }
}

/// How much of a scan there is.
pub(super) struct Outcome {
    /// Blocks that it has, and how many of them the data do not reach.
    pub(super) blocks: usize,
    pub(super) missing: usize,
    /// Where the data end: at a marker or at the end of the file.
    pub(super) end: usize,
}

/// Why an MCU could not be read.
enum Stop {
    /// The data end.
    End,
    /// They make no sense.
    Nonsense,
}

/// What reads the MCUs of a scan one by one.
trait Reader {
    /// At the start, and after each restart marker.
    fn restart(&mut self);

    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Option<()>;
}

/// Runs a reader over the scan whose data begin at `at`.
fn run(
    file: &[u8],
    at: usize,
    layout: &Layout,
    restart_interval: usize,
    reader: &mut impl Reader,
) -> Result<Outcome, Unreadable> {
    let interval = match restart_interval {
        0 => layout.count,
        interval => interval,
    };
    let Data {
        data,
        stretches,
        end,
    } = unstuffed(file, at, layout.count.div_ceil(interval))?;
    let mut read = 0;
    for (number, stretch) in stretches.iter().enumerate() {
        let mut bits = Bits::of(&data[stretch.clone()]);
        reader.restart();
        let first = number * interval;
        for mcu in first..(first + interval).min(layout.count) {
            let (row, column) = (mcu / layout.columns, mcu % layout.columns);
            let stop = match reader.mcu(&mut bits, row, column) {
                _ if bits.overrun() => Some(Stop::End),
                None => Some(Stop::Nonsense),
                Some(()) => None,
            };
            match stop {
                Some(Stop::End) => break,
                Some(Stop::Nonsense) => {
                    return Err(damaged(&format!(
                        "MCU {} of {} is invalid",
                        mcu + 1,
                        layout.count
                    )));
                }
                None => read += 1,
            }
        }
    }
    Ok(Outcome {
        blocks: layout.blocks,
        missing: layout.blocks / layout.count * (layout.count - read),
        end,
    })
}

/// The codes of a component; `None` when they are not defined.
struct Codes<'a> {
    dc: &'a HuffmanTable,
    ac: &'a HuffmanTable,
}

fn code(tables: &[Option<HuffmanTable>; 4], slot: usize) -> Result<&HuffmanTable, Unreadable> {
    tables[slot]
        .as_ref()
        .ok_or_else(|| damaged("a Huffman table is missing"))
}

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
    // Cameras write about five bits a coefficient; the room grows where there are more.
    coefficients.reserve((file.len() - at) * 8 / 5);
    let components = scan
        .components
        .iter()
        .map(|(at, [dc, ac])| {
            let one = &frame.components[*at];
            let single = scan.components.len() == 1;
            Ok(Sequence {
                plane: *at,
                horizontal: if single { 1 } else { one.horizontal },
                vertical: if single { 1 } else { one.vertical },
                codes: Codes {
                    dc: code(&tables.dc, *dc)?,
                    ac: code(&tables.ac, *ac)?,
                },
                prediction: 0,
            })
        })
        .collect::<Result<_, _>>()?;
    let mut reader = Sequential {
        arch: Arch::new(),
        components,
        planes,
        coefficients,
        found: [Coefficient::default(); FOUND],
    };
    let layout = Layout::of(frame, scan);
    run(file, at, &layout, tables.restart_interval, &mut reader)
}

/// A component of a sequential scan.
struct Sequence<'a> {
    plane: usize,
    horizontal: usize,
    vertical: usize,
    codes: Codes<'a>,
    prediction: i32,
}

struct Sequential<'a> {
    arch: Arch,
    components: Vec<Sequence<'a>>,
    planes: &'a mut [Plane],
    coefficients: &'a mut Vec<Coefficient>,
    found: [Coefficient; FOUND],
}

impl Reader for Sequential<'_> {
    fn restart(&mut self) {
        for component in &mut self.components {
            component.prediction = 0;
        }
    }

    #[inline(always)]
    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Option<()> {
        for component in &mut self.components {
            let plane = &mut self.planes[component.plane];
            for block_row in 0..component.vertical {
                let start = (row * component.vertical + block_row) * plane.columns
                    + column * component.horizontal;
                let starts = plane.starts.get_mut(start..start + component.horizontal)?;
                for start in starts {
                    *start = u32::try_from(self.coefficients.len()).ok()?;
                    // A call of its own, whose state fits the registers.
                    let count = self.arch.dispatch(ReadBlock {
                        bits,
                        codes: &component.codes,
                        prediction: &mut component.prediction,
                        found: &mut self.found,
                    })?;
                    keep(self.coefficients, &self.found, count);
                }
            }
        }
        Some(())
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
    codes: &'a Codes<'a>,
    prediction: &'a mut i32,
    found: &'a mut [Coefficient; FOUND],
}

impl NullaryFnOnce for ReadBlock<'_, '_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn call(self) -> Option<usize> {
        let Self {
            bits: state,
            codes,
            prediction,
            found,
        } = self;
        // A copy, which stays in registers.
        let mut bits = Bits { ..*state };
        bits.refill();
        let code = codes.dc.find(bits.buffer)?;
        *prediction = prediction.wrapping_add(bits.value(code));
        found[0] = Coefficient {
            index: 0,
            value: (*prediction).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16,
        };
        let (mut count, mut index) = (1, 1);
        while index < 64 {
            bits.refill();
            let code = codes.ac.find(bits.buffer)?;
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

/// Reads a scan of a progressive JPEG, which adds some bits of some coefficients of each block.
pub(super) fn progressive(
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    (file, at): (&[u8], usize),
    blocks: &mut Blocks,
) -> Result<Outcome, Unreadable> {
    let components = scan
        .components
        .iter()
        .map(|(at, [dc, ac])| {
            let one = &frame.components[*at];
            let single = scan.components.len() == 1;
            let code = match (scan.first, scan.before) {
                // A bit each, without a code.
                (0, 1..) => None,
                (0, 0) => Some(code(&tables.dc, *dc)?),
                _ => Some(code(&tables.ac, *ac)?),
            };
            Ok(Progression {
                plane: *at,
                horizontal: if single { 1 } else { one.horizontal },
                vertical: if single { 1 } else { one.vertical },
                code,
                prediction: 0,
            })
        })
        .collect::<Result<_, _>>()?;
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
    plane: usize,
    horizontal: usize,
    vertical: usize,
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

    fn mcu(&mut self, bits: &mut Bits<'_>, row: usize, column: usize) -> Option<()> {
        let (first, last) = (self.scan.first, self.scan.last);
        for component in &mut self.components {
            let plane = &mut self.planes[component.plane];
            for block_row in 0..component.vertical {
                for block_column in 0..component.horizontal {
                    let block = (row * component.vertical + block_row) * plane.columns
                        + column * component.horizontal
                        + block_column;
                    let block = plane.dense.get_mut(block * 64..)?.first_chunk_mut()?;
                    let still = self.scan.still;
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

/// A scan's data without byte stuffing.
struct Data {
    data: Vec<u8>,
    /// What lies between restart markers, each followed by [`PADDING`].
    stretches: Vec<Range<usize>>,
    /// Where they end in the file.
    end: usize,
}

/// The data that begin at `at`, of at most `wanted` stretches: up to a marker or the file's end.
fn unstuffed(file: &[u8], at: usize, wanted: usize) -> Result<Data, Unreadable> {
    let mut data = Vec::with_capacity(file.len() - at + 2 * PADDING);
    let mut stretches: Vec<Range<usize>> = Vec::new();
    let (mut at, mut start) = (at, 0);
    loop {
        let rest = &file[at..];
        let plain = memchr::memchr(0xFF, rest).unwrap_or(rest.len());
        let all = stretches.len() == wanted;
        if !all {
            data.extend_from_slice(&rest[..plain]);
        }
        let marker_at = at + plain;
        let fill = file[marker_at..].iter().take_while(|byte| **byte == 0xFF);
        at = marker_at + fill.count();
        match file.get(at) {
            Some(0x00) if at == marker_at + 1 => {
                if !all {
                    data.push(0xFF);
                }
                at += 1;
            }
            next => {
                if !all {
                    data.extend([0; PADDING]);
                    stretches.push(start..data.len());
                    start = data.len();
                }
                match next {
                    Some(marker @ 0xD0..=0xD7) => {
                        // They count from 0 to 7 and again.
                        if !all && usize::from(marker & 7) != (stretches.len() - 1) % 8 {
                            return Err(damaged("its restart markers are out of order"));
                        }
                        at += 1;
                    }
                    _ => {
                        return Ok(Data {
                            data,
                            stretches,
                            end: marker_at,
                        });
                    }
                }
            }
        }
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

impl<'a> Bits<'a> {
    fn of(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            buffer: 0,
            count: 0,
        }
    }

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

    /// The next bits, at most 32, as a number.
    #[inline(always)]
    fn take(&mut self, bits: u32) -> u32 {
        let taken = (self.buffer >> 1 >> (63 - bits)) as u32;
        self.skip(bits);
        taken
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
