#![doc = include_str!("../README.md")]

mod batch;
mod calls;
mod compose;
mod edit;
mod error;
pub mod http_rules;
mod id;
pub mod keys;
mod known;
mod limits;
pub mod line;
mod message;
mod newline;
pub mod peek;
mod printable;
mod revision;
mod scan;
mod slices;
pub mod sse;
mod stamp;
mod text;

pub use batch::Incoming;
pub use calls::{CallKey, Calls, NotOpened, Owner};
pub use compose::ResultMembers;
pub use edit::{Layout, NotAnObject, Part};
pub use error::{ErrorCode, ErrorObject, Outcome, ParseError};
pub use id::RequestId;
pub use limits::Limits;
pub use message::{Ambiguous, Kind, Message};
pub use printable::{escape, excerpt, is_misread, printable, printable_lines};
pub use revision::{Era, Revision, UnknownRevision};
pub use scan::is_lookalike;
pub use slices::Slices;
pub use stamp::{NotStamped, Stamp};
