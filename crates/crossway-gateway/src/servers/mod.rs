//! Servers files, as desktop clients have them.

mod comments;
mod entries;
mod error;
mod file;

pub use error::{FileError, Problem};
pub use file::{Entry, Server, ServersFile};
