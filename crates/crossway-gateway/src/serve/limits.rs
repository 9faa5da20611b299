//! Every bound of what `crossway serve` keeps of callers, with its value and the reason for it.

/// How many actors are kept (callers as of one tenant, with their rights), and how many views. Beyond that they are made anew, which takes microseconds.
pub(super) const ACTORS: usize = 16_384;

/// Of how many upstreams it is kept for a caller what was found out of them. Beyond that the first one's is found out anew.
pub(super) const ACTOR_UPSTREAMS: usize = 4;

/// How many users' shares are kept. From there on those that nobody has are forgotten, each time that there are twice as many.
pub(super) const SHARES: usize = 16_384;

/// How many of all sessions one tenant may have: 75 percent, so that one that opens as many as it can leaves places for the others.
pub(super) const SESSIONS_TENANT_PERCENT: usize = 75;

/// How many of all sessions one user may have: 50 percent.
pub(super) const SESSIONS_USER_PERCENT: usize = 50;
