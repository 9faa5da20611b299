//! The limit of open files, which connections run into first.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// To how many open files the soft limit is raised, if the hard one allows: 65,536, for as many connections as there may be, and one with an
/// upstream for each, twice over. Shells and service managers set 1,024, for programs that can't count further.
const OPEN_FILES: u64 = 65_536;

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
