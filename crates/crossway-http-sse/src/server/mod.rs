//! The server: an upstream served at a URL.

mod body;
mod config;
mod read;
mod respond;
mod service;
mod session;
mod sessions;

pub use body::Body;
pub use config::{Config, InvalidPath};
pub use crossway_service::SessionOwner;
pub use service::{HttpSse, ResponseFuture};
