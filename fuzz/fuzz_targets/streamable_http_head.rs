#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/crossway-streamable-http/tests/corpora/target.rs"]
mod target;

fuzz_target!(|data: &[u8]| target::run(data));
