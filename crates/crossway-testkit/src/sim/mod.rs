//! Simulated links in virtual time, with delay, duplicates and loss.
//!
//! For tests in tokio's paused time. [`SimUpstream`] leads to a server that a test plays: over one two-way pipe as on stdio and HTTP+SSE,
//! or with a stream for each request as on Streamable HTTP. [`ClientEnd`] leads from a client to a link, in the same two shapes. All random
//! choices follow from a seed.

mod client;
mod lane;
mod pipe;
mod server;
mod streams;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use crossway_proto::{Limits, Message};
use parking_lot::Mutex;

pub use client::ClientEnd;
pub use server::{Arrived, ServerEnd, Way};
pub use upstream::SimUpstream;

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One stream each way, in order: stdio, HTTP+SSE.
    Pipe,
    /// A stream for each request and the messages related to it; streams overtake each other: Streamable HTTP.
    Streams,
}

/// The delays and duplicates of messages. Clones continue one sequence of random numbers.
#[derive(Debug, Clone)]
pub struct Weather {
    chance: Arc<Mutex<u64>>,
    /// The longest delay of a message, in milliseconds; the shortest is none.
    delay: u64,
    /// One of so many messages comes twice; none if 0.
    twice: u64,
}

impl Weather {
    /// Delays messages by up to `delay` milliseconds, and duplicates one of `twice` (0: none). Requests are never duplicated: no transport
    /// does that.
    #[must_use]
    pub fn new(seed: u64, delay: u64, twice: u64) -> Self {
        // An xorshift generator would stay at 0.
        Self { chance: Arc::new(Mutex::new(seed | 1)), delay, twice }
    }

    /// Returns a random number below `bound`; 0 if that is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        let mut state = self.chance.lock();
        // Xorshift (Marsaglia 2003), its low bits left out.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 16).checked_rem(bound).unwrap_or_default()
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.below(self.delay + 1))
    }

    fn comes_twice(&self) -> bool {
        self.twice > 0 && self.below(self.twice) == 0
    }
}

/// Returns a message as it arrives: parsed from its bytes.
fn over_the_wire(message: &Message) -> Message {
    Message::parse(message.to_bytes(), &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {message:?}"))
}
