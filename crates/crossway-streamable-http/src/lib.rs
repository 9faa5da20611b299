#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
pub mod client;
mod param_headers;
#[cfg(feature = "server")]
pub mod server;

pub use param_headers::ParamHeaders;
