#![cfg_attr(all(feature = "face", feature = "rest", feature = "webhook"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "face", feature = "rest", feature = "webhook")),
    doc = "OpenAPI and MCP, both ways."
)]

#[cfg(any(feature = "rest", feature = "webhook"))]
mod calling;
#[cfg(any(feature = "face", feature = "rest", feature = "webhook"))]
mod checks;
#[cfg(feature = "face")]
pub mod face;
#[cfg(feature = "rest")]
pub mod rest;
#[cfg(any(feature = "face", feature = "rest"))]
mod strict;
#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(any(feature = "rest", feature = "webhook"))]
pub use calling::{Attached, BadCredential, CallOptions, HttpClient, limits};
#[cfg(any(feature = "rest", feature = "webhook"))]
pub use crossway_dial::{BadProxy, Proxies};
