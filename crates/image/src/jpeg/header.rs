//! The marker segments (ITU-T T.81, annex B; Adobe's and JFIF's application data).

use image::metadata::Orientation;

use super::{
    error::{Unreadable, damaged},
    huffman::HuffmanTable,
};
use crate::exif;

/// One component of the frame.
#[derive(Clone)]
pub(super) struct Component {
    id: u8,
    /// Blocks of an MCU in each direction.
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    /// Samples that count, in each direction.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Where its divisors are defined.
    quantisation: usize,
    /// Divisors in zigzag order: those defined when its first scan began.
    pub(super) divisors: Option<[u16; 64]>,
}

/// What the components are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourSpace {
    Grey,
    YCbCr,
    Rgb,
    /// Inverted, as Adobe's programs write it.
    Cmyk,
    /// YCbCr of inverted CMY, and inverted K.
    Ycck,
}

/// The frame header, and what the segments about it say of the picture.
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    pub(super) colours: ColourSpace,
    pub(super) orientation: Orientation,
}

impl Frame {
    /// The largest sampling factors.
    pub(super) fn factors(&self) -> (usize, usize) {
        let most = |of: fn(&Component) -> usize| self.components.iter().map(of).max().unwrap_or(1);
        (
            most(|component| component.horizontal),
            most(|component| component.vertical),
        )
    }

    /// MCUs in a row and in a column, where all components are interleaved.
    pub(super) fn mcus(&self) -> (usize, usize) {
        let (horizontal, vertical) = self.factors();
        (
            (self.width as usize).div_ceil(8 * horizontal),
            (self.height as usize).div_ceil(8 * vertical),
        )
    }
}

/// A scan header.
pub(super) struct Scan {
    /// Each with the places of its codes for differences and for coefficients.
    pub(super) components: Vec<(usize, [usize; 2])>,
    /// First and last coefficient in zigzag order.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Bits that came before (0: none did), and bits that are still to come.
    pub(super) before: u32,
    pub(super) still: u32,
}

/// The tables in force.
#[derive(Default)]
pub(super) struct Tables {
    quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<HuffmanTable>; 4],
    pub(super) ac: [Option<HuffmanTable>; 4],
    /// MCUs between restart markers; 0: there are none.
    pub(super) restart_interval: usize,
    jfif: bool,
    /// Adobe's number for the colours.
    adobe: Option<u8>,
    orientation: Option<Orientation>,
}

fn number(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

impl Tables {
    /// Reads a segment that is neither a frame nor a scan header.
    pub(super) fn read(&mut self, marker: u8, segment: &[u8]) -> Result<(), Unreadable> {
        match marker {
            0xC4 => self.huffman(segment),
            0xDB => self.quantisation(segment),
            0xDD => segment.first_chunk().map(|[high, low]| {
                self.restart_interval = number(*high, *low);
            }),
            0xE0 => {
                self.jfif |= segment.starts_with(b"JFIF\0") && segment.len() >= 12;
                Some(())
            }
            0xE1 => {
                // The first that gives one.
                self.orientation = self.orientation.or_else(|| exif::orientation(segment));
                Some(())
            }
            0xEE => {
                if segment.starts_with(b"Adobe") {
                    self.adobe = self.adobe.or(segment.get(11).copied());
                }
                Some(())
            }
            // Other application data, comments, conditions of arithmetic codes, numbers of lines.
            0xE2..=0xED | 0xEF | 0xFE | 0xCC | 0xDC => Some(()),
            _ => {
                return Err(damaged(&format!(
                    "it has the unknown marker FF {marker:02X}"
                )));
            }
        }
        .ok_or_else(|| damaged(&format!("its segment FF {marker:02X} is invalid")))
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Option<()> {
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

    fn huffman(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let dc = kind >> 4 == 0;
            let tables = match kind >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
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

    /// The standard codes in the places of those that are not defined: motion JPEG leaves them out.
    pub(super) fn complete(&mut self) {
        for slot in 0..2 {
            for (dc, tables) in [(true, &mut self.dc), (false, &mut self.ac)] {
                if tables[slot].is_none() {
                    tables[slot] = HuffmanTable::standard(dc, slot);
                }
            }
        }
    }

    /// The frame header with this marker.
    pub(super) fn frame(&self, marker: u8, segment: &[u8]) -> Result<Frame, Unreadable> {
        let process = match marker {
            0xC0..=0xC2 => None,
            0xC3 => Some("lossless"),
            0xC9..=0xCB => Some("arithmetically coded"),
            0xF7 => Some("of the kind JPEG-LS"),
            _ => Some("hierarchical"),
        };
        if let Some(process) = process {
            return Err(Unreadable(format!(
                "the JPEG is {process}; only baseline, extended and progressive ones are supported: convert it"
            )));
        }
        let nonsense = || damaged("its frame header is invalid");
        let [precision, h1, h0, w1, w0, count, list @ ..] = segment else {
            return Err(nonsense());
        };
        if *precision != 8 {
            return Err(Unreadable(format!(
                "the JPEG has {precision} bits per sample; only 8 are supported: convert it"
            )));
        }
        let (width, height) = (number(*w1, *w0), number(*h1, *h0));
        if width == 0 || height == 0 {
            return Err(damaged(&format!("it declares {width}x{height} pixels")));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Unreadable(format!(
                "the JPEG has {count} components; only grey (1), colour (3) and CMYK (4) are supported: convert it"
            )));
        }
        if list.len() != usize::from(*count) * 3 {
            return Err(nonsense());
        }
        let mut components: Vec<Component> = list
            .chunks_exact(3)
            .map(|part| Component {
                id: part[0],
                horizontal: usize::from(part[1] >> 4),
                vertical: usize::from(part[1] & 15),
                width: 0,
                height: 0,
                quantisation: usize::from(part[2]),
                divisors: None,
            })
            .collect();
        let doubled = (1..components.len()).any(|at| {
            components[..at]
                .iter()
                .any(|one| one.id == components[at].id)
        });
        let factor = |value: usize| (1..=4).contains(&value);
        if doubled
            || !components
                .iter()
                .all(|one| factor(one.horizontal) && factor(one.vertical))
        {
            return Err(nonsense());
        }
        let colours = self.colours(&components);
        let mut frame = Frame {
            width: width as u32,
            height: height as u32,
            progressive: marker == 0xC2,
            components: Vec::new(),
            colours,
            orientation: Orientation::NoTransforms,
        };
        let most = Frame {
            components: components.clone(),
            ..frame
        }
        .factors();
        for one in &mut components {
            if !most.0.is_multiple_of(one.horizontal) || !most.1.is_multiple_of(one.vertical) {
                return Err(Unreadable(format!(
                    "the JPEG samples a component {}x{} where another is sampled {}x{}; only whole multiples are supported: convert it",
                    one.horizontal, one.vertical, most.0, most.1
                )));
            }
            one.width = (width * one.horizontal).div_ceil(most.0);
            one.height = (height * one.vertical).div_ceil(most.1);
        }
        frame.components = components;
        Ok(frame)
    }

    /// What the components are, as libjpeg has it: JFIF's word counts most, then Adobe's, then names.
    fn colours(&self, components: &[Component]) -> ColourSpace {
        match (components.len(), self.adobe) {
            (1, _) => ColourSpace::Grey,
            (3, _) if self.jfif => ColourSpace::YCbCr,
            (3, Some(0)) => ColourSpace::Rgb,
            (3, Some(_)) => ColourSpace::YCbCr,
            (3, None) if components.iter().map(|one| one.id).eq(*b"RGB") => ColourSpace::Rgb,
            (3, None) => ColourSpace::YCbCr,
            (_, None | Some(0)) => ColourSpace::Cmyk,
            (_, Some(_)) => ColourSpace::Ycck,
        }
    }

    /// The scan header; the components that it begins keep the divisors in force.
    pub(super) fn scan(&self, frame: &mut Frame, segment: &[u8]) -> Result<Scan, Unreadable> {
        let nonsense = || damaged("a scan header is invalid");
        frame.orientation = self.orientation.unwrap_or(Orientation::NoTransforms);
        let (&count, list) = segment.split_first().ok_or_else(nonsense)?;
        let count = usize::from(count);
        if !(1..=4).contains(&count) || list.len() != count * 2 + 3 {
            return Err(nonsense());
        }
        let mut scan = Scan {
            components: Vec::with_capacity(count),
            first: usize::from(list[count * 2]),
            last: usize::from(list[count * 2 + 1]),
            before: u32::from(list[count * 2 + 2] >> 4),
            still: u32::from(list[count * 2 + 2] & 15),
        };
        for part in list[..count * 2].chunks_exact(2) {
            // In the frame's order, as the standard wants it.
            let from = scan.components.last().map_or(0, |(at, _)| at + 1);
            let found = frame.components[from..]
                .iter()
                .position(|one| one.id == part[0]);
            let at = from + found.ok_or_else(nonsense)?;
            let slots = [usize::from(part[1] >> 4), usize::from(part[1] & 15)];
            if slots.iter().any(|slot| *slot > 3) {
                return Err(nonsense());
            }
            scan.components.push((at, slots));
            let one = &mut frame.components[at];
            if one.divisors.is_none() {
                one.divisors = self.quantisation.get(one.quantisation).copied().flatten();
            }
            if one.divisors.is_none() {
                return Err(damaged("a quantisation table is missing"));
            }
        }
        let blocks: usize = scan
            .components
            .iter()
            .map(|(at, _)| frame.components[*at].horizontal * frame.components[*at].vertical)
            .sum();
        let sane = if frame.progressive {
            let band = if scan.first == 0 {
                scan.last == 0
            } else {
                scan.first <= scan.last && scan.last < 64 && count == 1
            };
            let bits = scan.before == 0 || scan.before == scan.still + 1;
            band && bits && scan.still <= 13
        } else {
            // Encoders are known that leave these numbers at zero; all coefficients come all the same.
            scan.before == 0 && scan.still == 0
        };
        // The standard's limit.
        if !sane || (count > 1 && blocks > 10) {
            return Err(nonsense());
        }
        Ok(scan)
    }
}
