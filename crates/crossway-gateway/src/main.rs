//! `crossway`: reads the command line, and hands it to the library.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use crossway_gateway::RunError;
use crossway_gateway::args::{self, Cli, Command};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crossway: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// 2 for a command line that can't be carried out, 1 for what failed on the way.
fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<RunError>().map_or(1, RunError::exit_code)
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut args::command(), "crossway", &mut std::io::stdout());
            return Ok(());
        }
        Command::Man => return args::write_man(&mut std::io::stdout()).context("can't write the man page"),
        _ => crossway_gateway::start_log(&cli.log).map_err(RunError::from)?,
    }
    match cli.command {
        Command::Bridge(args) => {
            runtime(args.listen.threads)?.block_on(crossway_gateway::bridge(args))?;
        }
        Command::Demo(args) => runtime(args.listen.threads)?.block_on(crossway_gateway::demo(args))?,
        Command::Stdio(args) => one_thread()?.block_on(crossway_gateway::stdio(args))?,
        Command::Completions { .. } | Command::Man => {}
    }
    Ok(())
}

/// Many clients: as many threads as asked for.
fn runtime(threads: Option<std::num::NonZeroUsize>) -> anyhow::Result<Runtime> {
    if threads.is_some_and(|threads| threads.get() == 1) {
        return one_thread();
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.get());
    }
    builder.enable_all().build().context("can't start threads")
}

/// One client: one thread, and little memory.
fn one_thread() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start the runtime")
}
