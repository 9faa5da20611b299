//! Logs: on standard error, since standard output may belong to a transport.

use tracing_subscriber::EnvFilter;

use crate::args::{LogArgs, LogFormat};

/// Starts logging.
///
/// # Errors
///
/// When the filter can't be read.
pub fn start(args: &LogArgs) -> Result<(), LogError> {
    // rmcp, which the demo server is made with, logs whole messages: they may hold secrets.
    let filter = if args.log.contains("rmcp") { args.log.clone() } else { format!("{},rmcp=off", args.log) };
    let filter = EnvFilter::try_new(filter).map_err(|error| LogError(args.log.clone(), error.to_string()))?;
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    match args.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The log filter can't be read.
#[derive(Debug, thiserror::Error)]
#[error("--log {0:?} is not a filter ({1}); try a level such as info or debug")]
pub struct LogError(String, String);
