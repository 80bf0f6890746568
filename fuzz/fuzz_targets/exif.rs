//! Feeds `livecheck_fuzzing::exif`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::exif(input));
