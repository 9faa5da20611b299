#![cfg_attr(all(feature = "client", feature = "server"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "client", feature = "server")),
    doc = "MCP over HTTP+SSE, the transport of 2024-11-05."
)]

#[cfg(feature = "client")]
mod client;
mod limits;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "client")]
pub use client::{BadProxy, HttpSseUpstream, OpenError, Options, OptionsError, Proxies};
#[cfg(feature = "client")]
pub use limits::ClientLimits;
#[cfg(feature = "server")]
pub use limits::ServerLimits;
#[cfg(feature = "server")]
pub use server::{Body, Config, HttpSse, InvalidPath, ResponseFuture, SessionOwner};
