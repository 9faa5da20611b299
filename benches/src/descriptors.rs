//! Raises the limit of open files, which thousands of sessions exceed first.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files of this process, which its children inherit, as far as possible towards `wanted`, and returns the
/// resulting limit.
pub(crate) fn raise_limit(wanted: u64) -> u64 {
    let now = getrlimit(Resource::Nofile);
    let current = now.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return current;
    }
    // Only a privileged process can exceed the hard limit; others get the hard limit.
    let hard = now.maximum.unwrap_or(u64::MAX);
    for (soft, hard) in [(wanted, hard.max(wanted)), (wanted.min(hard), hard)] {
        let limit = Rlimit { current: Some(soft), maximum: (hard != u64::MAX).then_some(hard) };
        if setrlimit(Resource::Nofile, limit).is_ok() {
            return soft;
        }
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_never_lowered() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(raise_limit(1) >= before);
        assert!(raise_limit(before.saturating_add(16)) >= before);
    }
}
