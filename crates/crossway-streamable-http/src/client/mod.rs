//! The client: connects to an MCP server at a URL as an upstream.
//!
//! [`StreamableHttpUpstream`] speaks Streamable HTTP with it: a session of its own for each
//! [`Scope::Session`](crossway_service::Scope) link of a legacy client, and stateless requests for modern ones, on
//! either scope. [`probe()`] finds out which of both a server takes.
//!
//! # Ids
//!
//! Each request is an HTTP exchange of its own, so ids and progress tokens go out as they came. A legacy server tells
//! the requests of a session apart by their ids: give each client a session link of its own.
//!
//! # Replies
//!
//! No task stands behind a reply: it drives its connection while it is polled. A reader that stalls holds up its own
//! response by TCP, and nobody else's.

mod ahead;
mod answer;
mod endpoint;
mod ends;
mod era;
mod errands;
mod events;
mod exchange;
mod headers;
mod http;
mod limits;
mod listen;
mod mirror;
mod open;
mod options;
mod post;
mod probe;
mod retry;
mod session;
#[cfg(test)]
mod tests;
mod upstream;

pub use crossway_dial::{BadProxy, Proxies};
pub use era::Era;
pub use limits::Limits;
pub use options::{ConfigError, Options};
pub use probe::{ProbeError, Verdict, probe};
pub use upstream::StreamableHttpUpstream;
