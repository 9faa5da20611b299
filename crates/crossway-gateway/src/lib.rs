#![doc = include_str!("../README.md")]

pub mod args;
mod background;
mod banner;
mod bounds;
mod commands;
pub mod config;
mod cors;
#[cfg(unix)]
mod descriptors;
mod error;
mod expand;
mod face_maker;
mod faces;
mod hex;
pub mod identity;
mod joined;
mod limits;
mod listener;
mod log;
pub mod metrics;
mod openapi_face;
pub mod operations;
pub mod otlp;
mod outward;
pub mod plan;
mod run;
mod secret;
mod serve;
pub mod servers;
mod shutdown;
#[cfg(unix)]
pub mod systemd;
pub mod tls;
pub mod upstream;

/// The future of a running command.
///
/// Boxed here: otherwise the binary would compile the whole future once more.
pub type Running = std::pin::Pin<Box<dyn Future<Output = Result<(), RunError>> + Send>>;

pub use bounds::{CONFIGURABLE, LimitRow, bounds, limits, limits_page};
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
pub use faces::{FaceBody, FaceFuture, Faces, UpstreamFaces};
pub use listener::{BoundListener, ServeError};
pub use log::{
    LogError, LogFilterError, TARGETS as LOG_TARGETS, end as end_log, start as start_log,
    start_with as start_log_with, warn_of_authorities,
};
pub use openapi_face::OpenApiFace;
pub use secret::{Secret, Secrets};
pub use serve::{Prepared, explain, tools};
pub use upstream::detect::{AtUrl, DetectError, connect_url};
