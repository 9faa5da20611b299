//! OTLP export of traces and metrics over HTTP as JSON (OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding").
//!
//! Spans are those of the `trace` layer, with its ids, so that upstreams and the collector get the same trace context.
//! Metrics are the scraped ones.

mod exporter;
pub mod limits;
mod metrics;
mod settings;
mod spans;
mod telemetry;

pub use exporter::Exporter;
pub use settings::{OtlpError, Settings};
pub use spans::SpanLayer;
pub use telemetry::Telemetry;
