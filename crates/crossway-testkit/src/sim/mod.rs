//! Simulated links in virtual time, with delay, duplicates and loss.
//!
//! For tests in tokio's paused time. [`SimUpstream`] is the way to a server that a test plays: over one two-way pipe
//! as on stdio and HTTP+SSE, or with a stream for each request as on Streamable HTTP. [`ClientEnd`] is the way of a
//! client to a link, in the same two shapes. All that happens by chance follows from a seed.

mod client;
mod lane;
mod pipe;
mod server;
mod streams;
mod upstream;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossway_proto::{Limits, Message};

pub use client::ClientEnd;
pub use server::{Arrived, ServerEnd, Way};
pub use upstream::SimUpstream;

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// All in one stream each way, in order: stdio, HTTP+SSE.
    Pipe,
    /// Each request and all that comes in its course in a stream of its own; streams overtake each other: Streamable
    /// HTTP.
    Streams,
}

/// What happens to messages on their way. Clones go on with one sequence of chances.
#[derive(Debug, Clone)]
pub struct Weather {
    chance: Arc<Mutex<u64>>,
    /// The longest that a message takes, in milliseconds; it may take none.
    delay: u64,
    /// Of how many messages one comes twice; none for 0.
    twice: u64,
}

impl Weather {
    /// Messages take up to `delay` milliseconds, and one of `twice` comes twice (0: none). Requests never do: no
    /// transport makes two of one.
    #[must_use]
    pub fn new(seed: u64, delay: u64, twice: u64) -> Self {
        // Such a generator stands still at 0.
        Self { chance: Arc::new(Mutex::new(seed | 1)), delay, twice }
    }

    /// A number below `bound`; 0 for 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        let mut state = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A message as it arrives: read from the bytes that were written.
fn over_the_wire(message: &Message) -> Message {
    Message::parse(message.to_bytes(), &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {message:?}"))
}
