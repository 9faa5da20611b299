//! Subscriptions that end, and what follows.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;

use super::*;
use crate::access::{Access, AccessTarget, CallerSet};
use crate::limits::CHANGES;

const A_LITTLE: Duration = Duration::from_secs(5);

const RESOURCES: &str = r#","notifications":{"resourceSubscriptions":["u:a"]}"#;

fn cancelled(id: &RequestId) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
}

/// Tells a resource, `u:a`, and takes the subscription to it, whose id it gives.
async fn subscribed(server: &Server) -> RequestId {
    subscribed_to(server, "u:a").await
}

/// The same of another resource.
async fn subscribed_to(server: &Server, uri: &str) -> RequestId {
    loop {
        let message = server.receive().await.unwrap();
        let Some(id) = message.id() else { continue };
        match message.method().as_deref().unwrap() {
            "resources/list" => server.answer(&id, &format!(r#"{{"resources":[{{"uri":"{uri}"}}]}}"#)),
            "resources/templates/list" => server.answer(&id, r#"{"resourceTemplates":[]}"#),
            "subscriptions/listen" if text(&message).contains("resourceSubscriptions") => {
                server.send(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{{"resourceSubscriptions":["{uri}"]}}}}}}"#
                ));
                return id;
            }
            _ => {}
        }
    }
}

/// The last message of a listen stream: its answer.
async fn end(listening: &mut Asked) {
    let last = timeout(A_LITTLE, listening.next()).await.expect("an end");
    assert_eq!(last.kind(), Kind::Result, "{last:?}");
    assert!(listening.0.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_an_upstream_cancels_is_asked_for_anew() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let _asked = rig.call(modern("1", "tools/list", ""));
    let listens = async || loop {
        let message = one.receive().await.unwrap();
        if message.is_method("subscriptions/listen") {
            return message.id().unwrap();
        }
    };
    let id = listens().await;
    one.send(&cancelled(&id));
    timeout(A_LITTLE, listens()).await.expect("another subscription");
}

#[tokio::test(start_paused = true)]
async fn who_is_subscribed_to_a_resource_hears_that_the_upstream_ends_it() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", RESOURCES));
    let id = subscribed(&one).await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    one.send(&cancelled(&id));
    end(&mut listening).await;
}

/// An upstream whose streams for resources are others on the way here.
struct Altered(Scripted, fn(Reply) -> Reply);

impl Upstream for Altered {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(AlteredLink(self.0.connect(scope), self.1))
    }
}

struct AlteredLink(Link, fn(Reply) -> Reply);

impl crossway_service::Connection for AlteredLink {
    fn call(&self, call: Call) -> Reply {
        let is_altered = matches!(&call.ask, crossway_service::Ask::Message(message)
            if message.is_method("subscriptions/listen") && text(message).contains("resourceSubscriptions"));
        let reply = self.0.call(call);
        if is_altered { self.1(reply) } else { reply }
    }
}

/// Adds such an upstream; gives its server.
async fn add_altered(rig: &Rig, alter: fn(Reply) -> Reply) -> Server {
    let (upstream, mut servers) = Scripted::new();
    rig.router.insert("one", &Altered(upstream, alter));
    servers.recv().await.unwrap().1
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_off_ends_the_client_s_with_an_answer() {
    let rig = Rig::new(same());
    // It ends without a word once it has acknowledged.
    let one = add_altered(&rig, |reply| Reply::stream(reply.take(1))).await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", RESOURCES));
    subscribed(&one).await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    end(&mut listening).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_subscribed_at_an_upstream_that_another_replaces_listens_anew() {
    for is_there in [true, false] {
        let rig = Rig::new(same());
        let one = rig.add("one").await;
        let mut listening = rig.call(modern("1", "subscriptions/listen", RESOURCES));
        subscribed(&one).await;
        assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
        // Another one that comes is none of its business.
        let _two = rig.add("two").await;
        assert!(timeout(A_LITTLE, listening.0.recv()).await.is_err());
        if is_there {
            rig.add("one").await;
        } else {
            rig.router.remove("one");
        }
        end(&mut listening).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_that_is_not_valid_ends_nothing() {
    let rig = Rig::new(same());
    // Such a one comes behind each message.
    let altered = add_altered(&rig, |reply| {
        let stray = || message(r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":[]}"#);
        Reply::stream(reply.flat_map(move |item| stream::iter([item, Ok(stray())])))
    });
    let one = altered.await;
    let mut listening = rig.call(modern("1", "subscriptions/listen", RESOURCES));
    let id = subscribed(&one).await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    one.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"u:a","_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
    ));
    let told = listening.next().await;
    assert!(text(&told).contains(r#""uri":"u:a""#), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_though_the_list_can_t_be_fetched_at_first() {
    let rig = Rig::new(same());
    let one = rig.add("one").await;
    let tools = r#","notifications":{"toolsListChanged":true}"#;
    let mut listening = rig.call(modern("1", "subscriptions/listen", tools));
    listening.next().await;
    let listen = one.expect("subscriptions/listen").await;
    tell_tools(&one, "[]").await;
    one.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{listen}}}}}}}"#
    ));
    for _ in 0..3 {
        let id = until(&one, "tools/list").await;
        one.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32603,"message":"not now"}}}}"#));
    }
    timeout(A_LITTLE, tell_tools(&one, r#"[{"name":"a"}]"#)).await.expect("nobody has to ask for it");
    assert!(listening.next().await.is_method("notifications/tools/list_changed"));
}

#[tokio::test(start_paused = true)]
async fn who_misses_changes_is_told_that_all_lists_may_be_others() {
    let rig = Rig::new(same());
    let _one = rig.add("one").await;
    let filter = r#","notifications":{"toolsListChanged":true,"promptsListChanged":true}"#;
    let mut listening = rig.call(modern("1", "subscriptions/listen", filter));
    listening.next().await;
    for _ in 0..2 {
        // More than is kept for one who listens, of which none would be told to this one.
        (0..=CHANGES).for_each(|_| rig.router.announce());
        for list in ["tools", "prompts"] {
            let told = listening.next().await;
            assert!(told.is_method(&format!("notifications/{list}/list_changed")), "{told:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_below_a_resource_is_told_by_the_name_that_the_client_has_for_it() {
    let rig = Rig::new(same());
    let (one, two) = (rig.add("one").await, rig.add("two").await);
    tokio::spawn(async move { subscribed_to(&one, "file:///a").await });
    let filter = r#","notifications":{"resourceSubscriptions":["crossway://two/file:///a"]}"#;
    let mut listening = rig.call(modern("1", "subscriptions/listen", filter));
    let id = subscribed_to(&two, "file:///a").await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    for own in ["file:///a", "file:///a/part", "file:///a#part"] {
        two.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{own}","_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        ));
        let told = text(&listening.next().await);
        assert!(told.contains(&format!(r#""uri":"crossway://two/{own}""#)), "{told}");
    }
}

/// Grants one resource, and what is below one part of it.
struct OneResource;

impl Access for OneResource {
    fn rights_group(&self, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn can_see(&self, thing: &AccessTarget<'_>, _: &Context) -> bool {
        thing.name == "w://team" || thing.name.starts_with("w://team/open")
    }

    fn authorize(&self, thing: &AccessTarget<'_>, _: &Message, context: &mut Context) -> bool {
        self.can_see(thing, context)
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_of_what_the_client_may_not_read_or_has_not_asked_for_is_not_told() {
    let rig = Rig::new(RouterOptions::default().access(OneResource));
    let one = rig.add("one").await;
    let filter = r#","notifications":{"resourceSubscriptions":["w://team"]}"#;
    let mut listening = rig.call(modern("1", "subscriptions/listen", filter));
    let id = subscribed_to(&one, "w://team").await;
    assert!(listening.next().await.is_method("notifications/subscriptions/acknowledged"));
    let told = ["w://team/secret-merger", "w://team/open-plan", "w://teams", "other://x", "w://team"];
    for uri in told {
        one.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{uri}","_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        ));
    }
    for uri in ["w://team/open-plan", "w://team"] {
        let told = text(&listening.next().await);
        assert!(told.contains(&format!(r#""uri":"{uri}""#)), "{told}");
    }
}
