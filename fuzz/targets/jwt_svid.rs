#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| portreeve_core::fuzzing::fuzz_jwt_svid(data));
