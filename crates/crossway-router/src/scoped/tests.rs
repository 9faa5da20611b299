use bytes::Bytes;
use crossway_proto::Limits;
use crossway_service::Outcome;
use crossway_testkit::{Scripted, Server};
use tokio::sync::mpsc;

use super::*;

type Made = mpsc::Receiver<(String, Server)>;

/// Instances that are scripted; each is told when it is made, with its key.
fn scoped(options: ScopedOptions) -> (Scoped, Made) {
    let (made, servers) = mpsc::channel(16);
    let make = move |key: &ScopeKey, _: &Context| -> Box<dyn Upstream> {
        let (upstream, mut links) = Scripted::new();
        let (made, key) = (made.clone(), key.as_str().to_owned());
        tokio::spawn(async move {
            while let Some((_, server)) = links.recv().await {
                drop(made.send((key.clone(), server)).await);
            }
        });
        Box::new(upstream)
    };
    (Scoped::new(make, options), servers)
}

fn call(scoped: &Scoped, key: &str) -> Reply {
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#;
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    let mut context = Context::default();
    context.extensions.insert(ScopeKey::new(key));
    scoped.connect(Scope::Shared).call(Call::message(message, context))
}

async fn finish(server: &Server, mut reply: Reply) {
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    reply.next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_key_has_an_instance_of_its_own_and_keeps_it() {
    let (scoped, mut made) = scoped(ScopedOptions::default());
    let (alice, bob) = (call(&scoped, "alice"), call(&scoped, "bob"));
    let (first, alices) = made.recv().await.unwrap();
    let (second, bobs) = made.recv().await.unwrap();
    assert_eq!([first.as_str(), second.as_str()], ["alice", "bob"]);
    finish(&bobs, bob).await;
    finish(&alices, alice).await;
    finish(&alices, call(&scoped, "alice")).await;
    assert_eq!(scoped.len(), 2);
    assert!(made.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_for_nobody_is_refused() {
    let (scoped, _made) = scoped(ScopedOptions::default());
    let message = Message::notification_of("notifications/x", None).unwrap();
    let error = scoped.connect(Scope::Shared).call(Call::message(message, Context::default())).next().await;
    assert_eq!(error.unwrap().unwrap_err().outcome(), Outcome::NotSent);
    assert!(scoped.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_one_that_is_idle_for_the_longest_makes_room_and_one_with_a_call_never_does() {
    let (scoped, mut made) = scoped(ScopedOptions::default().most(2));
    let alice = call(&scoped, "alice");
    let (_, alices) = made.recv().await.unwrap();
    let bob = call(&scoped, "bob");
    let (_, bobs) = made.recv().await.unwrap();
    let refused = call(&scoped, "carol").next().await.unwrap().unwrap_err();
    assert_eq!((refused.outcome(), refused.retry_after()), (Outcome::NotSent, Some(FULL_RETRY)));
    finish(&bobs, bob).await;
    let carol = call(&scoped, "carol");
    let (_, carols) = made.recv().await.unwrap();
    finish(&carols, carol).await;
    finish(&alices, alice).await;
    // Bob's is gone.
    assert!(bobs.receive().await.is_none());
    assert_eq!(scoped.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_idle_for_long_is_dropped_and_one_in_use_is_not() {
    let (scoped, mut made) = scoped(ScopedOptions::default().idle(Duration::from_secs(60)));
    let alice = call(&scoped, "alice");
    let (_, alices) = made.recv().await.unwrap();
    let bob = call(&scoped, "bob");
    let (_, bobs) = made.recv().await.unwrap();
    finish(&bobs, bob).await;
    assert!(bobs.receive().await.is_none());
    assert_eq!(scoped.len(), 1);
    finish(&alices, alice).await;
    assert!(alices.receive().await.is_none());
    assert!(scoped.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_to_be_kept_loses_its_instance_but_not_its_call() {
    let (scoped, mut made) = scoped(ScopedOptions::default());
    let reply = call(&scoped, "alice 1");
    let (_, old) = made.recv().await.unwrap();
    scoped.retain(|key| !key.as_str().ends_with(" 1"));
    finish(&old, reply).await;
    let reply = call(&scoped, "alice 2");
    let (key, new) = made.recv().await.unwrap();
    assert_eq!(key, "alice 2");
    finish(&new, reply).await;
}
