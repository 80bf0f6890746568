//! The reader of JPEGs on damaged files, at every size that it makes.

use std::panic::catch_unwind;

use livecheck_fuzzing::{large_jpeg, seeds};
use livecheck_image::{FileLimits, ScaledJpeg};

/// Of the bits behind the header so many are left as they are for each that is flipped.
const EVERY: usize = 5;

/// The seeds of the target: JPEGs as cameras write them.
fn files() -> Vec<(String, Vec<u8>)> {
    let files: Vec<_> = seeds::all()
        .into_iter()
        .filter(|(target, ..)| *target == "large_jpeg")
        .map(|(_, name, file)| (name, file))
        .collect();
    assert!(!files.is_empty());
    files
}

fn is_read(file: &[u8]) -> bool {
    ScaledJpeg::read(file, &FileLimits::default(), 0).is_ok_and(|jpeg| jpeg.is_some())
}

#[test]
fn what_cameras_write_is_read_and_its_beginnings_are_not() {
    for (name, file) in files() {
        assert!(is_read(&file), "{name}");
        // The end marker alone may be missing.
        assert!(is_read(&file[..file.len() - 2]), "{name} without an end");
        for length in 0..file.len() - 3 {
            assert!(!is_read(&file[..length]), "{name} cut to {length} bytes");
        }
    }
}

#[test]
fn a_flipped_bit_costs_the_picture_at_most() {
    for (name, mut file) in files() {
        let header = file
            .windows(2)
            .position(|marker| marker == [0xFF, 0xDA])
            .expect("a scan");
        for bit in (0..header * 8).chain((header * 8..file.len() * 8).step_by(EVERY)) {
            file[bit / 8] ^= 1 << (bit % 8);
            let outcome = catch_unwind(|| large_jpeg(&file));
            assert!(outcome.is_ok(), "{name}, bit {bit}");
            file[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
