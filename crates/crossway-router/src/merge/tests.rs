use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{Call, CallError, Context, Reply};
use crossway_testkit::{Scripted, Server, message, text};
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::ScopeKey;
use crate::list_cache::ListKind;

mod access;
mod changes;
mod clashes;
mod ended;
mod introductions;
mod lasting;
mod links;
mod properties;

fn modern(id: &str, method: &str, rest: &str) -> Message {
    message(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}{rest}}}}}"#
    ))
}

/// A reply that is read in the background, as transports do.
struct Asked(tokio::sync::mpsc::Receiver<Result<Message, CallError>>);

impl Asked {
    fn of(mut reply: Reply) -> Self {
        let (told, messages) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move {
            while let Some(item) = reply.next().await {
                if told.send(item).await.is_err() {
                    return;
                }
            }
        });
        Self(messages)
    }

    async fn next(&mut self) -> Message {
        self.0.recv().await.unwrap().unwrap()
    }

    async fn into_next(mut self) -> Message {
        self.next().await
    }
}

/// Says by itself what it is, so that tests need not look at it.
struct Introduced {
    upstream: Scripted,
    name: String,
}

impl Upstream for Introduced {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(IntroducedLink { link: self.upstream.connect(scope), name: self.name.clone() })
    }
}

struct IntroducedLink {
    link: Link,
    name: String,
}

impl crossway_service::Connection for IntroducedLink {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            crossway_service::Ask::Message(message) if message.is_method("server/discover") => {
                let said = format!(r#"{{"instructions":"I am {}."}}"#, self.name);
                Reply::once(Message::result_of(&message.id().unwrap(), said.as_bytes()).unwrap())
            }
            _ => self.link.call(call),
        }
    }
}

struct Rig {
    router: Router,
    link: Link,
}

impl Rig {
    fn new(options: RouterOptions) -> Self {
        let router = Router::new(options);
        Self { link: router.connect(Scope::Shared), router }
    }

    /// Adds an upstream; gives its server.
    async fn add(&self, name: &str) -> Server {
        let (upstream, mut servers): (_, Receiver<(Scope, Server)>) = Scripted::new();
        self.router.insert(name, &Introduced { upstream, name: name.to_owned() });
        servers.recv().await.unwrap().1
    }

    fn call(&self, message: Message) -> Asked {
        self.call_for(message, Context::default())
    }

    fn call_for(&self, message: Message, context: Context) -> Asked {
        Asked::of(self.link.call(Call::message(message, context)))
    }
}

fn same() -> RouterOptions {
    RouterOptions::default().same_for_all()
}

fn keyed(key: &str) -> Context {
    let mut context = Context::default();
    context.extensions.insert(ScopeKey::new(key));
    context
}

/// Answers what a server is asked until it is asked `method`. Gives that request's id.
async fn until(server: &Server, method: &str) -> RequestId {
    loop {
        let message = server.receive().await.unwrap();
        if message.is_method(method) {
            return message.id().unwrap();
        }
        assert!(message.is_method("subscriptions/listen"), "{message:?}");
    }
}

async fn tell_tools(server: &Server, tools: &str) {
    let id = until(server, "tools/list").await;
    server.answer(
        &id,
        &format!(r#"{{"resultType":"complete","ttlMs":0,"cacheScope":"public","tools":{tools}}}"#),
    );
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_too_long_for_its_list_is_known_to_do_so_until_it_tells_it() {
    let rig = Rig::new(same());
    let slow = rig.add("slow").await;
    let asked = rig.call(modern("1", "tools/list", ""));
    let id = until(&slow, "tools/list").await;
    assert!(text(&asked.into_next().await).contains(r#""tools":[]"#));
    let (_, state) = rig.router.states().remove(0);
    assert!(
        matches!(&state, ListState::Failing(why) if why.contains("has not answered within 5 s")),
        "{state:?}"
    );
    slow.answer(&id, r#"{"tools":[]}"#);
    while rig.router.states()[0].1 != ListState::Ready {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn lists_are_one_after_the_other_under_new_names_and_byte_for_byte() {
    let rig = Rig::new(same());
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    let mut list = rig.call(modern("1.0", "tools/list", ""));
    // Who answers first does not matter.
    tell_tools(&two, r#"[{"title":"T","name":"a","inputSchema":{"x":1.0}}]"#).await;
    tell_tools(&one, r#"[{"name":"a" },{"n":1,"name":"\u0062"}]"#).await;
    assert_eq!(
        text(&list.next().await),
        format!(
            r#"{{"jsonrpc":"2.0","id":1.0,"result":{{"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"crossway","version":"{}"}}}},"tools":[{{"name":"one__a" }},{{"n":1,"name":"one__b"}},{{"title":"T","name":"two__a","inputSchema":{{"x":1.0}}}}]}}}}"#,
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_known_costs_the_upstream_nothing() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut list = rig.call(modern("1", "tools/list", ""));
    tell_tools(&one, r#"[{"name":"a"}]"#).await;
    list.next().await;
    for id in 2..5 {
        let mut again = rig.call(modern(&id.to_string(), "tools/list", ""));
        let answer = again.next().await;
        assert_eq!(answer.id(), Some(RequestId::from(id)));
        assert!(text(&answer).contains("one__a"));
    }
    // The next thing that the upstream hears is a call.
    let _call = rig.call(modern("9", "tools/call", r#","name":"one__a""#));
    until(&one, "tools/call").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_to_its_upstream_under_the_name_there() {
    let rig = Rig::new(same());
    let (_one, two) = (rig.add("one").await, rig.add("two").await);
    let mut call = rig.call(modern(r#""c""#, "tools/call", r#","name":"two__x","arguments":{"a":1.50}"#));
    let request = two.receive().await.unwrap();
    assert_eq!(request.name().as_deref(), Some("x"));
    assert!(text(&request).contains(r#""arguments":{"a":1.50}"#));
    two.answer(&request.id().unwrap(), r#"{"content":[ ]}"#);
    assert_eq!(text(&call.next().await), r#"{"jsonrpc":"2.0","id":"c","result":{"content":[ ]}}"#);
    // Nobody is asked about a name that itself tells that it is nobody's.
    let unknown = text(&rig.call(modern("1", "tools/call", r#","name":"three__x""#)).next().await);
    assert!(unknown.contains(r#""code":-32602,"message":"Unknown tool: three__x""#), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn upstreams_hear_nothing_of_extensions_whose_methods_there_are_none_of() {
    for options in [same(), same().alone()] {
        let rig = Rig::new(options);
        let one = rig.add("one").await;
        for extensions in ["extensions", r"ext\u0065nsions"] {
            let tasks = format!(r#""{extensions}":{{"io.modelcontextprotocol/tasks":{{}}}}"#);
            let call = text(&modern("1", "tools/call", r#","name":"one__x""#));
            let call = call.replace(
                r#"clientCapabilities":{}"#,
                &format!(r#"clientCapabilities":{{"elicitation":{{}},{tasks}}}"#),
            );
            // A name that is no text hides the others.
            let unreadable = call.replace(r#""elicitation":{}"#, r#""\ud800":{}"#);
            for (call, heard) in [(call, r#"{"elicitation":{}}"#), (unreadable, "{}")] {
                let _call = rig.call(message(&call));
                let request = text(&one.receive().await.unwrap());
                assert!(request.contains(&format!(r#"clientCapabilities":{heard}"#)), "{request}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_cut_is_found_again() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let long = "x".repeat(100);
    let exposed = Prefixed::default().expose("one", &long).into_owned();
    let _call = rig.call(modern("1", "tools/call", &format!(r#","name":"{exposed}""#)));
    // It was not known before its list was.
    let first = one.receive().await.unwrap();
    if first.is_method("tools/call") {
        panic!("the name was taken apart though it was cut");
    }
    let id =
        if first.is_method("tools/list") { first.id().unwrap() } else { until(&one, "tools/list").await };
    one.answer(&id, &format!(r#"{{"tools":[{{"name":"{long}"}}]}}"#));
    loop {
        let request = one.receive().await.unwrap();
        if request.is_method("tools/call") {
            assert_eq!(request.name().as_deref(), Some(long.as_str()));
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_asks_nobody() {
    let rig = Rig::new(same());
    let _silent = rig.add("one").await;
    let answer = text(&rig.call(modern("1", "server/discover", "")).next().await);
    assert!(answer.contains(r#""supportedVersions":["2026-07-28"]"#) && answer.contains("one"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_is_left_out_and_is_told_of_when_it_is_back() {
    let rig = Rig::new(same());
    let (good, silent) = (rig.add("good").await, rig.add("silent").await);
    let mut listening =
        rig.call(modern(r#""l""#, "subscriptions/listen", r#","notifications":{"toolsListChanged":true}"#));
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    let mut list = rig.call(modern("1", "tools/list", ""));
    tell_tools(&good, r#"[{"name":"a"}]"#).await;
    let answer = text(&list.next().await);
    assert!(answer.contains("good__a") && !answer.contains("silent__"), "{answer}");
    assert_eq!(rig.router.states()[0].1, ListState::Ready);
    // It answers late: that is of use to the next one.
    tell_tools(&silent, r#"[{"name":"b"}]"#).await;
    let changed = listening.next().await;
    assert!(changed.is_method("notifications/tools/list_changed"));
    assert_eq!(changed.subscription_id(), Some(RequestId::from("l")));
    let answer = text(&rig.call(modern("2", "tools/list", "")).next().await);
    assert!(answer.contains("good__a") && answer.contains("silent__b"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_fails_keeps_its_last_list_and_is_marked() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut list = rig.call(modern("1", "tools/list", ""));
    tell_tools(&one, r#"[{"name":"a"}]"#).await;
    list.next().await;
    drop(one);
    tokio::time::advance(crate::limits::REFRESH_LEAST).await;
    for id in ["2", "3"] {
        assert!(text(&rig.call(modern(id, "tools/list", "")).next().await).contains("one__a"));
        tokio::task::yield_now().await;
    }
    while rig.router.states()[0].1 == ListState::Ready {
        tokio::task::yield_now().await;
    }
    assert!(matches!(&rig.router.states()[0].1, ListState::Stale(_)));
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_and_the_list_is_fetched_anew() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening =
        rig.call(modern("7.0", "subscriptions/listen", r#","notifications":{"toolsListChanged":true}"#));
    listening.next().await;
    let mut list = rig.call(modern("1", "tools/list", ""));
    let (mut listen, mut listed) = (None, None);
    while listen.is_none() || listed.is_none() {
        let message = one.receive().await.unwrap();
        let slot = if message.is_method("tools/list") { &mut listed } else { &mut listen };
        *slot = message.id();
    }
    one.answer(&listed.unwrap(), r#"{"tools":[{"name":"a"}]}"#);
    list.next().await;
    let id = listen.unwrap();
    one.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
    ));
    tell_tools(&one, r#"[{"name":"b"}]"#).await;
    let changed = listening.next().await;
    assert_eq!(changed.subscription_id().unwrap().as_json(), b"7.0");
    assert!(text(&rig.call(modern("2", "tools/list", "")).next().await).contains("one__b"));
}

#[tokio::test(start_paused = true)]
async fn who_has_another_key_sees_another_list_and_who_has_none_is_served_without_memory() {
    let rig = Rig::new(RouterOptions::default());
    let one = rig.add("one").await;
    for (key, tool) in [("a", "of_a"), ("b", "of_b")] {
        let mut list = rig.call_for(modern("1", "tools/list", ""), keyed(key));
        tell_tools(&one, &format!(r#"[{{"name":"{tool}"}}]"#)).await;
        assert!(text(&list.next().await).contains(tool));
    }
    for (key, tool) in [("a", "of_a"), ("b", "of_b")] {
        let answer = text(&rig.call_for(modern("2", "tools/list", ""), keyed(key)).next().await);
        assert!(answer.contains(tool), "{key}: {answer}");
    }
    for _ in 0..2 {
        let mut list = rig.call(modern("3", "tools/list", ""));
        tell_tools(&one, r#"[{"name":"anonymous"}]"#).await;
        assert!(text(&list.next().await).contains("anonymous"));
    }
}

#[tokio::test(start_paused = true)]
async fn long_lists_come_in_pages_and_a_foreign_cursor_is_refused() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut list = rig.call(modern("1", "tools/list", ""));
    let big = "x".repeat(crate::limits::LIST_PAGE_BYTES / 2);
    tell_tools(&one, &format!(r#"[{{"name":"a","d":"{big}"}},{{"name":"b","d":"{big}"}},{{"name":"c"}}]"#))
        .await;
    let first = list.next().await;
    let cursor = first.member(crossway_proto::Part::Result, "nextCursor").unwrap();
    let cursor = String::from_utf8(cursor.to_vec()).unwrap();
    let second = text(&rig.call(modern("2", "tools/list", &format!(r#","cursor":{cursor}"#))).next().await);
    assert!(
        second.contains("one__c") && !second.contains("one__a") && !second.contains("nextCursor"),
        "{second}"
    );
    for cursor in [r#""page-9""#, r#""x""#, "7"] {
        let refused =
            text(&rig.call(modern("3", "tools/list", &format!(r#","cursor":{cursor}"#))).next().await);
        assert!(refused.contains("-32602") && refused.contains(r#""outcome":"not sent""#), "{refused}");
    }
    let unknown = text(&rig.call(modern("5", "x/y", "")).next().await);
    assert!(unknown.contains("-32601") && unknown.contains(r#""outcome":"not sent""#), "{unknown}");
    let none = text(&rig.call(modern("4", "tools/list", r#","cursor":null"#)).next().await);
    assert!(none.contains("one__a"), "{none}");
}

#[tokio::test(start_paused = true)]
async fn resources_keep_their_uris_and_go_to_whom_they_belong() {
    let rig = Rig::new(same());
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    let mut read = rig.call(modern("1", "resources/read", r#","uri":"two://x/5""#));
    let serve = |server: Server, resources: &'static str, templates: &'static str| async move {
        let (mut listed, mut templated) = (false, false);
        while !(listed && templated) {
            let message = server.receive().await.unwrap();
            let Some(id) = message.id() else { continue };
            match message.method().as_deref() {
                Some("resources/list") => {
                    server.answer(&id, &format!(r#"{{"resources":{resources}}}"#));
                    listed = true;
                }
                Some("resources/templates/list") => {
                    server.answer(&id, &format!(r#"{{"resourceTemplates":{templates}}}"#));
                    templated = true;
                }
                _ => {}
            }
        }
        server
    };
    let (_one, two) = tokio::join!(
        serve(one, r#"[{"uri":"one://a"}]"#, "[]"),
        serve(two, r#"[{"uri":"two://a"}]"#, r#"[{"uriTemplate":"two://x/{id}"}]"#)
    );
    let id = until(&two, "resources/read").await;
    two.answer(&id, r#"{"contents":[]}"#);
    assert_eq!(read.next().await.kind(), Kind::Result);
    let unknown = text(&rig.call(modern("2", "resources/read", r#","uri":"three://x""#)).next().await);
    assert!(unknown.contains("-32602") && unknown.contains("Unknown resource: three://x"), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn upstreams_come_and_go_without_dropping_calls() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut call = rig.call(modern("1", "tools/call", r#","name":"one__x""#));
    let id = until(&one, "tools/call").await;
    assert!(rig.router.remove("one") && !rig.router.remove("one"));
    one.answer(&id, "{}");
    assert_eq!(call.next().await.kind(), Kind::Result);
    let gone = text(&rig.call(modern("2", "tools/call", r#","name":"one__x""#)).next().await);
    assert!(gone.contains("Unknown tool"), "{gone}");
    let _two = rig.add("two").await;
    let _again = rig.add("one").await;
    rig.router.arrange(&["one", "two"]);
    let names: Vec<_> = rig.router.states().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["one", "two"]);
}
