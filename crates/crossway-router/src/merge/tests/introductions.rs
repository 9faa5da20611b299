//! Instructions and server info of several upstreams.

use super::*;
use crate::limits::MERGED_INSTRUCTIONS;
use crate::{Access, AccessTarget, CallerSet};

const TOOL: &str = r#"[{"name":"t","inputSchema":{}}]"#;
const ONE: &str = "\n\n## one\n\n> I am one.";
const TWO: &str = "\n\n## two\n\n> I am two.";

async fn told(rig: &Rig, context: Context) -> String {
    let answer = rig.call_for(modern("1", "server/discover", ""), context).next().await;
    let result: serde_json::Value = serde_json::from_slice(answer.result().unwrap()).unwrap();
    let instructions = result["instructions"].as_str().unwrap().to_owned();
    let (_, joined) = instructions.split_once("their server's.").unwrap();
    joined.to_owned()
}

async fn list(rig: &Rig, context: Context) {
    rig.call_for(modern("2", "tools/list", ""), context).next().await;
}

#[tokio::test(start_paused = true)]
async fn instructions_are_joined_in_order_once_a_list_is_known() {
    let rig = Rig::new(same());
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    assert_eq!(told(&rig, Context::default()).await, "");
    tokio::join!(list(&rig, Context::default()), tell_tools(&two, TOOL), tell_tools(&one, TOOL));
    assert_eq!(told(&rig, Context::default()).await, [ONE, TWO].concat());
    rig.router.arrange(&["two", "one"]);
    assert_eq!(told(&rig, Context::default()).await, [TWO, ONE].concat());
    rig.router.remove("two");
    assert_eq!(told(&rig, Context::default()).await, ONE);
}

#[tokio::test(start_paused = true)]
async fn a_dead_upstream_and_one_of_which_nothing_is_listed_say_nothing() {
    let rig = Rig::new(same());
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    let _silent = rig.add("three").await;
    tokio::join!(list(&rig, Context::default()), tell_tools(&one, TOOL), tell_tools(&two, "[]"));
    assert_eq!(told(&rig, Context::default()).await, ONE);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_does_not_say_what_it_is_keeps_its_tools_and_is_waited_for_once() {
    let rig = Rig::new(same());
    let (upstream, mut servers): (_, Receiver<(Scope, Server)>) = Scripted::new();
    rig.router.insert("one", &upstream);
    let one = servers.recv().await.unwrap().1;
    tokio::join!(list(&rig, Context::default()), tell_tools(&one, TOOL));
    let began = tokio::time::Instant::now();
    list(&rig, Context::default()).await;
    assert_eq!((told(&rig, Context::default()).await.as_str(), began.elapsed().as_secs()), ("", 0));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_without_instructions_for_clients_is_not_asked_for_them() {
    let rig = Rig::new(same());
    let (upstream, mut servers): (_, Receiver<(Scope, Server)>) = Scripted::new();
    rig.router.insert_without_instructions("one", &upstream);
    let one = servers.recv().await.unwrap().1;
    let began = tokio::time::Instant::now();
    tokio::join!(list(&rig, Context::default()), tell_tools(&one, TOOL));
    assert_eq!((told(&rig, Context::default()).await.as_str(), began.elapsed().as_secs()), ("", 0));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_replaced_is_asked_again() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    tokio::join!(list(&rig, Context::default()), tell_tools(&one, TOOL));
    assert_eq!(told(&rig, Context::default()).await, ONE);
    let one = rig.add("one").await;
    tokio::join!(list(&rig, Context::default()), tell_tools(&one, TOOL));
    assert_eq!(told(&rig, Context::default()).await, ONE);
}

/// All may see all but the tools of `two`, and everybody is a tenant.
struct HalfHidden;

impl Access for HalfHidden {
    fn rights_group(&self, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn instructions_group(&self, context: &Context) -> CallerSet {
        context.extensions.get::<ScopeKey>().map_or(CallerSet::ThisCall, |key| CallerSet::Key(key.clone()))
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn can_see(&self, thing: &AccessTarget<'_>, _: &Context) -> bool {
        thing.upstream != "two"
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_an_upstream_without_having_been_given_something_of_it() {
    let rig = Rig::new(RouterOptions::default().access(HalfHidden));
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    tokio::join!(list(&rig, keyed("a")), tell_tools(&one, TOOL), tell_tools(&two, TOOL));
    assert_eq!(told(&rig, keyed("a")).await, ONE);
    // Others have the same list, and can't tell by it that it was asked for.
    assert_eq!(told(&rig, keyed("b")).await, "");
    list(&rig, keyed("b")).await;
    assert_eq!(told(&rig, keyed("b")).await, ONE);
    assert_eq!(told(&rig, Context::default()).await, "");
}

#[tokio::test(start_paused = true)]
async fn all_instructions_together_are_bounded() {
    let rig = Rig::new(same());
    let long = |name: &str| Introduced {
        upstream: Scripted::answering(|request| {
            let id = String::from_utf8(request.id().unwrap().as_json().to_vec()).unwrap();
            let result =
                format!(r#"{{"resultType":"complete","ttlMs":0,"cacheScope":"public","tools":{TOOL}}}"#);
            let is_list = request.is_method("tools/list");
            is_list
                .then(|| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
                .into_iter()
                .collect()
        }),
        name: format!("{name} {}", "x".repeat(2000)),
    };
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        rig.router.insert(name, &long(name));
    }
    list(&rig, Context::default()).await;
    let joined = told(&rig, Context::default()).await;
    assert!(joined.len() <= MERGED_INSTRUCTIONS && joined.matches("## ").count() == 8, "{}", joined.len());
    assert!(joined.contains("## a\n") && !joined.contains("## j\n"));
}
