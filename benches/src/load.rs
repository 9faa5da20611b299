//! The load generator: runs whole sessions, checks answers, and measures costs.

mod address;
mod check;
mod cli;
mod client;
mod errand;
mod idle;
mod mailbox;
mod openapi_client;
mod phase;
mod progress;
mod report;
mod run;
mod session;
mod setups;
mod sse_client;
mod stdio_client;
mod tally;
mod template;
mod work;

pub use address::{Address, AddressError};
pub(crate) use check::Fault;
pub use cli::Cli;
pub(crate) use client::{Client, read_body};
pub(crate) use errand::tool_pages;
pub use errand::{Errand, requests_of};
pub use idle::{Idle, IdleReport, hold_sessions};
pub(crate) use progress::Progress;
pub(crate) use report::mib;
pub use report::{ProcessReport, Report};
pub use run::run;
pub(crate) use session::{Session, Slot};
pub use setups::{SetupReport, repeat, repeat_setups};
pub(crate) use tally::Durations;
pub use tally::{Counts, Latency};
pub use work::{Length, LoadError, Target, Work};
