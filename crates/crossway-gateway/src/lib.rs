#![doc = include_str!("../README.md")]

pub mod args;
mod banner;
mod bounds;
mod commands;
pub mod config;
mod cors;
#[cfg(unix)]
mod descriptors;
mod error;
mod expand;
mod faces;
mod hex;
pub mod identity;
mod joined;
mod limits;
mod log;
pub mod metrics;
pub mod operations;
pub mod otlp;
mod outward;
pub mod plan;
mod secret;
mod serve;
pub mod servers;
mod serving;
mod shutdown;
#[cfg(unix)]
pub mod systemd;
pub mod tls;
mod tools;
pub mod upstream;

/// The future of a running command.
///
/// Boxed here: otherwise the binary would compile the whole future once more.
pub type Running = std::pin::Pin<Box<dyn Future<Output = Result<(), RunError>> + Send>>;

pub use bounds::{Bound as Limit, SET, bounds, limits, limits_page};
pub use commands::bridge::bridge;
pub use commands::check::check;
pub use commands::demo::demo;
pub use commands::health::{HealthError, health};
pub use commands::openapi::{OpenApiError, openapi};
pub use commands::single::serve;
pub use commands::stdio::stdio;
pub use crossway_router::guard::IdleTimeout;
#[cfg(unix)]
pub use descriptors::raise_descriptor_limit;
pub use error::RunError;
pub use expand::{ExpandError, expand};
pub use faces::{FaceBody, FaceFuture, Faces, Pair, encode_name};
pub use log::{
    LogError, LogFilterError, TARGETS as LOG_TARGETS, end as end_log, start as start_log,
    start_with as start_log_with, warn_of_authorities,
};
pub use secret::{Secret, Secrets};
pub use serve::{BoundListener, ServeError};
pub use serving::{Prepared, explain, tools};
pub use tools::Tools;
pub use upstream::detect::{AtUrl, DetectError, connect_url};
