//! The soak: many users for a long time, while servers die, secrets change and configs are replaced.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match crossway_benches::soak::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "crossway-soak: {error:#}");
            ExitCode::from(2)
        }
    }
}
