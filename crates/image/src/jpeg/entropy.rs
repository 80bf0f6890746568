//! What all scans share: where their blocks are, their bits, and what reads them MCU by MCU.

use std::ops::Range;

use super::{
    error::{Unreadable, damaged},
    header::{Frame, Scan},
    huffman::{Code, HuffmanTable},
};

/// Zero bytes behind each stretch of data, so that reading ahead needs no care.
const PADDING: usize = 16;

/// Where the blocks of a scan are: those of one component, or all of each MCU.
pub(super) struct Layout {
    /// MCUs in a row and in all.
    columns: usize,
    count: usize,
    /// By the component of the scan.
    pub(super) components: Vec<Cells>,
}

/// The blocks that an MCU has of a component.
pub(super) struct Cells {
    pub(super) plane: usize,
    horizontal: usize,
    vertical: usize,
}

impl Layout {
    pub(super) fn of(frame: &Frame, scan: &Scan) -> Self {
        let cells = scan.components.iter().map(|(plane, _)| {
            let one = &frame.components[*plane];
            Cells {
                plane: *plane,
                horizontal: one.horizontal,
                vertical: one.vertical,
            }
        });
        let mut components: Vec<Cells> = cells.collect();
        let (columns, rows) = match components.as_mut_slice() {
            // One component's blocks come one by one, without those that fill up an MCU.
            [single] => {
                (single.horizontal, single.vertical) = (1, 1);
                let one = &frame.components[single.plane];
                (one.width.div_ceil(8), one.height.div_ceil(8))
            }
            _ => frame.mcus(),
        };
        Self {
            columns,
            count: columns * rows,
            components,
        }
    }

    /// Blocks of an MCU.
    pub(super) fn blocks(&self) -> usize {
        self.components.iter().map(Cells::count).sum()
    }

    /// Row and column of an MCU.
    pub(super) fn place(&self, mcu: usize) -> (usize, usize) {
        (mcu / self.columns, mcu % self.columns)
    }
}

impl Cells {
    pub(super) fn count(&self) -> usize {
        self.horizontal * self.vertical
    }

    /// The blocks of the MCU at (row, column), row by row, in a plane of so many columns of blocks.
    #[inline]
    pub(super) fn rows(
        &self,
        columns: usize,
        (row, column): (usize, usize),
    ) -> impl Iterator<Item = Range<usize>> + use<> {
        let (horizontal, vertical) = (self.horizontal, self.vertical);
        (0..vertical).map(move |block_row| {
            let first = (row * vertical + block_row) * columns + column * horizontal;
            first..first + horizontal
        })
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

/// What reads the MCUs of a scan.
pub(super) trait Reader {
    /// At the start, and after each restart marker.
    fn restart(&mut self);

    /// Reads one of them; `None`: it makes no sense.
    fn mcu(&mut self, bits: &mut Bits<'_>, layout: &Layout, mcu: usize) -> Option<()>;

    /// Reads as many of these as it can in a faster way, and answers how many: all before something is wrong, or fewer.
    fn ahead(&mut self, _: &mut Bits<'_>, _: &Layout, _: Range<usize>) -> usize {
        0
    }
}

/// Runs a reader over the scan whose data begin at `at`.
pub(super) fn run(
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
        reader.restart();
        let first = number * interval;
        let mcus = first..(first + interval).min(layout.count);
        let mut bits = Bits::of(&data[stretch.clone()]);
        let ahead = reader.ahead(&mut bits, layout, mcus.clone());
        read += ahead;
        for mcu in mcus.skip(ahead) {
            let valid = reader.mcu(&mut bits, layout, mcu);
            if bits.overrun() {
                break;
            }
            if valid.is_none() {
                return Err(damaged(&format!(
                    "MCU {} of {} is invalid",
                    mcu + 1,
                    layout.count
                )));
            }
            read += 1;
        }
    }
    let blocks = layout.blocks();
    Ok(Outcome {
        blocks: blocks * layout.count,
        missing: blocks * (layout.count - read),
        end,
    })
}

pub(super) fn code(
    tables: &[Option<HuffmanTable>; 4],
    slot: usize,
) -> Result<&HuffmanTable, Unreadable> {
    tables[slot]
        .as_ref()
        .ok_or_else(|| damaged("a Huffman table is missing"))
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
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// Next byte that is not in the buffer.
    at: usize,
    /// The next bits, left-aligned.
    pub(super) buffer: u64,
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
    pub(super) fn refill(&mut self) {
        let word = match self.data.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => 0,
        };
        self.buffer |= word >> self.count;
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// The next bits, at most 32, as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        let taken = (self.buffer >> 1 >> (63 - bits)) as u32;
        self.skip(bits);
        taken
    }

    /// Skips a code and reads the value behind it: the sign is in its first bit (table F.1).
    #[inline(always)]
    pub(super) fn value(&mut self, code: Code) -> i32 {
        let behind = self.buffer << code.length();
        // All ones below zero, where the value's first bit is 0 and all bits are those of its amount inverted.
        let sign = !(behind.cast_signed() >> 63);
        let amount = ((behind ^ sign.cast_unsigned()) >> 1 >> code.size_to_63()).cast_signed();
        self.skip(code.length_with_value());
        ((amount ^ sign) - sign) as i32
    }

    /// Whether more was read than there is, padding apart.
    pub(super) fn overrun(&self) -> bool {
        self.at * 8 > (self.data.len() - PADDING) * 8 + self.count as usize
    }
}
