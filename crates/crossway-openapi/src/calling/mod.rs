//! HTTP requests as tools: shared by REST upstreams and webhooks.

mod answer;
mod client;
mod connection;
pub(crate) mod credentials;
pub mod limits;
mod numbers;
mod options;
mod result;
mod secrets;

use std::time::{Duration, Instant, SystemTime};

pub(crate) use answer::{BodyKind, is_success, kind, refusal_of, result_of};
#[cfg(feature = "webhook")]
pub(crate) use answer::{mime, unmarked};
pub use client::HttpClient;

/// The `User-Agent` of requests.
pub(crate) const USER_AGENT: http::HeaderValue =
    http::HeaderValue::from_static(concat!("crossway/", env!("CARGO_PKG_VERSION")));

#[cfg(feature = "webhook")]
pub(crate) use client::Incoming;
pub(crate) use client::Outgoing;
pub(crate) use connection::{Called, Description, ToolSet, ToolSetConnection};
pub use credentials::{Attached, BadCredential};
pub use options::CallOptions;
pub(crate) use result::ToolResult;

/// The time that a call has left.
fn left(time: Duration, deadline: Option<Instant>) -> Duration {
    deadline.map_or(time, |deadline| time.min(deadline.saturating_duration_since(Instant::now())))
}

/// An unguessable number.
pub(crate) fn random() -> u128 {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // A system without randomness has no TLS either; the current time then makes the number unique.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        return since.map(|since| since.as_nanos()).unwrap_or_default();
    }
    u128::from_le_bytes(bytes)
}
