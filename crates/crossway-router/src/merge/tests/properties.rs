//! Properties over random upstreams and clients.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::timeout;

use super::*;

/// In paused time, on a runtime of its own.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

/// One item of a list: a name, and the text of which it stands in.
fn item() -> impl Strategy<Value = (String, String)> {
    let before =
        prop::sample::select(vec!["{", "{ \"n\":1.0, ", "{\"o\":{\"name\":\"Z\"},", "{\"日本\":[1e2] ,\n"]);
    let after = prop::sample::select(vec![
        "}",
        " }",
        ",\"inputSchema\":{\"name\":\"Q\"}}",
        ", \"d\":\"\\u0041\\/\" }",
    ]);
    ("[a-z_]{1,9}|[a-zé.]{1,90}", before, after, any::<bool>()).prop_map(
        |(name, before, after, is_escaped)| {
            let token = match (is_escaped, name.strip_prefix('a')) {
                (true, Some(rest)) => format!("\"\\u0061{rest}\""),
                _ => format!("\"{name}\""),
            };
            (name, format!("{before}\"name\":{token}{after}"))
        },
    )
}

/// An upstream's pages of items.
fn pages() -> impl Strategy<Value = Vec<Vec<(String, String)>>> {
    prop::collection::vec(prop::collection::vec(item(), 0..5), 1..5)
}

/// A server that gives these pages.
fn serve(server: Server, pages: Vec<Vec<(String, String)>>) {
    tokio::spawn(async move {
        while let Some(message) = server.receive().await {
            if !message.is_method("tools/list") {
                continue;
            }
            let cursor = message.member(crossway_proto::Part::Params, "cursor");
            // The first page's cursor is empty, which is a cursor too.
            let number = match cursor.map(|cursor| String::from_utf8(cursor.to_vec()).unwrap()) {
                None => 0,
                Some(cursor) if cursor == "\"\"" => 1,
                Some(cursor) => cursor.trim_matches('"').parse::<usize>().unwrap(),
            };
            let items: Vec<&str> = pages[number].iter().map(|(_, text)| text.as_str()).collect();
            let next = match number + 1 {
                next if next == pages.len() => String::new(),
                1 => r#","nextCursor":"""#.to_owned(),
                next => format!(r#","nextCursor":"{next}""#),
            };
            let tools = items.join(" , ");
            server.answer(&message.id().unwrap(), &format!(r#"{{"tools":[{tools}]{next},"ttlMs":0}}"#));
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_merged_list_is_all_lists_one_after_the_other_however_they_are_cut(
        upstreams in prop::collection::vec(pages(), 1..4),
    ) {
        let (answer, expected) = run(async {
            let rig = Rig::new(same());
            let (mut expected, mut taken) = (Vec::new(), std::collections::HashSet::new());
            for (number, pages) in upstreams.into_iter().enumerate() {
                let upstream = format!("up{number}");
                for (name, text) in pages.iter().flatten() {
                    let exposed = Prefixed::default().expose(&upstream, name).into_owned();
                    if taken.insert(exposed.clone()) {
                        // The name's token is the only one that is not within an object or an escape.
                        let token = text.find(&format!("\"name\":\"{name}\"")).map_or_else(
                            || format!("\"name\":\"\\u0061{}\"", &name[1..]),
                            |_| format!("\"name\":\"{name}\""),
                        );
                        expected.push(text.replacen(&token, &format!("\"name\":\"{exposed}\""), 1));
                    }
                }
                serve(rig.add(&upstream).await, pages);
            }
            (text(&rig.call(modern("1", "tools/list", "")).next().await), expected)
        });
        let tools = answer.split_once("\"tools\":").unwrap().1.strip_suffix("}}").unwrap();
        prop_assert_eq!(tools, format!("[{}]", expected.join(",")));
    }

    /// Clients of some keys listen under the same ids; each key's list changes at its own times.
    #[test]
    fn no_message_of_one_listener_reaches_another(
        keys in prop::collection::vec(0_usize..3, 1..7),
        changes in prop::collection::vec((0_usize..3, any::<bool>()), 0..8),
    ) {
        let (told, expected) = run(async {
            let rig = Rig::new(RouterOptions::default());
            let one = Arc::new(rig.add("one").await);
            let (listens, mut listened) = tokio::sync::mpsc::channel(64);
            let serving = Arc::clone(&one);
            tokio::spawn(async move {
                let mut number = 0;
                while let Some(message) = serving.receive().await {
                    let Some(id) = message.id() else { continue };
                    match ListKind::of(&message) {
                        // Each time it is another list.
                        Some(kind) => {
                            number += 1;
                            let list = format!(r#"{{"{}":[{{"name":"x{number}"}}],"ttlMs":3600000}}"#, kind.member());
                            serving.answer(&id, &list);
                        }
                        None => listens.send(id).await.unwrap(),
                    }
                }
            });
            let filter = [
                r#","notifications":{"toolsListChanged":true}"#,
                r#","notifications":{"promptsListChanged":true}"#,
                r#","notifications":{}"#,
            ];
            let mut listeners = Vec::new();
            let mut streams = BTreeMap::new();
            for (number, key) in keys.iter().enumerate() {
                // All have one id: they are clients of their own.
                let request = modern("1", "subscriptions/listen", filter[number % 3]);
                let mut listener = rig.call_for(request, keyed(&key.to_string()));
                assert!(listener.next().await.is_method("notifications/subscriptions/acknowledged"));
                listeners.push((*key, number % 3, listener));
                // One stream for each key whose clients want to hear of lists.
                if number % 3 < 2 && !streams.contains_key(key) {
                    streams.insert(*key, listened.recv().await.unwrap());
                }
            }
            let mut expected: BTreeMap<(usize, usize), usize> = BTreeMap::new();
            for (key, is_tools) in &changes {
                let Some(id) = streams.get(key) else { continue };
                let list = if *is_tools { "tools" } else { "prompts" };
                one.send(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/{list}/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
                ));
                *expected.entry((*key, usize::from(!is_tools))).or_default() += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let (mut told, mut wanted) = (Vec::new(), Vec::new());
            for (key, wants, mut listener) in listeners {
                let mut count = 0;
                while let Ok(Some(Ok(message))) = timeout(Duration::from_secs(1), listener.0.recv()).await {
                    assert_eq!(message.subscription_id(), Some(RequestId::from(1)));
                    let list = ["notifications/tools/list_changed", "notifications/prompts/list_changed"][wants];
                    assert!(message.is_method(list), "{message:?}");
                    count += 1;
                }
                told.push(count);
                wanted.push(expected.get(&(key, wants)).copied().unwrap_or_default());
            }
            (told, wanted)
        });
        prop_assert_eq!(told, expected);
    }
}
