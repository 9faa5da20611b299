//! Every bound of what `crossway serve` keeps of callers, with its value and the reason for it.

/// How many actors are kept (callers as of one tenant, with their rights), and how many views. Beyond that they are made anew, which takes microseconds.
pub(super) const ACTORS: usize = 16_384;

/// Of how many upstreams it is kept for a caller what was found out of them. Beyond that the first one's is found out anew.
pub(super) const ACTOR_UPSTREAMS: usize = 4;

/// How many users' shares are kept. From there on those that nobody has are forgotten, each time that there are twice as many.
pub(super) const SHARES: usize = 16_384;
