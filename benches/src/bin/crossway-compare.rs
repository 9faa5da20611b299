//! The comparison of Crossway with other bridges.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match crossway_benches::compare::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "crossway-compare: {error:#}");
            ExitCode::from(2)
        }
    }
}
