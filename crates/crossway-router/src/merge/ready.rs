//! A cache of merged lists.

use std::collections::HashMap;
use std::sync::Arc;

use super::lists::Merged;
use crate::access::CallerSet;
use crate::limits::{MERGED_BYTES, MERGED_LISTS};
use crate::list_cache::ListKind;

/// Stands for the list of an upstream that a client does not see. No list has this generation.
pub(super) const HIDDEN: u64 = u64::MAX;

/// Identifies a merged list: callers with the same rights and the same upstream lists share one.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) kind: ListKind,
    pub(super) rights: CallerSet,
    /// The generation of the upstreams, then of each upstream's list; 0 where the list is not known.
    pub(super) made_of: Vec<u64>,
}

/// Merged lists that are ready. The least recently used is dropped first.
#[derive(Default)]
pub(super) struct Ready {
    lists: HashMap<Key, Held>,
    bytes: usize,
    /// Rises with each use.
    now: u64,
}

struct Held {
    merged: Arc<Merged>,
    size: usize,
    used: u64,
}

impl Ready {
    pub(super) fn find(&mut self, key: &Key) -> Option<Arc<Merged>> {
        let held = self.lists.get_mut(key)?;
        self.now += 1;
        held.used = self.now;
        Some(Arc::clone(&held.merged))
    }

    pub(super) fn insert(&mut self, key: Key, merged: &Arc<Merged>) {
        let size = merged.size();
        self.now += 1;
        self.bytes += size;
        let held = Held { merged: Arc::clone(merged), size, used: self.now };
        if let Some(before) = self.lists.insert(key, held) {
            self.bytes -= before.size;
        }
        if self.lists.len() > MERGED_LISTS || self.bytes > MERGED_BYTES {
            self.shrink();
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Merged>> {
        self.lists.values().map(|held| &held.merged)
    }

    /// Keeps the most recently used lists, up to half of the bounds, so that shrinking is rare.
    fn shrink(&mut self) {
        let mut by_use: Vec<(u64, usize)> = self.lists.values().map(|held| (held.used, held.size)).collect();
        by_use.sort_unstable_by_key(|(used, _)| std::cmp::Reverse(*used));
        let mut bytes = 0;
        let kept = by_use.iter().take(MERGED_LISTS / 2).take_while(|(_, size)| {
            bytes += size;
            bytes <= MERGED_BYTES / 2
        });
        // The newest stays, however large it is.
        let oldest = kept.last().or(by_use.first()).map_or(0, |(used, _)| *used);
        self.lists.retain(|_, held| held.used >= oldest);
        self.bytes = self.lists.values().map(|held| held.size).sum();
    }
}
