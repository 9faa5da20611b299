//! The server: an upstream as an MCP endpoint, a `tower` service over HTTP bodies.

mod answer;
mod batch;
mod body;
mod config;
mod control;
mod endpoint;
mod events;
mod exchange;
mod failure;
mod future;
mod head;
pub mod http;
mod intake;
mod keep_alive;
mod limits;
mod modern;
mod post;
mod service;
mod session;
mod stop;
mod tools;
mod waiting;

pub use body::Body;
pub use config::Config;
pub use control::StreamControl;
pub use crossway_service::SessionOwner;
pub use future::ResponseFuture;
pub use limits::Limits;
pub use service::StreamableHttp;
