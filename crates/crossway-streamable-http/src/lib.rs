#![cfg_attr(all(feature = "client", feature = "server"), doc = include_str!("../README.md"))]
#![cfg_attr(not(all(feature = "client", feature = "server")), doc = "MCP over Streamable HTTP.")]

#[cfg(feature = "client")]
pub mod client;
mod param_headers;
#[cfg(feature = "server")]
pub mod server;

pub use param_headers::ParamHeaders;
