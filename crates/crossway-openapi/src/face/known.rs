//! A cache of tool lists.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crossway_proto::{Message, Part};
use parking_lot::{Mutex, MutexGuard};

use super::kept::Kept;
use super::limits::{SEEN_BYTES, SEEN_LISTS};
use super::toolset::Toolset;

/// Tool lists that were read before, by their content. Callers with the same list share one; a caller never gets a list that was made of
/// another content.
#[derive(Default)]
pub(crate) struct Known {
    hasher: RandomState,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    /// Each with a hash of its bytes.
    lists: Kept<(u64, List)>,
    /// By the address of their first page's bytes. The pages are kept with them, so that nothing else can be at that address.
    seen: HashMap<(usize, usize), List>,
    seen_bytes: usize,
}

#[derive(Clone)]
struct List {
    pages: Arc<[Message]>,
    toolset: Arc<Toolset>,
}

impl Known {
    /// Returns the tools of a list.
    pub(crate) fn of(&self, pages: Vec<Message>) -> Arc<Toolset> {
        let place = place(&pages);
        if let Some(list) = self.tables().seen.get(&place)
            && are_same_place(&list.pages, &pages)
        {
            return Arc::clone(&list.toolset);
        }
        let hash = self.hasher.hash_one(pages.iter().map(tools_of).collect::<Vec<_>>());
        let is_it = |(of, list): &(u64, List)| {
            *of == hash && pages.iter().map(tools_of).eq(list.pages.iter().map(tools_of))
        };
        let found = self.tables().lists.find(is_it).map(|(_, list)| Arc::clone(&list.toolset));
        let toolset = found.unwrap_or_else(|| Arc::new(Toolset::of(&pages)));
        let list = List { pages: pages.into(), toolset: Arc::clone(&toolset) };
        let mut tables = self.tables();
        let bytes: usize = list.pages.iter().map(Message::len).sum();
        if tables.seen.len() >= SEEN_LISTS || tables.seen_bytes + bytes > SEEN_BYTES {
            tables.seen.clear();
            tables.seen_bytes = 0;
        }
        tables.seen_bytes += bytes;
        tables.seen.insert(place, list.clone());
        if tables.lists.find(|(_, known)| Arc::ptr_eq(&known.toolset, &toolset)).is_none() {
            tables.lists.keep((hash, list), bytes);
        }
        toolset
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock()
    }
}

fn tools_of(page: &Message) -> &[u8] {
    page.member(Part::Result, "tools").unwrap_or_default()
}

/// The address and length of a page's result in memory.
fn result_place(page: &Message) -> (usize, usize) {
    page.result().map_or((0, 0), |result| (result.as_ptr().addr(), result.len()))
}

fn place(pages: &[Message]) -> (usize, usize) {
    pages.first().map_or((0, 0), result_place)
}

fn are_same_place(known: &[Message], pages: &[Message]) -> bool {
    known.iter().map(result_place).eq(pages.iter().map(result_place)) && place(pages) != (0, 0)
}

#[cfg(test)]
mod tests {
    use crossway_proto::RequestId;

    use super::super::limits::KEPT_BYTES;
    use super::*;

    fn list(tools: &str) -> Vec<Message> {
        vec![Message::result_of(&RequestId::from(1), format!(r#"{{"tools":{tools}}}"#).as_bytes()).unwrap()]
    }

    #[test]
    fn the_same_list_is_read_once_wherever_it_is() {
        let known = Known::default();
        let (one, other) = (list(r#"[{"name":"a"}]"#), list(r#"[{"name":"b"}]"#));
        let first = known.of(one.clone());
        assert!(Arc::ptr_eq(&first, &known.of(one)));
        assert!(Arc::ptr_eq(&first, &known.of(list(r#"[{"name":"a"}]"#))));
        let second = known.of(other);
        assert!(second.find("b").is_some() && second.find("a").is_none());
    }

    #[test]
    fn lists_without_end_are_not_kept_for_ever() {
        let known = Known::default();
        let long = "x".repeat(KEPT_BYTES / 8);
        let of = |number: usize| list(&format!(r#"[{{"name":"{number}{long}"}}]"#));
        let first = Arc::downgrade(&known.of(of(0)));
        assert!(first.upgrade().is_some());
        (1..10).for_each(|number| drop(known.of(of(number))));
        assert!(first.upgrade().is_none());
    }
}
