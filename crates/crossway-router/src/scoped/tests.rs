use bytes::Bytes;
use crossway_proto::{Limits, Message, Part, RequestId};
use crossway_service::Outcome;
use crossway_testkit::{Scripted, Server};
use tokio::sync::mpsc;

use super::*;

mod asking;
mod standing;

type Made = mpsc::Receiver<(String, Server)>;

/// Scripted instances; each is reported when it is created, with its key.
fn scoped(options: ScopedOptions) -> (Scoped, Made) {
    let (made, servers) = mpsc::channel(16);
    (Scoped::new(scripted(made), options), servers)
}

/// The same with bounds: at most two instances per tenant, and one per user. Keys are `tenant/user`.
fn bounded(ledger: &Ledger) -> (Scoped, Made) {
    let (made, servers) = mpsc::channel(16);
    let bounds = |context: &Context| {
        let key = context.extensions.get::<ScopeKey>().unwrap().as_str();
        let (tenant, _) = key.split_once('/').unwrap();
        vec![Bound::new(ScopeKey::new(tenant), 2), Bound::new(ScopeKey::new(key), 1)]
    };
    (Scoped::bounded(scripted(made), ScopedOptions::default(), ledger.clone(), bounds), servers)
}

fn scripted(
    made: mpsc::Sender<(String, Server)>,
) -> impl Fn(&ScopeKey, &Context) -> Box<dyn Upstream> + Send + Sync + 'static {
    move |key: &ScopeKey, _: &Context| -> Box<dyn Upstream> {
        let (upstream, mut links) = Scripted::new();
        let (made, key) = (made.clone(), key.as_str().to_owned());
        tokio::spawn(async move {
            while let Some((_, server)) = links.recv().await {
                drop(made.send((key.clone(), server)).await);
            }
        });
        Box::new(upstream)
    }
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
async fn a_cancellation_goes_to_an_instance_that_is_there_and_makes_none() {
    let (scoped, mut made) = scoped(ScopedOptions::default());
    let cancel = |key: &str| {
        let text = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        let mut context = Context::default();
        context.extensions.insert(ScopeKey::new(key));
        scoped.connect(Scope::Shared).call(Call::message(message, context))
    };
    assert!(cancel("alice").next().await.is_none());
    assert!(scoped.is_empty());
    let _reply = call(&scoped, "alice");
    let (_, alices) = made.recv().await.unwrap();
    let id = alices.expect("tools/call").await;
    drop(cancel("alice"));
    assert_eq!(alices.receive().await.unwrap().cancelled_id(), Some(id));
}

#[tokio::test(start_paused = true)]
async fn the_one_that_is_idle_for_the_longest_makes_room_and_one_with_a_call_never_does() {
    let (scoped, mut made) = scoped(ScopedOptions::default().instances(2));
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
    // Bob's instance is gone.
    assert!(bobs.receive().await.is_none());
    assert_eq!(scoped.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_group_leaves_room_for_the_others_and_its_own_make_room_beyond_that() {
    let (scoped, mut made) = scoped(ScopedOptions::default().instances(4));
    scoped.group_by(|context| {
        let key = context.extensions.get::<ScopeKey>()?;
        key.as_str().split_once(' ').map(|(group, _)| ScopeKey::new(group))
    });
    let mut held = Vec::new();
    for user in ["acme ann", "acme bea", "acme cid"] {
        let reply = call(&scoped, user);
        held.push((made.recv().await.unwrap().1, reply));
    }
    let refused = call(&scoped, "acme dan").next().await.unwrap().unwrap_err();
    assert_eq!((refused.outcome(), refused.retry_after()), (Outcome::NotSent, Some(FULL_RETRY)));
    let globex = call(&scoped, "globex gus");
    let (_, its) = made.recv().await.unwrap();
    finish(&its, globex).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let (anns, reply) = held.remove(0);
    finish(&anns, reply).await;
    // The group's own instance goes, though the other group's has been idle for longer.
    let dan = call(&scoped, "acme dan");
    let (_, dans) = made.recv().await.unwrap();
    assert!(anns.receive().await.is_none());
    finish(&dans, dan).await;
    finish(&its, call(&scoped, "globex gus")).await;
    assert_eq!(scoped.len(), 4);
    assert!(made.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn keys_of_no_group_have_all_the_room() {
    let (scoped, mut made) = scoped(ScopedOptions::default().instances(4));
    scoped.group_by(|_| None);
    let mut held = Vec::new();
    for user in ["ann", "bea", "cid", "dan"] {
        let reply = call(&scoped, user);
        let made = tokio::time::timeout(Duration::from_secs(1), made.recv()).await.unwrap();
        held.push((made.unwrap().1, reply));
    }
    assert_eq!(scoped.len(), 4);
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

#[tokio::test(start_paused = true)]
async fn over_a_bound_the_longest_idle_one_makes_room_of_whichever_upstream_it_is_and_one_in_use_never_does()
{
    let ledger = Ledger::default();
    let ((wiki, mut wikis), (mail, mut mails)) = (bounded(&ledger), bounded(&ledger));
    let first = call(&wiki, "acme/alice");
    let (_, alices) = wikis.recv().await.unwrap();
    finish(&alices, first).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let second = call(&mail, "acme/bob");
    let (_, bobs) = mails.recv().await.unwrap();
    assert_eq!(ledger.count(&ScopeKey::new("acme")), 2);
    // Another tenant's instances are counted separately.
    let other = call(&wiki, "globex/eve");
    let (_, eves) = wikis.recv().await.unwrap();
    // Alice's instance is idle, and goes.
    let third = call(&mail, "acme/carol");
    let (_, carols) = mails.recv().await.unwrap();
    assert!(alices.receive().await.is_none());
    assert_eq!((wiki.len(), mail.len()), (1, 2));
    // All of acme's instances are in use: a further user is refused, and users with an instance are not.
    let refused = call(&wiki, "acme/alice").next().await.unwrap().unwrap_err();
    assert_eq!((refused.outcome(), refused.retry_after()), (Outcome::NotSent, Some(FULL_RETRY)));
    let again = call(&mail, "acme/bob");
    finish(&bobs, second).await;
    finish(&bobs, again).await;
    finish(&carols, third).await;
    finish(&eves, other).await;
    // Bob's instance, idle for longer, makes room.
    let fourth = call(&wiki, "acme/alice");
    let (_, alices) = wikis.recv().await.unwrap();
    assert!(bobs.receive().await.is_none());
    finish(&alices, fourth).await;
    finish(&carols, call(&mail, "acme/carol")).await;
}

#[tokio::test(start_paused = true)]
async fn a_user_has_no_more_than_a_bound_of_their_own_allows() {
    let ledger = Ledger::default();
    let ((wiki, mut wikis), (mail, mut mails)) = (bounded(&ledger), bounded(&ledger));
    let first = call(&wiki, "acme/alice");
    let (_, one) = wikis.recv().await.unwrap();
    assert!(call(&mail, "acme/alice").next().await.unwrap().is_err());
    assert!(mail.is_empty());
    finish(&one, first).await;
    let second = call(&mail, "acme/alice");
    let (_, two) = mails.recv().await.unwrap();
    finish(&two, second).await;
    assert!(one.receive().await.is_none());
    assert_eq!(ledger.count(&ScopeKey::new("acme/alice")), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_tells_whose_calls_its_bounds_refuse() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let ledger = Ledger::telling({
        let told = Arc::clone(&told);
        move |context: &Context| {
            told.lock().push(context.extensions.get::<ScopeKey>().unwrap().clone());
        }
    });
    let ((wiki, mut wikis), (mail, _)) = (bounded(&ledger), bounded(&ledger));
    let _first = call(&wiki, "acme/alice");
    wikis.recv().await.unwrap();
    let _same = call(&wiki, "acme/alice");
    assert!(told.lock().is_empty());
    assert!(call(&mail, "acme/alice").next().await.unwrap().is_err());
    assert_eq!(*told.lock(), [ScopeKey::new("acme/alice")]);
}

/// Listens at the instance of a key.
fn listen(scoped: &Scoped, key: &str) -> Reply {
    let text = r#"{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{"notifications":{}}}"#;
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    let mut context = Context::default();
    context.extensions.insert(ScopeKey::new(key));
    scoped.connect(Scope::Shared).call(Call::message(message, context))
}

const AGE: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn an_old_instance_ends_its_calls_and_gets_no_new_ones() {
    let (scoped, mut made) = scoped(ScopedOptions::default().age(AGE));
    let (mut listening, mut long) = (listen(&scoped, "alice"), call(&scoped, "alice"));
    let (_, old) = made.recv().await.unwrap();
    old.expect("subscriptions/listen").await;
    let of_long = old.expect("tools/call").await;
    tokio::time::advance(AGE / 2 - Duration::from_secs(1)).await;
    finish(&old, call(&scoped, "alice")).await;
    tokio::time::advance(AGE / 2 + Duration::from_secs(1)).await;
    let next = call(&scoped, "alice");
    let (_, new) = made.recv().await.unwrap();
    finish(&new, next).await;
    // Listeners have to subscribe again; calls do not.
    assert!(listening.next().await.is_none());
    old.answer(&of_long, "{}");
    long.next().await.unwrap().unwrap();
    assert_eq!(scoped.len(), 1);
    assert!(made.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_old_instance_ends_where_nobody_calls_and_some_listen() {
    let (scoped, mut made) = scoped(ScopedOptions::default().age(AGE));
    let mut listening = listen(&scoped, "alice");
    let (_, _old) = made.recv().await.unwrap();
    let began = Instant::now();
    assert!(listening.next().await.is_none());
    assert!(began.elapsed() >= AGE / 2 && began.elapsed() <= AGE + POOL_SWEEP);
    assert!(scoped.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_instance_goes_on_while_there_is_no_room_for_another() {
    let (made, mut servers) = mpsc::channel(16);
    let bounds = |_: &Context| vec![Bound::new(ScopeKey::new("all"), 1)];
    let ledger = Ledger::telling(|_| panic!("no call is refused"));
    let scoped = Scoped::bounded(scripted(made), ScopedOptions::default().age(AGE), ledger, bounds);
    let long = call(&scoped, "alice");
    let (_, old) = servers.recv().await.unwrap();
    tokio::time::advance(AGE).await;
    let id = old.expect("tools/call").await;
    finish(&old, call(&scoped, "alice")).await;
    old.answer(&id, "{}");
    drop(long);
    // Now it can be replaced.
    let next = call(&scoped, "alice");
    let (_, new) = servers.recv().await.unwrap();
    finish(&new, next).await;
}

#[test]
fn unused_instances_end_in_each_runtime_that_calls_after_another() {
    let (scoped, mut made) = scoped(ScopedOptions::default());
    for key in ["alice", "bob"] {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let reply = call(&scoped, key);
            finish(&made.recv().await.unwrap().1, reply).await;
            tokio::time::sleep(SCOPED_IDLE + POOL_SWEEP * 2).await;
        });
        assert!(scoped.is_empty(), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_may_be_as_old_and_unused_as_a_duration_can_say() {
    let (scoped, mut made) = scoped(ScopedOptions::default().age(Duration::MAX).idle(Duration::MAX));
    let reply = call(&scoped, "alice");
    finish(&made.recv().await.unwrap().1, reply).await;
    tokio::time::advance(Duration::from_secs(86_400)).await;
    assert_eq!(scoped.len(), 1);
}
