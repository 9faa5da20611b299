#![doc = include_str!("../README.md")]

mod call;
pub mod duplex;
mod error;
mod error_text;
mod extensions;
mod limits;
mod link;
pub mod mux;
mod pump;
mod reply;
mod request_limiter;
mod session;
mod session_limiter;
mod sole_task;
mod time;
mod trace;
mod upstream;
mod waker_slot;

pub use call::{Ask, Call, Context, Origin};
pub use error::{CallError, Fault, Outcome, Reason};
pub use error_text::{ErrorText, with_causes};
pub use extensions::{Extensions, extension_of};
pub use limits::Limits;
pub use link::{Closing, Connection, Link};
pub use mux::{Mux, Outlet, Overflow};
pub use pump::Pump;
pub use reply::Reply;
pub use request_limiter::RequestLimiter;
pub use session::{SessionHandles, SessionOwner, SessionState};
pub use session_limiter::{SessionLimiter, SessionPermit};
pub use sole_task::{Running, SoleTask};
pub use time::later;
pub use trace::{BadTraceparent, TraceContext};
pub use upstream::{Layered, Scope, ServiceLayer, Upstream};
pub use waker_slot::WakerSlot;
