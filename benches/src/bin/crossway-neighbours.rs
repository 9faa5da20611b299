//! Good servers beside bad ones, and tenants beside those that exceed their quota.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match crossway_benches::neighbours::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // A closed stderr is no error.
            let _ = writeln!(std::io::stderr(), "crossway-neighbours: {error:#}");
            ExitCode::from(2)
        }
    }
}
