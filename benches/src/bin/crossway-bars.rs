//! The table of bars: crossway against the floor and against the server asked directly.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match crossway_benches::bars::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // A closed stderr is no error.
            let _ = writeln!(std::io::stderr(), "crossway-bars: {error:#}");
            ExitCode::from(2)
        }
    }
}
