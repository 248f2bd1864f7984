//! One line: see `fuzz_targets::fuzz_credentials`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_targets::fuzz_credentials(data);
});
