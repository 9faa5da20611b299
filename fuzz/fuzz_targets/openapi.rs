#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/crossway-openapi/tests/corpora/target.rs"]
mod target;

fuzz_target!(|data: &[u8]| target::run(data));
