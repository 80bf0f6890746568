//! Feeds `livecheck_fuzzing::engine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::engine(input));
