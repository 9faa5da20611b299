//! Logging to standard error, since standard output may belong to a transport.

mod filter;
mod limits;
mod lines;

use std::io;
use std::sync::OnceLock;

use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{LogArgs, LogFormat};
use crate::config::file::{LogFile, LogFormatFile};
use crate::otlp::SpanLayer;
pub(crate) use filter::filter;
pub use filter::{LogFilterError, TARGETS};
use lines::Lines;

/// The process's log, once it is started.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Starts logging as the command line says, else `RUST_LOG`, else the config, else from `info` on as text. Who logs never waits: a thread writes
/// the lines, and what is not read as fast as it comes is dropped and counted. [`end`] belongs at the process's end.
///
/// # Errors
///
/// When the filter can't be read, unless it is of the environment, or when there can be no thread.
pub fn start(args: &LogArgs, config: &LogFile) -> Result<(), LogError> {
    start_with(args, config, None)
}

/// The same, with the spans of calls going elsewhere too.
///
/// # Errors
///
/// As [`start`].
pub fn start_with(args: &LogArgs, config: &LogFile, spans: Option<SpanLayer>) -> Result<(), LogError> {
    // What the environment says may be meant for another program.
    let of_environment = std::env::var("RUST_LOG").ok().filter(|text| args.log.is_none() && !text.is_empty());
    let (of_environment, unusable) = match of_environment.map(|text| filter::filter(&text)).transpose() {
        Ok(filter) => (filter, None),
        Err(error) => (None, Some(error)),
    };
    let said = args.log.as_deref().or(config.filter.as_deref()).unwrap_or(filter::DEFAULT);
    let filter = of_environment.map_or_else(|| filter::filter(said), Ok)?;
    let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
    let lines = Lines::start().map_err(LogError::Thread)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(LINES.get_or_init(|| lines).clone());
    let format = args.log_format.or(config.format.map(|format| match format {
        LogFormatFile::Text => LogFormat::Text,
        LogFormatFile::Json => LogFormat::Json,
    }));
    match format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => {
            let registry = tracing_subscriber::registry().with(spans.map(SpanLayer::filtered));
            registry.with(lines.with_ansi(is_terminal).with_filter(filter)).init();
        }
        LogFormat::Json => {
            let registry = tracing_subscriber::registry().with(spans.map(SpanLayer::filtered));
            registry.with(lines.json().flatten_event(true).with_filter(filter)).init();
        }
    }
    if let Some(error) = unusable {
        tracing::warn!(%error, "RUST_LOG is of no use here, and is left alone; --log says what to log as well");
    }
    Ok(())
}

/// Says that the file of authorities that the environment names can't be used: what is read of it later, when a server's certificate is to be
/// verified, is nothing, and says nothing of it.
pub fn warn_of_authorities() {
    let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) else { return };
    if let Err(error) = crate::tls::has_certificates(file.as_ref()) {
        let error = crate::error::told(&error);
        tracing::warn!(%error, "SSL_CERT_FILE can't be used, so that no server's certificate will verify");
    }
}

/// Writes a last line, behind all that was logged, and waits until the log is written, for two seconds at most.
pub fn end(last: Option<&str>) {
    match (LINES.get(), last) {
        (Some(lines), last) => {
            if let Some(last) = last {
                lines.take_last(last);
            }
            lines.flush();
        }
        (None, Some(last)) => eprintln!("{last}"),
        (None, None) => {}
    }
}

/// How many lines were dropped, since nobody read the log as fast as it came.
pub(crate) fn dropped() -> u64 {
    LINES.get().map_or(0, Lines::dropped)
}

/// Logging can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter can't be used.
    #[error(transparent)]
    Filter(#[from] LogFilterError),
    /// There can be no thread that writes.
    #[error("no thread for the log can be started")]
    Thread(#[source] io::Error),
}
