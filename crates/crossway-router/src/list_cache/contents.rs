//! Deduplicates lists that several callers share.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::entry::Listed;
use super::list::{Item, Items};

/// The lists of one upstream that some caller holds.
#[derive(Default)]
pub(super) struct Contents {
    table: Mutex<Table>,
    bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Table {
    /// By a hash of the items.
    contents: HashMap<u64, Vec<Content>>,
    /// The number of hashes at which unused lists are removed.
    sweep_at: usize,
}

struct Content {
    generation: u64,
    items: Weak<Items>,
}

/// The bytes of a list, counted for as long as the list is held.
#[derive(Debug)]
pub(super) struct Counted {
    bytes: usize,
    in_all: Arc<AtomicUsize>,
}

impl Contents {
    /// Returns the list of these items: the same one that other callers with equal items hold.
    pub(super) fn share(&self, items: Vec<Item>) -> Listed {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut hasher = DefaultHasher::new();
        items.iter().for_each(|item| item.json.hash(&mut hasher));
        let hash = hasher.finish();
        let mut table = self.table.lock();
        table.sweep();
        let contents = table.contents.entry(hash).or_default();
        let same = contents.iter().find_map(|content| {
            let known = content.items.upgrade().filter(|known| known[..] == items[..])?;
            Some(Listed { items: known, generation: content.generation })
        });
        same.unwrap_or_else(|| {
            let counted = Counted::new(&items, &self.bytes);
            let listed = Listed {
                items: Arc::new(Items::new(items, Some(counted))),
                generation: NEXT.fetch_add(1, Ordering::Relaxed),
            };
            // The same list may come and go repeatedly.
            contents.retain(|content| content.items.strong_count() > 0);
            contents.push(Content { generation: listed.generation, items: Arc::downgrade(&listed.items) });
            listed
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let table = self.table.lock();
        table.contents.values().map(Vec::len).sum()
    }

    /// The number of bytes of the items of all lists in use.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Table {
    /// Removes unused lists, now and then.
    fn sweep(&mut self) {
        /// Fewer hashes are not worth a search.
        const FEW: usize = 16;
        if self.contents.len() < self.sweep_at {
            return;
        }
        self.contents.retain(|_, contents| {
            contents.retain(|content| content.items.strong_count() > 0);
            !contents.is_empty()
        });
        self.sweep_at = self.contents.len() * 2 + FEW;
    }
}

impl Counted {
    fn new(items: &[Item], in_all: &Arc<AtomicUsize>) -> Self {
        let bytes = items.iter().map(|item| item.json.len()).sum();
        in_all.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, in_all: Arc::clone(in_all) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.in_all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
