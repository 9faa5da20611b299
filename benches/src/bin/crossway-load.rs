//! A load generator for MCP servers and bridges that checks every answer.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match crossway_benches::load::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // A closed stderr is no error.
            let _ = writeln!(std::io::stderr(), "crossway-load: {error:#}");
            ExitCode::from(2)
        }
    }
}
