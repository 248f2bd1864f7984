//! One line: see `fuzz_targets::fuzz_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_targets::fuzz_record(data);
});
