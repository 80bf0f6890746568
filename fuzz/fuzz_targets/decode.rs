//! Feeds `livecheck_fuzzing::decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::decode(input));
