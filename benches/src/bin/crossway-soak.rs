//! The soak: many users for a long time, while servers are killed, secrets change and configs are replaced.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match crossway_benches::soak::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // A closed stderr is no error.
            let _ = writeln!(std::io::stderr(), "crossway-soak: {error:#}");
            ExitCode::from(2)
        }
    }
}
