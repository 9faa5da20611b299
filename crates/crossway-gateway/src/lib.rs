#![doc = include_str!("../README.md")]

pub mod apis;
pub mod args;
mod banner;
mod bounds;
mod bridge;
mod check;
pub mod config;
mod connect;
mod cors;
mod demo;
#[cfg(unix)]
mod descriptors;
mod detect;
mod disabled;
mod eras;
mod error;
mod expand;
mod faces;
mod fleet;
mod health;
mod hex;
pub mod identity;
mod joined;
mod limits;
mod log;
mod member;
pub mod metrics;
mod openapi;
pub mod operations;
pub mod otlp;
mod outward;
mod pending;
pub mod plan;
mod redetect;
mod secret;
mod serve;
pub mod servers;
mod serving;
mod shutdown;
mod single;
mod stdio;
#[cfg(unix)]
pub mod systemd;
pub mod tls;
mod tools;
mod upstream_health;

/// A command that is being carried out.
///
/// Boxed here: the binary would hold all of it once more if it polled futures that only this crate knows the types of.
pub type Running = std::pin::Pin<Box<dyn Future<Output = Result<(), RunError>> + Send>>;

pub use bounds::{Bound as Limit, SET, bounds, limits, limits_page};
pub use bridge::bridge;
pub use check::check;
pub use crossway_router::guard::IdleTimeout;
pub use demo::demo;
#[cfg(unix)]
pub use descriptors::raise_descriptor_limit;
pub use detect::{AtUrl, DetectError, connect_url};
pub use error::RunError;
pub use expand::{ExpandError, expand};
pub use faces::{FaceBody, FaceFuture, Faces, Pair, encode_name};
pub use health::{HealthError, health};
pub use log::{
    LogError, LogFilterError, TARGETS as LOG_TARGETS, end as end_log, start as start_log,
    start_with as start_log_with, warn_of_authorities,
};
pub use openapi::{OpenApiError, openapi};
pub use secret::{Secret, Secrets};
pub use serve::{BoundListener, ServeError};
pub use serving::{Prepared, explain, tools};
pub use single::serve;
pub use stdio::stdio;
pub use tools::Tools;
