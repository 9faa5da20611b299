//! Trace propagation (W3C Trace Context), and a span for each call.
//!
//! A client sends its trace in `_meta` (`traceparent`, `tracestate`; 2026-07-28, basic/index) or, over HTTP, in headers of the
//! same names. `_meta` takes precedence over the header, which the HTTP server puts into the request's extensions as a
//! [`ClientTrace`] ([`from_headers`]). Without either, a new trace begins.
//!
//! The call gets a span of its own in that trace, in `_meta` and as an extension, which the Streamable HTTP client sends as
//! headers.
//!
//! The `tracing` span has the target [`names::CALL`](crate::names::CALL) and level `INFO`. It records method, trace and span, and the
//! outcome when the call is over; never the content of messages. No span is made while it is disabled, or where the client's trace is
//! not sampled, as OpenTelemetry does by default (`ParentBased`).

mod error;
mod layer;
mod reply;

#[cfg(test)]
mod tests;

pub use error::NoTrace;
pub use layer::{ClientTrace, TraceLayer, from_headers};
