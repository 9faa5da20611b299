//! A cache of verified tokens.

use std::sync::{Mutex, PoisonError};

use foldhash::HashMap;

use super::Lifetime;
use crate::identity::caller::Caller;

/// What is remembered of a verified token. When it is valid is asked each time anew.
#[derive(Debug, Clone)]
pub(in crate::identity) struct Remembered {
    pub(in crate::identity) caller: Caller,
    pub(in crate::identity) lifetime: Lifetime,
    /// Which set of keys has verified it.
    pub(in crate::identity) keys: u64,
}

/// Verified tokens by their SHA-256. Two halves: what is not asked for while the younger half
/// fills up is forgotten with the older one.
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
    /// Of at most so many tokens.
    pub(in crate::identity) fn new(tokens: usize) -> Self {
        Self { halves: Mutex::default(), half: (tokens / 2).max(1) }
    }

    /// A token that was verified.
    pub(in crate::identity) fn find(&self, token: &[u8; 32]) -> Option<Remembered> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.young.get(token) {
            return Some(found.clone());
        }
        let found = halves.old.remove(token)?;
        halves.insert(*token, found.clone(), self.half);
        Some(found)
    }

    /// Remembers a token that was verified.
    pub(in crate::identity) fn remember(&self, token: [u8; 32], remembered: Remembered) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
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
