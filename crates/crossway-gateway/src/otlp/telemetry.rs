//! Starts the metrics and the OTLP export of a process.

use super::{Exporter, OtlpError, Settings, SpanLayer};
use crate::metrics::Metrics;

/// The metrics of a process, and what sends them and its spans to a collector, if something is to.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// The metrics.
    pub metrics: Metrics,
    /// What sends.
    pub exporter: Option<Exporter>,
    /// Whether spans are wanted.
    pub is_traced: bool,
}

impl Telemetry {
    /// As OpenTelemetry's variables say, by a function that gives them. The layer has to be among the subscriber's.
    ///
    /// # Errors
    ///
    /// When a variable can't be read.
    pub fn from_env(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Option<SpanLayer>), OtlpError> {
        let metrics = Metrics::new();
        let Some(settings) = Settings::from_env(variable)? else {
            return Ok((Self { metrics, exporter: None, is_traced: false }, None));
        };
        let (exporter, spans) = Exporter::new(settings, metrics.clone());
        Ok((Self { metrics, exporter: Some(exporter), is_traced: spans.is_some() }, spans))
    }
}
