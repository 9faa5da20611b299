//! Logs: on standard error, since standard output may belong to a transport.

mod limits;
mod lines;

use std::io;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{LogArgs, LogFormat};
use crate::config::file::{LogFile, LogFormatFile};
use crate::otlp::SpanLayer;
use lines::Lines;

/// The process's log, once it is started.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Starts logging as the command line says, else as the config does, else from `info` on as text. Who logs never waits: a thread writes
/// the lines, and what is not read as fast as it comes is dropped and counted. [`end`] belongs at the process's end.
///
/// # Errors
///
/// When the filter can't be read, or there can be no thread.
pub fn start(args: &LogArgs, config: &LogFile) -> Result<(), LogError> {
    start_with(args, config, None)
}

/// The same, with the spans of calls going elsewhere too.
///
/// # Errors
///
/// When the filter can't be read, or there can be no thread.
pub fn start_with(args: &LogArgs, config: &LogFile, spans: Option<SpanLayer>) -> Result<(), LogError> {
    let log = args.log.as_deref().or(config.filter.as_deref()).unwrap_or("info");
    let filter = filter(log).ok_or_else(|| LogError::Filter(log.to_owned()))?;
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
    Ok(())
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

/// What a filter says, and nothing of rmcp unless it names it: rmcp, which the demo server is made with, logs whole messages,
/// which may hold secrets.
fn filter(text: &str) -> Option<Targets> {
    let filter: Targets = text.parse().ok()?;
    let is_named = filter.iter().any(|(target, _)| target.split("::").next() == Some("rmcp"));
    Some(if is_named { filter } else { filter.with_target("rmcp", LevelFilter::OFF) })
}

/// Logging can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter can't be read.
    #[error(
        "--log {0:?} is not a filter; try a level (info, debug), or levels by crate (warn,crossway_stdio=debug)"
    )]
    Filter(String),
    /// There can be no thread that writes.
    #[error("no thread for the log can be started")]
    Thread(#[source] io::Error),
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn rmcp_logs_nothing_unless_it_is_named_itself() {
        let is_heard = |text| filter(text).unwrap().would_enable("rmcp::service", &Level::ERROR);
        for text in ["trace", "info,crossway_rmcp=debug", "debug,crossway=trace"] {
            assert!(!is_heard(text), "{text}");
        }
        for text in ["rmcp=debug", "warn,rmcp::service=trace"] {
            assert!(is_heard(text), "{text}");
        }
        assert!(filter("warn,crossway_rmcp=debug").unwrap().would_enable("crossway_rmcp", &Level::DEBUG));
    }
}
