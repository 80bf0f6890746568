//! Feeds `livecheck_fuzzing::borders`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::borders(input));
