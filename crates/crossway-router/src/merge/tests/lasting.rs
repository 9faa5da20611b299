//! Cached lists while rights and callers change.

use std::sync::atomic::{AtomicBool, Ordering};

use crossway_service::Context;

use super::*;
use crate::access::{Access, AccessTarget, CallerSet};
use crate::limits::REFRESH_LEAST;

fn key(context: &Context) -> &str {
    context.extensions.get::<ScopeKey>().map_or("", ScopeKey::as_str)
}

/// All see `few`; Alice sees `more` too, as soon as she is promoted.
struct Promoted(Arc<AtomicBool>);

impl Promoted {
    fn sees_more(&self, context: &Context) -> bool {
        key(context) == "alice" && self.0.load(Ordering::Relaxed)
    }
}

impl Access for Promoted {
    fn rights_group(&self, context: &Context) -> CallerSet {
        CallerSet::Key(ScopeKey::new(if self.sees_more(context) { "more" } else { "few" }))
    }

    fn list_group(&self, _: &str, _: &Context) -> CallerSet {
        CallerSet::Everybody
    }

    fn can_see(&self, thing: &AccessTarget<'_>, context: &Context) -> bool {
        thing.name == "few" || self.sees_more(context)
    }

    fn background_context(&self, context: &Context) -> Option<Context> {
        let mut lasting = Context::default();
        lasting.extensions.insert(context.extensions.get::<ScopeKey>()?.clone());
        Some(lasting)
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_waited_for_while_rights_grew_is_kept_for_none_of_the_old_ones() {
    let is_promoted = Arc::<AtomicBool>::default();
    let rig = Rig::new(RouterOptions::default().access(Promoted(Arc::clone(&is_promoted))));
    let server = rig.add("one").await;
    let first = tokio::spawn(rig.call_for(modern("1", "tools/list", ""), keyed("alice")).into_next());
    let id = until(&server, "tools/list").await;
    is_promoted.store(true, Ordering::Relaxed);
    server.answer(&id, r#"{"tools":[{"name":"few"},{"name":"more"}]}"#);
    assert!(text(&first.await.unwrap()).contains("one__more"));
    let bob = text(&rig.call_for(modern("1", "tools/list", ""), keyed("bob")).next().await);
    assert!(bob.contains("one__few") && !bob.contains("more"), "{bob}");
}

/// Tells for whom it was asked for tools.
struct AskedFor(tokio::sync::mpsc::Sender<String>);

impl Upstream for AskedFor {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self(self.0.clone()))
    }
}

impl crossway_service::Connection for AskedFor {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            crossway_service::Ask::Message(message) if message.is_method("tools/list") => {
                self.0.try_send(key(&call.context).to_owned()).unwrap();
                Reply::once(Message::result_of(&message.id().unwrap(), br#"{"tools":[]}"#).unwrap())
            }
            _ => Reply::silent(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_is_asked_for_again_on_behalf_of_who_wants_it_now() {
    let rig = Rig::new(RouterOptions::default().access(Promoted(Arc::default())));
    let (asked, mut asking) = tokio::sync::mpsc::channel(8);
    rig.router.insert("one", &AskedFor(asked));
    for who in ["alice", "bob", "alice"] {
        rig.call_for(modern("1", "tools/list", ""), keyed(who)).next().await;
        assert_eq!(asking.recv().await.unwrap(), who);
        tokio::time::advance(REFRESH_LEAST * 2).await;
    }
}
