//! Trace propagation (W3C Trace Context), and a span for each call.
//!
//! A client says it in `_meta` (`traceparent`, `tracestate`; 2026-07-28, basic/index) or, over HTTP, in headers of the same
//! names. What is nearer to the call counts: `_meta`, then the header, for which whoever serves HTTP puts a
//! [`ClientTrace`] into the request's extensions ([`from_headers`]). Where neither says
//! anything, a trace begins.
//!
//! The call goes on as a span of its own in that trace: in `_meta` and as an extension, which the Streamable HTTP client
//! sends as headers.
//!
//! The span of `tracing` has the target [`names::CALL`](crate::names::CALL) and level `INFO`. It tells method, trace and span, and
//! when the call is over, its outcome; never what a message holds. While nobody wants such spans, none is made; nor where the client's trace is
//! not sampled, as OpenTelemetry does by default (`ParentBased`).

mod error;
mod layer;
mod reply;

#[cfg(test)]
mod tests;

pub use error::NoTrace;
pub use layer::{ClientTrace, TraceLayer, from_headers};
