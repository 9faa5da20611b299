//! Every bound of this crate, with its value and the reason for it.

use std::time::Duration;

/// How long after its end a subscription is opened anew, at first: a server that was restarted is back soon.
pub const RELISTEN_FIRST: Duration = Duration::from_secs(1);

/// How long it takes at most, after the pause has doubled each time: servers without subscriptions are asked in vain.
pub const RELISTEN_MOST: Duration = Duration::from_secs(60);

/// How many sessions with one upstream a pool may have: 256. Each may be a process.
pub const POOL_SESSIONS: usize = 256;

/// How long a pooled session is kept that nobody uses: 5 minutes, more than lies between two turns of a chat.
pub const POOL_IDLE: Duration = Duration::from_secs(300);

/// How often it is looked for sessions that nobody uses.
pub const POOL_SWEEP: Duration = Duration::from_secs(15);

/// How long a server may take to open a session: 30 s. Servers that are fetched and compiled when they start take long.
pub const OPEN_TIME: Duration = Duration::from_secs(30);

/// How many calls may wait for their clients' answers, at one upstream: 1,024. Each holds a session.
pub const PARKED_CALLS: usize = 1024;

/// How long a call waits for its client's answer: 10 minutes, time for a person to think.
pub const PARKED_TIME: Duration = Duration::from_secs(600);

/// How many changes wait for one who listens: 256. Who falls behind further is told to listen anew.
pub const CHANGES: usize = 256;

/// How many requests of a server's wait for a call that could answer them: 16.
pub const ORPHANS: usize = 16;
