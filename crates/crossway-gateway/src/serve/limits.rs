//! Every bound of what `crossway serve` keeps of callers, with its value and the reason for it.

/// The most actors (callers as of one tenant, with their rights) that are cached, and the most views. Further
/// ones are made again when needed, which takes microseconds.
pub(super) const ACTORS: usize = 16_384;

/// The most upstreams for which the rights of one caller are cached. Beyond that, the first of them is
/// determined again.
pub(super) const ACTOR_UPSTREAMS: usize = 4;

/// The most users' shares that are kept before unused ones are removed. After that, unused ones are removed
/// each time the number has doubled.
pub(super) const SHARES: usize = 16_384;

/// The most of all sessions that one tenant may have: 75 percent, so that a tenant that opens as many as it
/// can leaves some for the others.
pub(super) const SESSIONS_TENANT_PERCENT: usize = 75;

/// The most of all sessions that one user may have: 50 percent.
pub(super) const SESSIONS_USER_PERCENT: usize = 50;
