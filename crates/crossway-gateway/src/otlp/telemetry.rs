//! Starts the metrics and the OTLP export of a process.

use super::{Exporter, OtlpError, Settings, SpanLayer};
use crate::metrics::Metrics;

/// The metrics of a process, and the exporter to a collector, if one is configured.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// The metrics.
    pub metrics: Metrics,
    /// The exporter of metrics and spans.
    pub exporter: Option<Exporter>,
    /// Whether spans are exported.
    pub is_traced: bool,
}

impl Telemetry {
    /// Reads OpenTelemetry's variables by a function that returns them. The returned layer has to be added to the subscriber.
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
