//! Timeouts: ends calls that are silent or run for too long, and tells the upstream.
//!
//! "Implementations **SHOULD** establish timeouts for all sent requests [...] When the request has not received a success or error
//! response within the timeout period, the sender **SHOULD** issue a cancellation notification for that request"; progress may
//! reset the clock, but "implementations **SHOULD** always enforce a maximum timeout" (2025-11-25, basic/lifecycle, Timeouts).
//!
//! A call's own [deadline](crossway_service::Context::deadline) counts as well. `subscriptions/listen` and the standing stream of
//! legacy revisions are silent by nature, and have no timeout.
//!
//! The idle time keeps running while a legacy server waits for the client's answer (sampling, elicitation, roots). Where that matters,
//! use `crossway_router::guard::IdleTimeout`, which stops it meanwhile.

mod error;
mod layer;
mod reply;
mod timer;

#[cfg(test)]
mod tests;

pub use error::Elapsed;
pub use layer::TimeoutLayer;
