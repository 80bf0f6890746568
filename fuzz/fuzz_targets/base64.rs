//! Feeds `livecheck_fuzzing::base64`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| livecheck_fuzzing::base64(input));
