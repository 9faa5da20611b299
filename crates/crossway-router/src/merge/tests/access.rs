//! Access control of lists and calls.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossway_service::Context;
use futures_util::StreamExt;

use super::*;
use crate::access::{Access, AccessTarget, CallerSet};
use crate::limits::SIGHT_TIME;

/// Who sees the things whose names begin with their key; the upstream `shared` tells all the same, each other one has
/// lists for each key, and those that begin with a key are there for it alone.
pub(super) struct ByName;

fn key(context: &Context) -> &str {
    context.extensions.get::<ScopeKey>().map_or("", ScopeKey::as_str)
}

impl Access for ByName {
    fn rights_group(&self, context: &Context) -> CallerSet {
        CallerSet::Key(ScopeKey::new(key(context)))
    }

    fn list_group(&self, upstream: &str, context: &Context) -> CallerSet {
        match upstream.strip_prefix("only-") {
            Some(who) if who != key(context) => CallerSet::Nobody,
            Some(_) => CallerSet::Key(ScopeKey::new(key(context))),
            None => CallerSet::Everybody,
        }
    }

    fn can_see(&self, thing: &AccessTarget<'_>, context: &Context) -> bool {
        (thing.item.is_some() || thing.kind == ListKind::Resources) && thing.name.starts_with(key(context))
    }

    fn authorize(&self, thing: &AccessTarget<'_>, _: &Message, context: &mut Context) -> bool {
        thing.name.starts_with(key(context))
    }
}

fn rig() -> Rig {
    Rig::new(RouterOptions::default().access(ByName))
}

const BOTH: &str = r#"[{"name":"alice-x"},{"name":"bob-x"}]"#;

async fn listed(rig: &Rig, key: &str) -> String {
    text(&rig.call_for(modern("1", "tools/list", ""), keyed(key)).next().await)
}

#[tokio::test(start_paused = true)]
async fn each_sees_what_it_may_of_one_list_that_was_asked_for_once() {
    let rig = rig();
    let shared = rig.add("shared").await;
    let first = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed("alice")).into_next());
    tell_tools(&shared, BOTH).await;
    let alice = text(&first.await.unwrap());
    assert!(alice.contains("shared__alice-x") && !alice.contains("bob"), "{alice}");
    let bob = listed(&rig, "bob").await;
    assert!(bob.contains("shared__bob-x") && !bob.contains("alice"), "{bob}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_is_answered_as_what_does_not_exist() {
    let rig = rig();
    let (shared, _bobs) = (rig.add("shared").await, rig.add("only-bob").await);
    let mut answers = Vec::new();
    for name in ["shared__bob-x", "shared__bobby", "only-bob__bob-x", "only-bob__alice-x", "nothing__bob-x"] {
        for (method, what) in [("tools/call", "tool"), ("prompts/get", "prompt")] {
            let request = modern("1", method, &format!(r#","name":"{name}""#));
            let asked = tokio::spawn(rig.call_for(request, keyed("alice")).into_next());
            let answer = text(&asked.await.unwrap());
            answers.push(answer.replace(name, "NAME").replace(what, "thing"));
        }
    }
    // Of an upstream that is hidden, what bears the client's own key is not reached either, though nothing else hides it.
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(answers[0].contains("-32602"), "{answers:?}");
    // Nobody was asked for any of these.
    let _call = rig.call_for(modern("2", "tools/call", r#","name":"shared__alice-x""#), keyed("alice"));
    let call = shared.receive().await.unwrap();
    assert!(call.is_method("tools/call"), "{call:?}");
    assert_eq!(call.name().as_deref(), Some("alice-x"), "{call:?}");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_not_there_for_a_client_is_named_nowhere() {
    let rig = rig();
    let (_shared, _bobs) = (rig.add("shared").await, rig.add("only-bob").await);
    let discover = |key| rig.call_for(modern("1", "server/discover", ""), keyed(key));
    assert!(!text(&discover("alice").next().await).contains("only-bob"));
    assert!(text(&discover("bob").next().await).contains("only-bob"));
}

#[tokio::test(start_paused = true)]
async fn a_hidden_upstream_is_neither_asked_nor_waited_for_nor_told_of() {
    let rig = rig();
    let (shared, bobs) = (rig.add("shared").await, rig.add("only-bob").await);
    let mut listening = rig.call_for(
        modern("\"l\"", "subscriptions/listen", r#","notifications":{"toolsListChanged":true}"#),
        keyed("alice"),
    );
    listening.next().await;
    let first = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed("alice")).into_next());
    tell_tools(&shared, BOTH).await;
    assert!(text(&first.await.unwrap()).contains("alice-x"));
    // Bob's upstream has heard nothing of it: the first that it hears is Bob's.
    let bob = tokio::spawn(rig.call_for(modern("2", "tools/list", ""), keyed("bob")).into_next());
    tell_tools(&bobs, r#"[{"name":"bob-y"}]"#).await;
    assert!(text(&bob.await.unwrap()).contains("only-bob__bob-y"));
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(60), listening.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_are_told_the_same_have_one_merged_list_however_many_they_are() {
    // Each key has lists of its own, and all have the same rights.
    let rig = Rig::new(RouterOptions::default());
    let upstream = rig.add("one").await;
    for key in ["alice", "bob", "carol"] {
        let asked = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed(key)).into_next());
        tell_tools(&upstream, BOTH).await;
        assert!(text(&asked.await.unwrap()).contains("one__bob-x"));
    }
    assert_eq!(rig.router.0.ready.lock().all().count(), 1);
    let asked = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed("dave")).into_next());
    tell_tools(&upstream, r#"[{"name":"dave-x"}]"#).await;
    assert!(!text(&asked.await.unwrap()).contains("bob"));
    assert_eq!(rig.router.0.ready.lock().all().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_failed_for_one_is_asked_for_on_behalf_of_another_with_the_same_rights() {
    let rig = Rig::new(RouterOptions::default());
    let one = rig.add("one").await;
    let bob = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed("bob")).into_next());
    let id = until(&one, "tools/list").await;
    one.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32603,"message":"no"}}}}"#));
    assert!(text(&bob.await.unwrap()).contains(r#""tools":[]"#));
    let mut alice = rig.call_for(modern("2", "tools/list", ""), keyed("alice"));
    tokio::select! {
        early = alice.next() => panic!("{early:?}"),
        () = tell_tools(&one, r#"[{"name":"x"}]"#) => {}
    }
    assert!(text(&alice.next().await).contains("one__x"));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_failed_is_not_asked_for_again_where_nobody_comes_who_sees_the_same() {
    let rig = Rig::new(RouterOptions::default());
    let one = rig.add("one").await;
    let keyless = rig.call(modern("1", "tools/list", ""));
    let id = one.expect("tools/list").await;
    one.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32603,"message":"no"}}}}"#));
    assert!(text(&keyless.into_next().await).contains(r#""tools":[]"#));
    let asked = tokio::time::timeout(crate::limits::VIEW_IDLE, one.receive()).await;
    assert!(asked.is_err(), "{asked:?}");
}

/// As [`ByName`], but nothing is admitted that is not listed.
struct Listing;

impl Access for Listing {
    fn rights_group(&self, context: &Context) -> CallerSet {
        ByName.rights_group(context)
    }

    fn list_group(&self, upstream: &str, context: &Context) -> CallerSet {
        ByName.list_group(upstream, context)
    }

    fn authorize(&self, thing: &AccessTarget<'_>, _: &Message, _: &mut Context) -> bool {
        thing.item.is_some()
    }

    fn needs_item(&self, _: &str, _: ListKind, _: &Context) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn where_items_are_looked_at_a_call_is_told_why_they_are_not_known_if_their_upstream_is_there_for_it() {
    let rig = Rig::new(RouterOptions::default().access(Listing));
    let alices = rig.add("only-alice").await;
    let call = |name: &str, key| {
        rig.call_for(modern("\"c\"", "tools/call", &format!(r#","name":"{name}""#)), keyed(key))
    };
    let mut asked = call("only-alice__x", "alice");
    let id = until(&alices, "tools/list").await;
    let error =
        r#"{"code":-31001,"message":"get a token at https://a.test","data":{"credential":"missing"}}"#;
    alices.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
    let told = format!(r#"{{"jsonrpc":"2.0","id":"c","error":{error}}}"#);
    assert_eq!(text(&asked.next().await), told);
    // Nobody waits for it a second time.
    assert_eq!(text(&call("only-alice__x", "alice").next().await), told);
    // It says nothing to those for whom it is not there.
    let [hidden, none] = ["only-alice__x", "nothing__x"].map(|name| call(name, "bob"));
    let (hidden, none) = (text(&hidden.into_next().await), text(&none.into_next().await));
    assert_eq!(hidden.replace("only-alice", "nothing"), none);
    // Of one that has gone away it is known that the call was not sent, whatever became of the list's request.
    drop(rig.add("only-bob").await);
    let error = call("only-bob__x", "bob").0.recv().await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), crossway_service::Outcome::NotSent);
    assert!(!error.to_string().contains("it may be one of"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_list_is_not_known_in_time_does_not_say_that_its_server_was_asked() {
    let rig = Rig::new(RouterOptions::default().access(Listing));
    let _silent = rig.add("only-alice").await;
    let mut call = rig.call_for(modern("1", "tools/call", r#","name":"only-alice__x""#), keyed("alice"));
    let error = call.0.recv().await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), crossway_service::Outcome::NotSent);
    assert!(error.to_string().contains("a credential for it could not be had in time"), "{error}");
}

/// Shows and admits what is marked as good.
struct Good;

impl Access for Good {
    fn rights_group(&self, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn can_see(&self, thing: &AccessTarget<'_>, _: &Context) -> bool {
        thing.item.is_some_and(|item| item.ends_with(br#""good":1}"#))
    }

    fn needs_item(&self, _: &str, _: ListKind, _: &Context) -> bool {
        true
    }
}

/// Hides what is called `secret`, and says nothing of calls.
struct Hiding;

impl Access for Hiding {
    fn rights_group(&self, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn can_see(&self, thing: &AccessTarget<'_>, _: &Context) -> bool {
        thing.name != "secret"
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_may_see_nobody_may_call_unless_access_says_otherwise() {
    let rig = Rig::new(RouterOptions::default().access(Hiding));
    let one = rig.add("one").await;
    let call = |name: &str| rig.call(modern("1", "tools/call", &format!(r#","name":"one__{name}""#)));
    let answer = text(&call("secret").into_next().await);
    assert!(answer.contains("Unknown tool: one__secret"), "{answer}");
    let _call = call("public");
    assert_eq!(one.receive().await.unwrap().name().as_deref(), Some("public"));
}

#[tokio::test(start_paused = true)]
async fn a_call_asks_for_its_own_servers_list_alone_and_is_decided_by_the_item_that_is_listed() {
    let rig = Rig::new(RouterOptions::default().access(Good));
    let (one, _silent) = (rig.add("one").await, rig.add("silent").await);
    let call = |name: &str| rig.call(modern("1", "tools/call", &format!(r#","name":"one__{name}""#)));
    let twice = call("twice");
    let tools = r#"[{"name":"bad"},{"name":"twice"},{"name":"b"},{"name":"twice","good":1}]"#;
    tell_tools(&one, tools).await;
    let asked = until(&one, "tools/call").await;
    one.answer(&asked, r#"{"content":[]}"#);
    assert!(text(&twice.into_next().await).contains(r#""content":[]"#));
    for name in ["bad", "twic", "twicf", ""] {
        let answer = text(&call(name).into_next().await);
        assert!(answer.contains(&format!("Unknown tool: one__{name}")), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_uri_that_names_a_hidden_upstream_is_one_that_names_none() {
    let rig = rig();
    let (shared, _bobs) = (rig.add("shared").await, rig.add("only-bob").await);
    let answer = async |uri: &str| {
        let read = modern("1", "resources/read", &format!(r#","uri":"{uri}""#));
        let mut asked = rig.call_for(read, keyed(""));
        let answer = tokio::select! {
            answer = asked.0.recv() => answer.unwrap(),
            () = async {
                loop {
                    let message = shared.receive().await.unwrap();
                    let Some(id) = message.id().filter(|_| !message.is_method("subscriptions/listen")) else { continue };
                    if message.is_method("resources/read") {
                        shared.answer(&id, r#"{"contents":[]}"#);
                    } else {
                        shared.answer(&id, r#"{"resources":[{"uri":"u:a"}],"resourceTemplates":[]}"#);
                    }
                }
            } => unreachable!("it serves for ever"),
        };
        format!("{answer:?}").replace(uri, "URI")
    };
    assert_eq!(answer("crossway://only-bob/u:a").await, answer("crossway://nothing/u:a").await);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_not_told_to_those_who_see_nothing_of_it() {
    let rig = rig();
    let shared = rig.add("shared").await;
    let listen = r#","notifications":{"toolsListChanged":true}"#;
    let mut listening = Vec::new();
    for key in ["alice", "bob", ""] {
        let mut stream = rig.call_for(modern("\"l\"", "subscriptions/listen", listen), keyed(key));
        stream.next().await;
        listening.push(stream);
    }
    let id = shared.expect("subscriptions/listen").await;
    let changed = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
    );
    let list = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed("alice")).into_next());
    tell_tools(&shared, BOTH).await;
    list.await.unwrap();
    for (tools, hearing) in [
        // Of one item that is put in, of one that is another than before, and of one that is gone.
        (r#"[{"name":"alice-x"},{"name":"bob-w"},{"name":"bob-x"}]"#, [false, true, true]),
        (r#"[{"name":"alice-x","title":"X"},{"name":"bob-w"},{"name":"bob-x"}]"#, [true, false, true]),
        (r#"[{"name":"bob-w"},{"name":"bob-x"}]"#, [true, false, true]),
        // Of their order too, but only of what is seen.
        (r#"[{"name":"bob-x"},{"name":"bob-w"}]"#, [false, true, true]),
    ] {
        shared.send(&changed);
        tell_tools(&shared, tools).await;
        for (stream, hears) in listening.iter_mut().zip(hearing) {
            let heard = tokio::time::timeout(std::time::Duration::from_secs(1), stream.next()).await;
            assert_eq!(heard.is_ok(), hears, "{tools}: {heard:?}");
        }
    }
}

/// Counts how often it is asked for rights.
struct Counted(Arc<AtomicUsize>);

impl Access for Counted {
    fn rights_group(&self, _: &Context) -> CallerSet {
        self.0.fetch_add(1, Ordering::Relaxed);
        CallerSet::Everybody
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn can_see(&self, _: &AccessTarget<'_>, _: &Context) -> bool {
        true
    }

    fn authorize(&self, _: &AccessTarget<'_>, _: &Message, _: &mut Context) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn others_get_on_while_many_look_what_a_change_of_rights_is_to_them() {
    const LISTENING: usize = 40;
    let asked = Arc::new(AtomicUsize::new(0));
    let rig = Rig::new(RouterOptions::default().access(Counted(Arc::clone(&asked))));
    let _server = rig.add("one").await;
    let mut listening = Vec::new();
    for _ in 0..LISTENING {
        let listen = r#","notifications":{"toolsListChanged":true}"#;
        let mut stream = rig.call(modern("\"l\"", "subscriptions/listen", listen));
        stream.next().await;
        listening.push(stream);
    }
    // That of the server's insertion is over.
    tokio::time::sleep(SIGHT_TIME).await;
    asked.store(0, Ordering::Relaxed);
    rig.router.announce();
    rig.router.announce();
    for _ in 0..LISTENING * 4 {
        tokio::task::yield_now().await;
    }
    let at_once = asked.load(Ordering::Relaxed);
    assert!(at_once < LISTENING / 4, "{at_once} of {LISTENING} have looked at once");
    tokio::time::sleep(SIGHT_TIME).await;
    // Two changes are looked at once.
    assert_eq!(asked.load(Ordering::Relaxed), LISTENING);
}

/// An upstream with the resource `u:NAME`. Gives what whoever decided has left in the context of those who listen for it.
struct Listened(&'static str, tokio::sync::mpsc::Sender<Option<Left>>);

impl Upstream for Listened {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self(self.0, self.1.clone()))
    }
}

impl crossway_service::Connection for Listened {
    fn call(&self, call: Call) -> Reply {
        let crossway_service::Ask::Message(message) = &call.ask else { return Reply::silent() };
        let id = message.id().unwrap();
        let result = match ListKind::of(message) {
            Some(_) => format!(r#"{{"resources":[{{"uri":"u:{}"}}],"resourceTemplates":[]}}"#, self.0),
            None => {
                if text(message).contains("resourceSubscriptions") {
                    self.1.try_send(call.context.extensions.get().cloned()).unwrap();
                    let acknowledged = format!(
                        r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"resourceSubscriptions":["u:{}"]}}}}}}"#,
                        self.0
                    );
                    let first = futures_util::stream::iter([Ok(self::message(&acknowledged))]);
                    return Reply::stream(first.chain(futures_util::stream::pending()));
                }
                return Reply::silent();
            }
        };
        Reply::once(Message::result_of(&id, result.as_bytes()).unwrap())
    }
}

/// What is left in the context of a call: the upstream that it was decided for.
#[derive(Debug, Clone, PartialEq)]
struct Left(String);

/// Admits whatever is asked, until it is told not to.
struct Until(std::sync::atomic::AtomicBool);

impl Access for std::sync::Arc<Until> {
    fn rights_group(&self, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn can_see(&self, _: &AccessTarget<'_>, _: &Context) -> bool {
        !self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn authorize(&self, thing: &AccessTarget<'_>, _: &Message, context: &mut Context) -> bool {
        context.extensions.insert(Left(thing.upstream.to_owned()));
        self.can_see(thing, context)
    }
}

#[tokio::test(start_paused = true)]
async fn resources_are_listened_for_as_it_was_decided_for_their_upstream_until_it_is_decided_otherwise() {
    let access = Arc::new(Until(false.into()));
    let rig = Rig::new(RouterOptions::default().access(Arc::clone(&access)));
    let (listens, mut listened) = tokio::sync::mpsc::channel(8);
    for name in ["a", "b"] {
        rig.router.insert(name, &Listened(name, listens.clone()));
    }
    let uris = r#","notifications":{"resourceSubscriptions":["u:b","u:a"]}"#;
    let mut listening = rig.call(modern("\"l\"", "subscriptions/listen", uris));
    assert!(text(&listening.next().await).contains(r#"["u:a","u:b"]"#));
    for name in ["a", "b"] {
        assert_eq!(listened.recv().await.unwrap(), Some(Left(name.to_owned())));
    }
    rig.router.announce();
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(1), listening.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    access.0.store(true, std::sync::atomic::Ordering::Relaxed);
    rig.router.announce();
    let last = tokio::time::timeout(std::time::Duration::from_secs(1), listening.next()).await;
    assert!(last.unwrap().is_response());
}
