//! Logging to standard error, since standard output may belong to a transport.

mod fields;
mod filter;
mod limits;
mod lines;

use std::io;
use std::sync::OnceLock;

use crossway_proto::printable_lines;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{LogArgs, LogFormat};
use crate::config::file::{LogFile, LogFormatFile};
use crate::otlp::SpanLayer;
use fields::PrintableFields;
pub(crate) use filter::filter;
pub use filter::{LogFilterError, TARGETS};
use lines::Lines;

/// The process's log, once it is started.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Starts logging by the command line, else `RUST_LOG`, else the config, else from `info` on as text. Logging never blocks: a thread
/// writes the lines, and lines that come faster than they are read are dropped and counted. Call [`end`] at the process's end.
///
/// # Errors
///
/// When the filter can't be parsed, unless it is from the environment, or when the thread can't be started.
pub fn start(args: &LogArgs, config: &LogFile) -> Result<(), LogError> {
    start_with(args, config, None)
}

/// Like [`start`], and passes the spans of calls to `spans`.
///
/// # Errors
///
/// As [`start`].
pub fn start_with(args: &LogArgs, config: &LogFile, spans: Option<SpanLayer>) -> Result<(), LogError> {
    // The environment's filter may be meant for another program.
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
            let lines = lines.fmt_fields(PrintableFields::default()).with_ansi(is_terminal);
            registry.with(lines.with_filter(filter)).init();
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

/// Warns if the file of authorities that the environment names can't be used. Later, when a server's certificate is verified, the file is
/// read as empty without an error.
pub fn warn_of_authorities() {
    let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) else { return };
    if let Err(error) = crate::tls::has_certificates(file.as_ref()) {
        let error = crossway_service::with_causes(&error);
        tracing::warn!(%error, "SSL_CERT_FILE can't be used, so that no server's certificate will verify");
    }
}

/// Writes a last line, or several, after everything that was logged, and waits until the log is written, for two seconds at most.
pub fn end(last: Option<&str>) {
    match (LINES.get(), last) {
        (Some(lines), last) => {
            if let Some(last) = last {
                lines.take_last(last);
            }
            lines.flush();
        }
        (None, Some(last)) => eprintln!("{}", printable_lines(last)),
        (None, None) => {}
    }
}

/// Waits until what was logged is written, for two seconds at most.
pub(crate) fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

/// The number of lines that were dropped because the log was not read as fast as it came, or because they were too long.
pub(crate) fn dropped() -> u64 {
    LINES.get().map_or(0, Lines::dropped)
}

/// Why logging can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter can't be used.
    #[error(transparent)]
    Filter(#[from] LogFilterError),
    /// The writer's thread can't be started.
    #[error("no thread for the log can be started")]
    Thread(#[source] io::Error),
}
