use bytes::Bytes;
use crossway_proto::Limits;
use crossway_service::Context;
use crossway_testkit::{Scripted, Server};
use tokio::sync::mpsc::Receiver;

use super::*;

mod asking;

const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
const MODERN: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

struct Rig {
    link: Link,
    raw: Receiver<(Scope, Server)>,
    from_legacy: Receiver<(Scope, Server)>,
    to_legacy: Receiver<(Scope, Server)>,
    any: AnyEra,
}

fn rig(speaks: EraSupport) -> Rig {
    let ((raw, raws), (from_legacy, fronts), (to_legacy, backs)) =
        (Scripted::new(), Scripted::new(), Scripted::new());
    let any = AnyEra::new(Arc::new(raw), speaks, Arc::new(from_legacy), Arc::new(to_legacy));
    Rig { link: any.connect(Scope::Session), raw: raws, from_legacy: fronts, to_legacy: backs, any }
}

fn call(link: &Link, text: &'static str) -> Reply {
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    link.call(Call::message(message, Context::default()))
}

async fn serve(connections: &mut Receiver<(Scope, Server)>, method: &str) -> (Scope, Server) {
    let (scope, server) = connections.recv().await.unwrap();
    let id = server.expect(method).await;
    server.answer(&id, r#"{"protocolVersion":"2025-11-25"}"#);
    (scope, server)
}

#[tokio::test]
async fn clients_of_a_legacy_server_have_sessions_or_are_translated() {
    let mut rig = rig(EraSupport::Legacy);
    let mut reply = call(&rig.link, INITIALIZE);
    let (scope, _server) = serve(&mut rig.raw, "initialize").await;
    assert_eq!(scope, Scope::Session);
    assert!(reply.next().await.unwrap().unwrap().is_response());
    let mut reply = call(&rig.link, MODERN);
    let (scope, _server) = serve(&mut rig.to_legacy, "tools/list").await;
    assert_eq!(scope, Scope::Shared);
    assert!(reply.next().await.unwrap().unwrap().is_response());
    assert!(rig.from_legacy.try_recv().is_err());
}

#[tokio::test]
async fn a_modern_server_is_asked_once_whether_it_takes_sessions() {
    let mut rig = rig(EraSupport::Modern);
    let mut reply = call(&rig.link, INITIALIZE);
    let asked = tokio::spawn(async move { reply.next().await.unwrap().unwrap() });
    let (_, server) = rig.raw.recv().await.unwrap();
    let id = server.expect("initialize").await;
    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#));
    let (_, from_legacy) = serve(&mut rig.from_legacy, "initialize").await;
    assert_eq!(asked.await.unwrap().kind(), Kind::Result);
    // Later messages go to the same session, and the server is not asked for the next client's session.
    let _reply = call(&rig.link, r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#);
    from_legacy.expect("tools/list").await;
    let next = rig.any.connect(Scope::Session);
    let mut reply = call(&next, INITIALIZE);
    serve(&mut rig.from_legacy, "initialize").await;
    assert!(reply.next().await.unwrap().unwrap().is_response());
    assert!(rig.raw.try_recv().is_err());
}

#[tokio::test]
async fn what_a_server_asks_before_it_gives_a_session_is_answered() {
    let mut rig = rig(EraSupport::Modern);
    let mut reply = call(&rig.link, INITIALIZE);
    let asked = tokio::spawn(async move { [reply.next().await, reply.next().await] });
    let (_, server) = rig.raw.recv().await.unwrap();
    let id = server.expect("initialize").await;
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#);
    for (question, kind) in [("ping", Kind::Result), ("roots/list", Kind::Error)] {
        server.send(&format!(r#"{{"jsonrpc":"2.0","id":"q","method":"{question}"}}"#));
        assert_eq!(server.receive().await.unwrap().kind(), kind);
    }
    server.answer(&id, r#"{"protocolVersion":"2025-11-25"}"#);
    let heard = asked.await.unwrap().map(|item| item.unwrap().unwrap().kind());
    assert_eq!(heard, [Kind::Notification, Kind::Result]);
}

/// An upstream all of whose calls fail.
struct Failing(CallError);

impl Upstream for Failing {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Failing(self.0.clone()))
    }
}

impl Connection for Failing {
    fn call(&self, _: Call) -> Reply {
        Reply::failed(self.0.clone())
    }
}

#[tokio::test]
async fn a_server_that_fails_is_not_taken_for_one_without_sessions() {
    let refused = |status| Reason::Refused { status, retry_after: None, said: None };
    for (reason, is_front) in [
        (refused(503), false),
        (refused(401), false),
        (Reason::TimedOut(std::time::Duration::from_secs(1)), false),
        (Reason::Unavailable("x".into()), false),
        (refused(400), true),
        (refused(404), true),
        (Reason::Ended("x".into()), true),
    ] {
        let ((from_legacy, mut fronts), (to_legacy, _backs)) = (Scripted::new(), Scripted::new());
        let raw = Failing(CallError::answered(reason.clone()));
        let any = AnyEra::new(Arc::new(raw), EraSupport::Modern, Arc::new(from_legacy), Arc::new(to_legacy));
        let link = any.connect(Scope::Session);
        let mut reply = call(&link, INITIALIZE);
        let asked = tokio::spawn(async move { reply.next().await.unwrap() });
        if is_front {
            serve(&mut fronts, "initialize").await;
            assert!(asked.await.unwrap().is_ok(), "{reason}");
        } else {
            assert_eq!(*asked.await.unwrap().unwrap_err().reason(), reason);
            assert!(fronts.try_recv().is_err(), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_server_of_both_eras_has_sessions_of_its_own() {
    let mut rig = rig(EraSupport::Modern);
    let mut reply = call(&rig.link, INITIALIZE);
    let asked = tokio::spawn(async move { reply.next().await.unwrap().unwrap() });
    let (_, server) = serve(&mut rig.raw, "initialize").await;
    assert_eq!(asked.await.unwrap().kind(), Kind::Result);
    let _reply = call(&rig.link, r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#);
    server.expect("tools/list").await;
    assert!(rig.from_legacy.try_recv().is_err());
}

#[tokio::test]
async fn who_listens_before_the_first_message_hears_the_session() {
    let mut rig = rig(EraSupport::Legacy);
    let mut listening = rig.link.call(Call::listen(Context::default()));
    let heard = tokio::spawn(async move { listening.next().await.unwrap().unwrap() });
    tokio::task::yield_now().await;
    assert!(rig.raw.try_recv().is_err(), "no connection before it is needed");
    let mut reply = call(&rig.link, INITIALIZE);
    let (_, server) = serve(&mut rig.raw, "initialize").await;
    reply.next().await.unwrap().unwrap();
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    assert!(heard.await.unwrap().is_method("notifications/tools/list_changed"));
}

#[tokio::test]
async fn the_standing_stream_of_a_client_that_is_gone_ends() {
    let rig = rig(EraSupport::Legacy);
    let mut listening = rig.link.call(Call::listen(Context::default()));
    drop(rig.link);
    assert!(listening.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_turns_out_to_be_modern_is_no_longer_translated() {
    let ((raw, mut raws), (from_legacy, _fronts), (to_legacy, mut backs)) =
        (Scripted::new(), Scripted::new(), Scripted::new());
    let is_modern = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = Arc::clone(&is_modern);
    let speaks = move || if seen.load(Ordering::Relaxed) { EraSupport::Modern } else { EraSupport::Legacy };
    let any = AnyEra::following(Arc::new(raw), speaks, Arc::new(from_legacy), Arc::new(to_legacy));
    let link = any.modern().connect(Scope::Shared);
    let _early = call(&link, MODERN);
    serve(&mut backs, "tools/list").await;
    is_modern.store(true, Ordering::Relaxed);
    let _later = call(&link, MODERN);
    serve(&mut raws, "tools/list").await;
}

/// A server that is replaced by one of the other era whenever it is called.
struct Replaced(Arc<AtomicBool>);

impl Upstream for Replaced {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self(Arc::clone(&self.0)))
    }
}

impl Connection for Replaced {
    fn call(&self, _: Call) -> Reply {
        self.0.fetch_xor(true, Ordering::Relaxed);
        Reply::failed(CallError::not_sent(Reason::LegacyOnly))
    }

    fn close(&self) -> Closing {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn a_modern_request_that_meets_the_wrong_era_goes_the_other_way_once() {
    let (is_modern, (from_legacy, _fronts), (to_legacy, mut backs)) =
        (Arc::new(AtomicBool::new(true)), Scripted::new(), Scripted::new());
    let seen = Arc::clone(&is_modern);
    let speaks = move || if seen.load(Ordering::Relaxed) { EraSupport::Modern } else { EraSupport::Legacy };
    let raw = Arc::new(Replaced(Arc::clone(&is_modern)));
    let any = AnyEra::following(raw, speaks.clone(), Arc::new(from_legacy), Arc::new(to_legacy));
    let link = any.modern().connect(Scope::Shared);
    let mut reply = call(&link, MODERN);
    let answered = tokio::spawn(async move { reply.next().await.unwrap().unwrap() });
    serve(&mut backs, "tools/list").await;
    assert_eq!(answered.await.unwrap().kind(), Kind::Result);
    // Both paths refuse it, in turns.
    is_modern.store(true, Ordering::Relaxed);
    let to_legacy = Arc::new(Replaced(Arc::clone(&is_modern)));
    let raw = Arc::new(Replaced(is_modern));
    let any = AnyEra::following(raw, speaks, Arc::new(Scripted::new().0), to_legacy);
    let error = call(&any.modern().connect(Scope::Shared), MODERN).next().await.unwrap().unwrap_err();
    assert_eq!(*error.reason(), Reason::LegacyOnly);
}

#[tokio::test]
async fn the_translated_session_of_a_server_that_is_legacy_by_now_has_ended() {
    let ((raw, mut raws), (from_legacy, mut fronts), (to_legacy, _backs)) =
        (Scripted::new(), Scripted::new(), Scripted::new());
    let is_modern = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&is_modern);
    let speaks = move || if seen.load(Ordering::Relaxed) { EraSupport::Modern } else { EraSupport::Legacy };
    let any = AnyEra::following(Arc::new(raw), speaks, Arc::new(from_legacy), Arc::new(to_legacy));
    let link = any.connect(Scope::Session);
    let mut reply = call(&link, INITIALIZE);
    let asked = tokio::spawn(async move { reply.next().await.unwrap().unwrap() });
    let (_, server) = raws.recv().await.unwrap();
    let id = server.expect("initialize").await;
    server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#));
    let (_, _front) = serve(&mut fronts, "initialize").await;
    asked.await.unwrap();
    is_modern.store(false, Ordering::Relaxed);
    let mut reply = call(&link, r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#);
    let error = reply.next().await.unwrap().unwrap_err();
    assert_eq!(
        (error.reason(), error.outcome()),
        (&Reason::SessionEnded, crossway_service::Outcome::NotSent)
    );
}
