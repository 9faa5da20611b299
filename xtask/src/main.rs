//! The repository's own commands: `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod compare;
mod deploy;
mod features;
mod fuzz;
mod guide;
mod install;
mod instructions;
mod interop;
mod open_webui;
mod openapi;
mod place;

/// The repository's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tries Crossway with other implementations of MCP, and writes what works with what to docs/interop.md.
    ///
    /// Needs npm and Python 3.10 or newer, and installs pinned versions of everything else below target/interop.
    Interop(interop::Options),
    /// Runs every command and config of the pages in docs/ and the README, checks their links, and builds the book.
    ///
    /// Needs npm and Python 3.10 or newer; CONTRIBUTING.md says how a page marks what is run.
    Guide(guide::Options),
    /// Puts Crossway between a real Open WebUI and tool servers, and checks what each user gets and each server sees.
    ///
    /// Needs Python 3.11 or 3.12 with venv, and installs pinned versions of Open WebUI and all that it needs below
    /// target/openwebui.
    Openwebui(open_webui::Options),
    /// Compares Crossway with other bridges, and writes docs/comparison.md with a chart and a dated record.
    ///
    /// Needs npm and Python 3.10 or newer, installs pinned versions of the others below target/compare, and takes half an hour or more.
    Compare(compare::Options),
    #[command(flatten)]
    Deploy(deploy::Command),
    /// Compares `crossway openapi` with mcpo before the same servers, and has schemathesis try both.
    ///
    /// Needs Python 3.11 or newer, and installs pinned versions of everything else below target/openapi.
    Openapi(openapi::Options),
    /// Checks that each library builds without features and with each feature alone.
    Features,
    /// Runs each fuzz target for ten minutes, and fails if one finds something.
    ///
    /// Needs cargo-fuzz and a C++ compiler; see fuzz/README.md.
    Fuzz(fuzz::Options),
    /// Counts the instructions of the hot paths, and fails if they are more than benches/instructions.json has.
    ///
    /// Needs valgrind.
    Instructions(instructions::Options),
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let outcome = match command {
        Command::Interop(options) => interop::run(options),
        Command::Guide(options) => guide::run(&options),
        Command::Openwebui(options) => open_webui::run(options),
        Command::Compare(options) => compare::run(&options),
        Command::Deploy(command) => deploy::run(&command),
        Command::Openapi(options) => openapi::run(options),
        Command::Features => features::run(),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Instructions(options) => instructions::run(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
