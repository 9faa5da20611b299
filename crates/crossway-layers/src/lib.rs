#![doc = include_str!("../README.md")]

pub mod audit;
pub mod authorize;
mod clock;
pub mod credentials;
pub mod limit;
pub mod limits;
pub mod names;
pub mod sanitize;
#[cfg(test)]
mod script;
mod stage;
pub mod timeout;
pub mod trace;

pub use audit::AuditLayer;
pub use authorize::AuthorizeLayer;
pub use clock::{Clock, SystemClock};
pub use credentials::CredentialsLayer;
pub use limit::LimitLayer;
pub use sanitize::SanitizeLayer;
pub use stage::{Staged, StagedFuture};
pub use timeout::TimeoutLayer;
pub use trace::TraceLayer;
