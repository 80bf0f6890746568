//! Files with other headers than their pixels, and pixels that are all alike.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};

use crate::drawn;

/// Numbers that look random and are the same in every run (Knuth's MMIX generator).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % end
    }
}

/// The first place of some bytes.
pub(super) fn position(file: &[u8], bytes: &[u8]) -> usize {
    file.windows(bytes.len())
        .position(|window| window == bytes)
        .expect("the bytes are in it")
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JPEG with another size in its frame header.
pub(super) fn jpeg_resized(jpeg: &[u8], width: u32, height: u32) -> Vec<u8> {
    let frame = jpeg
        .windows(2)
        .position(|pair| pair[0] == 0xFF && matches!(pair[1], 0xC0..=0xC2))
        .expect("a frame header");
    let side = |value: u32| u16::try_from(value).expect("16 bits").to_be_bytes();
    let mut file = jpeg.to_vec();
    file[frame + 5..frame + 7].copy_from_slice(&side(height));
    file[frame + 7..frame + 9].copy_from_slice(&side(width));
    file
}

/// The progressive JPEG with its first scan's head this many times more, with no data behind.
pub(super) fn jpeg_with_scans(jpeg: &[u8], scans: usize) -> Vec<u8> {
    let scan = position(jpeg, &[0xFF, 0xDA]);
    let length = 2 + usize::from(u16::from_be_bytes([jpeg[scan + 2], jpeg[scan + 3]]));
    let (pixels, end) = jpeg.split_at(jpeg.len() - 2);
    [pixels, &jpeg[scan..scan + length].repeat(scans), end].concat()
}

/// The lossless WebP with another size in its picture's header, 14 bits a side.
pub(super) fn webp_resized(webp: &[u8], width: u32, height: u32) -> Vec<u8> {
    // RIFF head, chunk head, signature byte.
    const SIZE_AT: usize = 12 + 8 + 1;
    let mut file = webp.to_vec();
    let alpha_and_version = file[SIZE_AT + 3] & 0xF0;
    let bits = (width - 1) | (height - 1) << 14;
    file[SIZE_AT..SIZE_AT + 4].copy_from_slice(&bits.to_le_bytes());
    file[SIZE_AT + 3] |= alpha_and_version;
    file
}

/// A PNG whose every byte is zero (black, or nothing where it has alpha).
pub(super) fn png_of_zeros(width: u32, height: u32, color: u8, depth: u8) -> Vec<u8> {
    let channels = match color {
        0 => 1,
        2 => 3,
        _ => 4,
    };
    let row = 1 + u64::from(width) * channels * u64::from(depth) / 8;
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, 0]);
    [
        b"\x89PNG\r\n\x1a\n".as_slice(),
        &drawn::png_chunk(*b"IHDR", &header),
        &drawn::png_chunk(*b"IDAT", &zlib_of_zeros(row * u64::from(height))),
        &drawn::png_chunk(*b"IEND", b""),
    ]
    .concat()
}

/// So many zeros, compressed to about a thousandth.
pub(super) fn zlib_of_zeros(bytes: u64) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut left = bytes;
    while left > 0 {
        let count = left.min(zeros.len() as u64);
        let slice = usize::try_from(count).expect("a mebibyte at most");
        encoder.write_all(&zeros[..slice]).expect("into memory");
        left -= count;
    }
    encoder.finish().expect("into memory")
}
