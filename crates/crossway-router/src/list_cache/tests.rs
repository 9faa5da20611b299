//! Bounds of the cache. The merged lists' tests cover what clients are told, and when.

use crossway_testkit::{Scripted, message};

use super::*;
use crate::ScopeKey;
use crate::list_cache::list::{Items, read_page};

/// The most views in these tests, and the most bytes of items.
const MOST: (usize, usize) = (8, 8000);

fn known() -> Arc<ListCache> {
    ListCache::bounded("one", &Scripted::new().0, true, MOST)
}

/// The entry of one user.
fn entry(known: &ListCache, user: usize) -> Arc<Entry> {
    let request = message(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#);
    let whose = CallerSet::Key(ScopeKey::new(format!("user-{user}")));
    let context = Context::default();
    let asker = Asker::new(&crate::access::AllowAll, &request, &context);
    known.entry(&View::new(whose, &ClientFeatures::of(&request)).unwrap(), &asker)
}

fn items(name: &str, long: usize) -> Vec<Item> {
    let padding = "x".repeat(long);
    let answer =
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"{name}","x":"{padding}"}}]}}}}"#);
    read_page(ListKind::Tools, &message(&answer)).unwrap().items
}

#[test]
fn items_whose_names_begin_with_one_of_some_texts_are_found_in_the_order_of_the_list() {
    let names = ["b", "ab", "a", "abc", "ac", "", "ab", "ä"];
    let items = Items::new(names.iter().flat_map(|name| items(name, 0)).collect(), None);
    for texts in
        [&[][..], &[""], &["ab"], &["ab", "b"], &["abc", "a"], &["ac", "ab", "ab"], &["ad"], &["z", "ä"]]
    {
        let wanted =
            names.iter().enumerate().filter(|(_, name)| texts.iter().any(|text| name.starts_with(text)));
        let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(items.beginning_with(&texts), wanted, "{texts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_most_views_those_go_that_were_not_asked_for_the_longest() {
    let known = known();
    let first = entry(&known, 0);
    for user in 1..MOST.0 {
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        entry(&known, user);
    }
    assert_eq!(known.views().len(), MOST.0);
    assert!(Arc::ptr_eq(&entry(&known, 0), &first));
    let newest = entry(&known, MOST.0);
    assert_eq!(known.views().len(), MOST.0 - MOST.0 / 4 + 1);
    assert!(Arc::ptr_eq(&entry(&known, MOST.0), &newest));
    assert!(!Arc::ptr_eq(&entry(&known, 0), &first), "it was the oldest");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_most_bytes_those_go_that_were_not_asked_for_the_longest() {
    let known = known();
    entry(&known, 0);
    entry(&known, 1);
    let held = known.contents.share(items("a", MOST.1 / 8));
    let same = known.contents.share(items("a", MOST.1 / 8));
    assert_eq!(held.generation, same.generation, "what is the same is kept once");
    let others: Vec<_> =
        (0..8).map(|other| known.contents.share(items(&format!("b{other}"), MOST.1 / 8))).collect();
    assert!(known.contents.bytes() > MOST.1);
    entry(&known, 2);
    assert_eq!(known.views().len(), 2, "one of two went, and one came");
    drop(others);
    assert!(known.contents.bytes() < MOST.1 / 4);
    entry(&known, 3);
    assert_eq!(known.views().len(), 3);
    drop((held, same));
    assert_eq!(known.contents.bytes(), 0);
}

#[tokio::test]
async fn a_list_that_comes_and_goes_leaves_nothing_behind() {
    let known = known();
    for _ in 0..100 {
        drop(known.contents.share(items("a", 8)));
    }
    assert_eq!(known.contents.len(), 1);
    for other in 0..100 {
        drop(known.contents.share(items(&format!("b{other}"), 8)));
    }
    assert!(known.contents.len() <= 32, "{}", known.contents.len());
}
