//! The binary `crossway`: parses the command line and calls the library.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Context as _;
use crossway_gateway::RunError;
use crossway_gateway::args::{self, CheckArgs, Cli, Command, ExplainArgs};
use crossway_gateway::config::file::LogFile;
use tokio::runtime::Runtime;

/// Why: docs/decisions/0015-an-allocator-for-the-binary.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = args::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let (code, last) = match run(cli) {
        Ok(code) => (code, None),
        // The reader has read enough, such as `head`.
        Err(error) if is_closed_pipe(&error) => (ExitCode::SUCCESS, None),
        Err(error) => (ExitCode::from(exit_code(&error)), Some(format!("crossway: {error:#}"))),
    };
    crossway_gateway::end_log(last.as_deref());
    code
}

/// 2 for mistakes on the command line, 1 for later failures.
fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<RunError>().map_or(1, RunError::exit_code)
}

/// Whether the reader of standard output is gone.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { command, log } = cli;
    match command {
        Command::Bridge(args) => {
            start_log(&log)?;
            let threads = args.listen.threads.unwrap_or_else(|| threads(!args.command.is_empty()));
            runtime(threads, 0)?.block_on(crossway_gateway::bridge(args))?;
        }
        Command::Demo(args) => {
            start_log(&log)?;
            let threads = args.listen.threads.unwrap_or_else(|| threads(false));
            runtime(threads, 0)?.block_on(crossway_gateway::demo(args))?;
        }
        Command::Stdio(args) => {
            start_log(&log)?;
            one_thread()?.block_on(crossway_gateway::stdio(args))?;
        }
        Command::Tools(args) => {
            start_log(&log)?;
            let tools = one_thread()?.block_on(crossway_gateway::tools(args))?;
            write!(std::io::stdout(), "{tools}").context("can't write the list")?;
        }
        Command::OpenApi(args) => {
            start_log(&args.log(&log))?;
            let threads = threads(!args.is_of_urls());
            runtime(threads, 0)?.block_on(crossway_gateway::openapi(args))?;
        }
        Command::Serve(args) => {
            // The config also says what is logged, so this starts the log.
            let prepared = crossway_gateway::Prepared::new(args, &log)?;
            let threads = prepared.threads().unwrap_or_else(|| threads(false));
            runtime(threads, prepared.connections())?.block_on(prepared.serve())?;
        }
        Command::Health(args) => one_thread()?.block_on(crossway_gateway::health(args))?,
        Command::Explain(args) => return Ok(explain(&args)),
        Command::Check(args) => return check(&args),
        Command::Completions { shell } => {
            let mut completions = Vec::new();
            clap_complete::generate(shell, &mut args::command(), "crossway", &mut completions);
            std::io::stdout().write_all(&completions).context("can't write the completions")?;
        }
        Command::Man => args::write_man(&mut std::io::stdout()).context("can't write the man page")?,
        Command::Limits => {
            crossway_gateway::limits(&mut std::io::stdout().lock()).context("can't write the limits")?;
        }
        Command::Schema => {
            let schema = crossway_gateway::config::schema();
            writeln!(std::io::stdout(), "{schema}").context("can't write the schema")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// "Not permitted" exits with 1, so that it differs from "can't be told".
fn explain(args: &ExplainArgs) -> ExitCode {
    match crossway_gateway::explain(args, &mut std::io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crossway: {:#}", anyhow::Error::from(error));
            ExitCode::from(2)
        }
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let usable = crossway_gateway::check(args, &mut std::io::stdout().lock());
    let usable = usable.context("can't write what was found")?;
    Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn start_log(log: &args::LogArgs) -> Result<(), RunError> {
    crossway_gateway::start_log(log, &LogFile::default())?;
    crossway_gateway::warn_of_authorities();
    Ok(())
}

/// As many threads as processors; half as many in front of a command, whose processes need processors for each message as
/// well.
fn threads(in_front_of_a_command: bool) -> NonZeroUsize {
    let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let wanted = if in_front_of_a_command { processors.get().div_ceil(2) } else { processors.get() };
    NonZeroUsize::new(wanted).unwrap_or(NonZeroUsize::MIN)
}

/// A runtime for many clients, with this many threads and a raised limit of open files. It warns where that is too low for `connections`.
fn runtime(
    threads: NonZeroUsize,
    #[cfg_attr(not(unix), expect(unused_variables))] connections: usize,
) -> anyhow::Result<Runtime> {
    #[cfg(unix)]
    crossway_gateway::raise_descriptor_limit(connections);
    if threads == NonZeroUsize::MIN {
        return one_thread();
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads.get()).enable_all().build().context("can't start threads")
}

/// A runtime for one client, with one thread and little memory.
fn one_thread() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start the runtime")
}
