//! The counts of a soak.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::Fault;
use crate::load::Durations;

/// The number of different faults that a record quotes.
const QUOTED: usize = 40;

/// The users' experience, in counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Turns that have ended.
    pub(crate) turns: u64,
    /// HTTP requests that were answered.
    pub(crate) requests: u64,
    /// Calls answered rightly.
    pub(crate) right: u64,
    /// Calls of tools that are not granted, refused like tools that do not exist.
    pub(crate) denied: u64,
    /// Calls answered with a typed error after the server was killed.
    pub(crate) told: u64,
    /// Lists that match the rights in force.
    pub(crate) lists: u64,
    /// Of these, lists without a server that was killed, or that took too long.
    pub(crate) partial: u64,
    /// Lists that took longer than the gateway waits for a server with an unknown list.
    pub(crate) late: u64,
    /// Streams of server messages that were opened and ended with their session.
    pub(crate) streams: u64,
    /// Notifications on these streams.
    pub(crate) notified: u64,
    /// Answers that were read slowly and completely.
    pub(crate) slow: u64,
    /// Clients that disconnected in the middle of a call.
    pub(crate) vanished: u64,
    /// Answers with something of another tenant.
    pub(crate) across: u64,
    /// Wrong answers.
    pub(crate) wrong: u64,
    /// Calls without an answer.
    pub(crate) lost: u64,
    /// Errors without a known cause.
    pub(crate) failed: u64,
}

impl Counts {
    /// Whether there were no faults.
    pub(crate) fn is_clean(&self) -> bool {
        (self.across, self.wrong, self.lost, self.failed) == (0, 0, 0, 0)
    }
}

/// All counts, and the times of calls since the last tick.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// The time of calls that were answered rightly, read at once, and not affected by a killed server.
    pub(crate) calls: Durations,
    /// The time of lists.
    pub(crate) lists: Durations,
    /// The faults in words, and how often each occurred.
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a fault.
    pub(crate) fn fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Across(_) => self.counts.across += 1,
            Fault::Wrong(_) => self.counts.wrong += 1,
            Fault::Lost(_) => self.counts.lost += 1,
            Fault::Failed(_) => self.counts.failed += 1,
        }
        let text = fault.to_string();
        if self.faults.len() < QUOTED || self.faults.contains_key(&text) {
            *self.faults.entry(text).or_default() += 1;
        }
    }
}
