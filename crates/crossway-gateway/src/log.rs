//! Logs: on standard error, since standard output may belong to a transport.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{LogArgs, LogFormat};
use crate::config::file::{LogFile, LogFormatFile};
use crate::otlp::SpanLayer;

/// Starts logging as the command line says, else as the config does, else from `info` on as text.
///
/// # Errors
///
/// When the filter can't be read.
pub fn start(args: &LogArgs, config: &LogFile) -> Result<(), LogError> {
    start_with(args, config, None)
}

/// The same, with the spans of calls going elsewhere too.
///
/// # Errors
///
/// When the filter can't be read.
pub fn start_with(args: &LogArgs, config: &LogFile, spans: Option<SpanLayer>) -> Result<(), LogError> {
    let log = args.log.as_deref().or(config.filter.as_deref()).unwrap_or("info");
    let filter: Targets = log.parse().map_err(|_| LogError(log.to_owned()))?;
    // rmcp, which the demo server is made with, logs whole messages: they may hold secrets.
    let filter = if log.contains("rmcp") { filter } else { filter.with_target("rmcp", LevelFilter::OFF) };
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
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
    Ok(())
}

/// The log filter can't be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "--log {0:?} is not a filter; try a level (info, debug), or levels by crate (warn,crossway_stdio=debug)"
)]
pub struct LogError(String);
