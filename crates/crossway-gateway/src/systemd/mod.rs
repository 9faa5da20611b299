//! systemd integration: readiness messages and socket activation.
//!
//! Both are configured by environment variables, and neither needs a file, a library or a bus of systemd's.

mod notify;
mod sockets;

pub use notify::{Notifier, NotifyError};
pub use sockets::{SocketError, Sockets};
