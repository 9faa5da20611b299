//! Lists that are the same are kept once, however many are told them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::entry::Listed;
use super::list::{Item, Items};

/// The lists of one upstream that somebody is told.
#[derive(Default)]
pub(super) struct Contents(Mutex<Vec<Content>>);

struct Content {
    hash: u64,
    generation: u64,
    items: Weak<Items>,
}

impl Contents {
    /// The list of these items, which is the one that others have who were told the same.
    pub(super) fn share(&self, items: Vec<Item>) -> Listed {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut hasher = DefaultHasher::new();
        items.iter().for_each(|item| item.json.hash(&mut hasher));
        let hash = hasher.finish();
        // Each step leaves the table whole.
        let mut contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        contents.retain(|content| content.items.strong_count() > 0);
        let same = contents.iter().filter(|content| content.hash == hash).find_map(|content| {
            let known = content.items.upgrade().filter(|known| known[..] == items[..])?;
            Some(Listed { items: known, generation: content.generation })
        });
        same.unwrap_or_else(|| {
            let listed = Listed {
                items: Arc::new(Items::new(items)),
                generation: NEXT.fetch_add(1, Ordering::Relaxed),
            };
            let items = Arc::downgrade(&listed.items);
            contents.push(Content { hash, generation: listed.generation, items });
            listed
        })
    }
}
