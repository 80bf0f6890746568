//! Huffman codes (ITU-T T.81, annexes C and K.3).

/// Codes of up to this many bits are found in one step, if they and their values have no more than [`MAX_FAST`].
const LOOKUP_BITS: u32 = 11;

/// Three times as many fit the 56 bits of a full buffer.
const MAX_FAST: u32 = 18;

/// Codes by the next [`LOOKUP_BITS`] bits.
#[derive(Clone)]
pub(super) struct Lookup([Code; 1 << LOOKUP_BITS]);

impl Lookup {
    /// The symbol at the front of `bits` (left-aligned); [`Code::NONE`] if it is not in here.
    #[inline(always)]
    pub(super) fn find(&self, bits: u64) -> Code {
        self.0[(bits >> (64 - LOOKUP_BITS)) as usize]
    }

    /// With the ends of blocks that come behind values as part of them, as far as the bits of the lookup show them.
    pub(super) fn with_ends(&self, of: &Self) -> Box<Self> {
        let mut joined = Box::new(self.clone());
        for (front, code) in joined.0.iter_mut().enumerate() {
            let used = code.length_with_value();
            if *code == Code::NONE || code.ends_block() || used >= LOOKUP_BITS {
                continue;
            }
            let behind = of.0[(front << used) & ((1 << LOOKUP_BITS) - 1)];
            if behind.ends_block() && used + behind.length() <= LOOKUP_BITS {
                code.0 += behind.length() + (END_BEHIND << 24);
            }
        }
        joined
    }
}

/// A Huffman code.
#[derive(Clone)]
pub(super) struct HuffmanTable {
    pub(super) lookup: Box<Lookup>,
    /// Whether it codes differences; their symbols have no zeros before them, and end no block.
    dc: bool,
    /// For each length: the first code beyond it, aligned to 16 bits; and what to add to a code of
    /// that length to get its symbol's place.
    ends: [u32; 17],
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

/// A symbol found, packed: bits of code and value together (lowest, since the next code waits for them), of
/// the code, 63 less those of the value, and zero coefficients before it.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Code(u32);

/// Added to the "run" of a symbol that ends a block: it leads beyond every block.
pub(super) const END_OF_BLOCK: u32 = 128;

/// Added where the code of the block's end comes behind the value.
const END_BEHIND: u32 = 16;

impl Code {
    /// Not in the lookup: a run that leads beyond every block.
    pub(super) const NONE: Self = Self(64 << 24);

    fn new(length: u32, symbol: u8, dc: bool) -> Self {
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let run = if size == 0 && run != 15 && !dc {
            END_OF_BLOCK + run
        } else {
            run
        };
        Self((length + size) | (length << 8) | ((63 - size) << 16) | (run << 24))
    }

    pub(super) fn length(self) -> u32 {
        (self.0 >> 8) & 0xFF
    }

    pub(super) fn length_with_value(self) -> u32 {
        self.0 & 0xFF
    }

    pub(super) fn size(self) -> u32 {
        63 - self.size_to_63()
    }

    pub(super) fn size_to_63(self) -> u32 {
        (self.0 >> 16) & 0xFF
    }

    /// Zero coefficients before the value; [`END_OF_BLOCK`] and more at the end of a block.
    pub(super) fn run(self) -> u32 {
        (self.0 >> 24) & !END_BEHIND
    }

    /// Whether no coefficients of the block follow.
    #[inline(always)]
    pub(super) fn ends_block(self) -> bool {
        self.0 & ((END_OF_BLOCK | END_BEHIND) << 24) != 0
    }

    /// Coefficients and ends that it stands for.
    #[inline(always)]
    pub(super) fn found(self) -> usize {
        1 + (self.0 >> 28 & 1) as usize
    }

    /// The upper half of the symbol.
    pub(super) fn high(self) -> u32 {
        self.run() & 15
    }
}

/// Most bits of a difference: what a symbol may ask for, and no more than the reader's buffer holds.
const MAX_DC_SIZE: u8 = 15;

impl HuffmanTable {
    /// The code of differences (`dc`) or of coefficients, from the number of codes of each length
    /// and the symbols in order; `None` when there are more codes than bits, or differences of more
    /// bits than there are.
    pub(super) fn new(dc: bool, lengths: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        if dc && symbols.iter().any(|symbol| *symbol > MAX_DC_SIZE) {
            return None;
        }
        let mut lookup = Box::new(Lookup([Code::NONE; 1 << LOOKUP_BITS]));
        let (mut ends, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut at) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(lengths) {
            offsets[length as usize] = at as i32 - code as i32;
            for _ in 0..*count {
                if code >> length != 0 {
                    return None;
                }
                let entry = Code::new(length, *symbols.get(at)?, dc);
                if length <= LOOKUP_BITS && entry.length_with_value() <= MAX_FAST {
                    let first = (code << (LOOKUP_BITS - length)) as usize;
                    lookup
                        .0
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
            dc,
            ends,
            offsets,
            symbols: symbols.to_vec(),
        })
    }

    /// The code of annex K.3 that motion JPEG leaves out: slot 0 is for light, 1 for colours.
    pub(super) fn standard(dc: bool, slot: usize) -> Option<Self> {
        let (lengths, symbols): (&[u8; 16], &[u8]) = match (dc, slot) {
            (true, 0) => (&LIGHT_DC_LENGTHS, &DC_SYMBOLS),
            (true, 1) => (&COLOUR_DC_LENGTHS, &DC_SYMBOLS),
            (false, 0) => (&LIGHT_AC_LENGTHS, &LIGHT_AC_SYMBOLS),
            (false, 1) => (&COLOUR_AC_LENGTHS, &COLOUR_AC_SYMBOLS),
            _ => return None,
        };
        Self::new(dc, lengths, symbols)
    }

    /// The symbol at the front of `bits` (left-aligned).
    #[inline(always)]
    pub(super) fn find(&self, bits: u64) -> Option<Code> {
        match self.lookup.find(bits) {
            Code::NONE => self.find_slow(bits),
            code => Some(code),
        }
    }

    /// The same without the lookup.
    #[cold]
    pub(super) fn find_slow(&self, bits: u64) -> Option<Code> {
        let front = (bits >> 48) as u32;
        let length = (1..=16).find(|length| front < self.ends[*length as usize])?;
        let code = (front >> (16 - length)) as i32;
        let at = usize::try_from(code + self.offsets[length as usize]).ok()?;
        Some(Code::new(length, *self.symbols.get(at)?, self.dc))
    }
}

const LIGHT_DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const COLOUR_DC_LENGTHS: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const LIGHT_AC_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D];
const COLOUR_AC_LENGTHS: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77];
#[rustfmt::skip]
const LIGHT_AC_SYMBOLS: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
    0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
    0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];
#[rustfmt::skip]
const COLOUR_AC_SYMBOLS: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0,
    0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26,
    0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
    0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
    0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];
