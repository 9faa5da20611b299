//! The limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::limits::OPEN_FILES;

/// Raises the soft limit of open files of this process, which its children inherit, and warns where the hard limit is too low for as
/// many connections of clients as there may be.
pub fn raise_descriptor_limit(connections: usize) {
    let needed = needed(connections);
    let now = getrlimit(Resource::Nofile);
    if let Some(limit) = now.maximum.filter(|limit| *limit < needed) {
        tracing::warn!(
            limit,
            needed,
            connections,
            "the hard limit of open files (RLIMIT_NOFILE) is lower than what so many connections need; raise it (ulimit -Hn, LimitNOFILE= of systemd, --ulimit of Docker), or serve fewer"
        );
    }
    let wanted = now.maximum.unwrap_or(u64::MAX).min(OPEN_FILES.max(needed));
    if now.current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..now }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// A file for each connection of a client, and one for a connection with an upstream on its behalf.
fn needed(connections: usize) -> u64 {
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_mul(2)
}
