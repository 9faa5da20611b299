//! The client: connects to an MCP server at a URL as an upstream.
//!
//! [`StreamableHttpUpstream`] speaks Streamable HTTP with it: each [`Scope::Session`](crossway_service::Scope) link of a
//! legacy client has its own session, and modern clients make stateless requests, on either scope.
//! [`StreamableHttpUpstream::probe`] detects which of both a server accepts.
//!
//! # Ids
//!
//! Each request is a separate HTTP exchange, so ids and progress tokens are sent unchanged, except those of modern requests
//! on a [`Scope::Shared`](crossway_service::Scope) link: several clients share it, so they are replaced by numbers that no
//! other such request has, and put back in what the server says. A legacy server tells the requests of a session apart by
//! their ids: give each client its own session link.
//!
//! # Replies
//!
//! A reply has no task: it drives its connection while it is polled. A reader that stalls holds up only its own response,
//! by TCP.

mod ahead;
mod alias;
mod answer;
mod endpoint;
mod ends;
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
pub use limits::Limits;
pub use options::{Options, OptionsError};
pub use probe::{ProbeError, Verdict};
pub use upstream::StreamableHttpUpstream;
