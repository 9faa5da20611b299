//! Listeners of an instance.

use futures_util::FutureExt as _;

use super::*;

/// Awaits a result that has to come without any waiting.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(1), what).await.expect("it comes")
}

#[tokio::test(start_paused = true)]
async fn an_instance_at_which_some_only_listen_makes_room_for_a_call_and_ends_what_listens() {
    let (scoped, mut made) = scoped(ScopedOptions::default().instances(1));
    let mut listening = listen(&scoped, "alice");
    let (_, alices) = soon(made.recv()).await.unwrap();
    alices.expect("subscriptions/listen").await;
    let bob = call(&scoped, "bob");
    let (_, bobs) = soon(made.recv()).await.unwrap();
    assert!(soon(listening.next()).await.is_none());
    finish(&bobs, bob).await;
    assert_eq!(scoped.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_makes_room_under_a_bound_too_and_listening_is_no_use_of_it() {
    let ledger = Ledger::default();
    let ((wiki, mut wikis), (mail, mut mails)) = (bounded(&ledger), bounded(&ledger));
    let mut listening = listen(&wiki, "acme/alice");
    let (_, alices) = soon(wikis.recv()).await.unwrap();
    alices.expect("subscriptions/listen").await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let first = call(&mail, "acme/bob");
    let (_, bobs) = soon(mails.recv()).await.unwrap();
    finish(&bobs, first).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    // One more stream, ended since, does not count as a call.
    drop(listen(&wiki, "acme/alice"));
    let second = call(&mail, "acme/carol");
    let (_, carols) = soon(mails.recv()).await.unwrap();
    assert!(soon(listening.next()).await.is_none());
    finish(&carols, second).await;
    assert_eq!((wiki.len(), mail.len()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn what_listens_takes_the_room_that_there_is_and_nobodys_place() {
    let told = |_: &Context| panic!("a stream that finds no room is no call that is refused");
    let ledger = Ledger::telling(told);
    let ((wiki, mut wikis), (mail, mut mails)) = (bounded(&ledger), bounded(&ledger));
    for user in ["acme/alice", "acme/bob"] {
        let reply = call(&wiki, user);
        let (_, server) = soon(wikis.recv()).await.unwrap();
        finish(&server, reply).await;
    }
    let refused = listen(&mail, "acme/carol").next().await.unwrap().unwrap_err();
    assert_eq!((refused.outcome(), refused.retry_after()), (Outcome::NotSent, Some(FULL_RETRY)));
    assert_eq!((wiki.len(), mail.len()), (2, 0));
    let _listening = listen(&mail, "globex/eve");
    soon(mails.recv()).await.unwrap();
    let (scoped, mut made) = scoped(ScopedOptions::default().instances(1));
    let reply = call(&scoped, "alice");
    let (_, alices) = soon(made.recv()).await.unwrap();
    finish(&alices, reply).await;
    assert!(listen(&scoped, "bob").next().await.unwrap().is_err());
    finish(&alices, call(&scoped, "alice")).await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_at_which_some_listen_goes_on_where_there_is_room() {
    let (scoped, mut made) = scoped(ScopedOptions::default().idle(Duration::from_secs(60)));
    let _listening = listen(&scoped, "alice");
    let (_, alices) = soon(made.recv()).await.unwrap();
    alices.expect("subscriptions/listen").await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    finish(&alices, call(&scoped, "alice")).await;
    assert!(made.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_listens_at_an_instance_that_is_not_to_be_kept_ends() {
    let (scoped, mut made) = scoped(ScopedOptions::default());
    let mut listening = listen(&scoped, "alice 1");
    let (_, _alices) = soon(made.recv()).await.unwrap();
    scoped.retain(|_| false);
    assert!(soon(listening.next()).await.is_none());
}

/// Instances whose keys are `holder version`.
fn held() -> (Scoped, Made) {
    let (scoped, made) = scoped(ScopedOptions::default());
    scoped.hold_by(|context| {
        let key = context.extensions.get::<ScopeKey>()?;
        key.as_str().split_once(' ').map(|(holder, _)| ScopeKey::new(holder))
    });
    (scoped, made)
}

#[tokio::test(start_paused = true)]
async fn what_listens_with_a_secret_that_was_replaced_ends_when_its_holder_calls_with_the_new_one() {
    let (scoped, mut made) = held();
    let (mut old, mut others) = (listen(&scoped, "alice 1"), listen(&scoped, "bob 1"));
    let (_, alices) = soon(made.recv()).await.unwrap();
    let (_, bobs) = soon(made.recv()).await.unwrap();
    alices.expect("subscriptions/listen").await;
    let long = call(&scoped, "alice 1");
    let of_long = alices.expect("tools/call").await;
    // Listening supersedes nothing: two clients of one holder would end each other's streams forever.
    let mut new = listen(&scoped, "alice 2");
    let (_, alices_new) = soon(made.recv()).await.unwrap();
    alices_new.expect("subscriptions/listen").await;
    assert!(old.next().now_or_never().is_none());
    finish(&alices_new, call(&scoped, "alice 2")).await;
    assert!(soon(old.next()).await.is_none());
    // A call in flight finishes, and other holders are not affected.
    alices.answer(&of_long, "{}");
    finish_reply(long).await;
    assert!(new.next().now_or_never().is_none());
    bobs.expect("subscriptions/listen").await;
    assert!(others.next().now_or_never().is_none());
    // The last called instance ends the streams at the others.
    drop(old);
    assert!(alices.receive().await.unwrap().is_method("notifications/cancelled"));
    finish(&alices, call(&scoped, "alice 1")).await;
    assert!(soon(new.next()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_listens_for_a_holder_who_has_no_secret_any_more_ends() {
    let (scoped, mut made) = held();
    let (mut alices, mut bobs) = (listen(&scoped, "alice 1"), listen(&scoped, "bob 1"));
    let (_, server) = soon(made.recv()).await.unwrap();
    scoped.end_listening(&ScopeKey::new("alice"));
    assert!(soon(alices.next()).await.is_none());
    assert!(bobs.next().now_or_never().is_none());
    // The holder may subscribe again.
    let mut again = listen(&scoped, "alice 1");
    server.expect("subscriptions/listen").await;
    assert!(again.next().now_or_never().is_none());
}

async fn finish_reply(mut reply: Reply) {
    reply.next().await.unwrap().unwrap();
}
