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
    let filter = filter(log).ok_or_else(|| LogError(log.to_owned()))?;
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

/// What a filter says, and nothing of rmcp unless it names it: rmcp, which the demo server is made with, logs whole messages,
/// which may hold secrets.
fn filter(text: &str) -> Option<Targets> {
    let filter: Targets = text.parse().ok()?;
    let is_named = filter.iter().any(|(target, _)| target.split("::").next() == Some("rmcp"));
    Some(if is_named { filter } else { filter.with_target("rmcp", LevelFilter::OFF) })
}

/// The log filter can't be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "--log {0:?} is not a filter; try a level (info, debug), or levels by crate (warn,crossway_stdio=debug)"
)]
pub struct LogError(String);

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
