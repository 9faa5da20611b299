//! Every bound of what is sent by OTLP, with its default and the reason for it.

use std::time::Duration;

/// The most spans that wait to be sent: 4,096, some megabytes. More are dropped and counted: a collector that
/// is away must not hold up calls.
pub const SPANS_WAITING: usize = 4096;
/// The most spans in one request: 512, the default of the OpenTelemetry specification.
pub const SPANS_AT_ONCE: usize = 512;
/// How often spans are sent: each 5 seconds, the default of the OpenTelemetry specification.
pub const SPANS_EVERY: Duration = Duration::from_secs(5);
/// How often metrics are sent: each 60 seconds, the default of the OpenTelemetry specification.
pub const METRICS_EVERY: Duration = Duration::from_secs(60);
/// How long a request may take: 10 seconds, the default of the OpenTelemetry specification.
pub const REQUEST: Duration = Duration::from_secs(10);
/// How long sending the rest at the end may take, spans and metrics together: 10 seconds, as long as one
/// request. The end of a pod must not depend on a collector.
pub const END: Duration = Duration::from_secs(10);
/// The most attributes of a span: 16, more than are ever set.
pub const ATTRIBUTES: usize = 16;
