//! Raises the limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::limits::OPEN_FILES;

/// Raises the soft limit of open files of this process, which its children inherit.
pub fn raise_descriptor_limit() {
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.unwrap_or(u64::MAX).min(OPEN_FILES);
    if now.current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..now }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
