//! Writes the fuzzer's seed inputs into `fuzz/corpus`.

use std::fs;

use crossway_testkit::fuzz::{corpus, seeds};

fn main() -> std::io::Result<()> {
    for target in seeds::TARGETS {
        let directory = corpus(target);
        fs::create_dir_all(&directory)?;
        for (at, seed) in seeds::of(target).iter().enumerate() {
            fs::write(directory.join(format!("seed-{at:02}")), seed)?;
        }
    }
    Ok(())
}
