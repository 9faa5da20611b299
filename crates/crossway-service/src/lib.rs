#![doc = include_str!("../README.md")]

mod call;
pub mod duplex;
mod error;
mod extensions;
mod limits;
mod link;
pub mod mux;
mod pump;
mod reply;
mod requests;
mod session;
mod share;
mod trace;
mod upstream;
mod why;

pub use call::{Ask, Call, Context, Origin};
pub use error::{CallError, Fault, Outcome, Reason};
pub use extensions::{Extensions, extension_of};
pub use limits::Limits;
pub use link::{Closing, Connection, Link};
pub use mux::{Mux, Outlet, Overflow};
pub use pump::Pump;
pub use reply::Reply;
pub use requests::RequestBound;
pub use session::{SessionHandles, SessionOwner, SessionState};
pub use share::{SessionPlace, SessionShare};
pub use trace::{BadTraceparent, TraceContext};
pub use upstream::{Layered, Scope, Upstream};
pub use why::Why;
