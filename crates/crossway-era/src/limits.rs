//! Every bound of this crate, with its value and the reason for it.

/// The most resources that one client may subscribe to: 4,096, more than a person can look at.
pub const SUBSCRIPTIONS: usize = 4096;

/// The most rounds of input that one call may take: 16. A server that goes on asking asks in circles.
pub const ROUNDS: u32 = 16;

/// The most questions of one round: 64.
pub const QUESTIONS: usize = 64;
