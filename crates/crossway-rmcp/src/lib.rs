#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
mod client;
#[cfg(any(feature = "client", feature = "server"))]
mod convert;
mod error;
#[cfg(feature = "server")]
mod handler;
#[cfg(feature = "server")]
mod limits;

#[cfg(feature = "client")]
pub use client::ClientTransport;
pub use error::ConvertError;
#[cfg(feature = "server")]
pub use handler::HandlerUpstream;
