//! Feeds `livecheck_fuzzing::large_jpeg`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::large_jpeg(input));
