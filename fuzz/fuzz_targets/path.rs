//! One line: see `fuzz_targets::fuzz_path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_targets::fuzz_path(data);
});
