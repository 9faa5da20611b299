//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// How long after its end a subscription is opened anew, at first: a server that was restarted is back soon.
pub const RELISTEN_FIRST: Duration = Duration::from_secs(1);

/// How long it takes at most, after the pause has doubled each time: servers without subscriptions are asked in vain.
pub const RELISTEN_MOST: Duration = Duration::from_secs(60);
