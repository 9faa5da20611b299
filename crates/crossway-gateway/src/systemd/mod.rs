//! systemd: what the gateway says to its service manager, and sockets that the manager has bound for it.
//!
//! Both are told by the environment, and neither needs a file, a library or a bus of systemd's.

mod notify;
mod sockets;

pub use notify::{Notifier, NotifyError};
pub use sockets::{SocketError, Sockets};
