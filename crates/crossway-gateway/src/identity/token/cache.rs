//! A cache of verified tokens.

use foldhash::HashMap;
use parking_lot::Mutex;

use super::Lifetime;
use crate::identity::caller::Caller;

/// The cached result of verifying a token. Its lifetime is checked again at each use.
#[derive(Debug, Clone)]
pub(in crate::identity) struct Remembered {
    pub(in crate::identity) caller: Caller,
    pub(in crate::identity) lifetime: Lifetime,
    /// The number of the key set that verified the token.
    pub(in crate::identity) keys: u64,
}

/// Verified tokens by their SHA-256, in two halves: a token that is not looked up while the
/// younger half fills up is dropped with the older half.
#[derive(Debug)]
pub(in crate::identity) struct Cache {
    halves: Mutex<Halves>,
    half: usize,
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<[u8; 32], Remembered>,
    old: HashMap<[u8; 32], Remembered>,
}

impl Cache {
    /// Creates a cache for at most this many tokens.
    pub(in crate::identity) fn new(tokens: usize) -> Self {
        Self { halves: Mutex::default(), half: (tokens / 2).max(1) }
    }

    /// Finds a verified token.
    pub(in crate::identity) fn find(&self, token: &[u8; 32]) -> Option<Remembered> {
        let mut halves = self.halves.lock();
        if let Some(found) = halves.young.get(token) {
            return Some(found.clone());
        }
        let found = halves.old.remove(token)?;
        halves.insert(*token, found.clone(), self.half);
        Some(found)
    }

    /// Adds a verified token.
    pub(in crate::identity) fn remember(&self, token: [u8; 32], remembered: Remembered) {
        let mut halves = self.halves.lock();
        halves.insert(token, remembered, self.half);
    }
}

impl Halves {
    fn insert(&mut self, token: [u8; 32], remembered: Remembered, half: usize) {
        if self.young.len() >= half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, remembered);
    }
}
