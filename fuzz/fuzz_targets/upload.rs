//! Feeds `livecheck_fuzzing::upload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::upload(input));
