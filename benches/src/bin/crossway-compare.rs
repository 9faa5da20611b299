//! The comparison of Crossway with other bridges.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match crossway_benches::compare::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr is no error.
            let _ = writeln!(std::io::stderr(), "crossway-compare: {error:#}");
            ExitCode::from(2)
        }
    }
}
