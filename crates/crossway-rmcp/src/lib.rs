#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
mod client;
mod convert;
#[cfg(feature = "server")]
mod handler;
#[cfg(feature = "server")]
mod limits;

#[cfg(feature = "client")]
pub use client::ClientTransport;
pub use convert::ConvertError;
#[cfg(feature = "server")]
pub use handler::HandlerUpstream;
