//! Feeds `livecheck_fuzzing::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::session(input));
