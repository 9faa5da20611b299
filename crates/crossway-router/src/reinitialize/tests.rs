use std::sync::Mutex;

use bytes::Bytes;
use crossway_proto::{Limits, Message, RequestId};
use crossway_service::{Context, Origin};
use crossway_testkit::{Scripted, Server};
use tokio::sync::mpsc::Receiver;

use super::*;

const AGREED: &str =
    r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const TOOL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"n"}}"#;

struct Rig {
    link: Link,
    servers: Receiver<(Scope, Server)>,
    origin: Origin,
}

impl Rig {
    fn ask(&self, text: &str) -> tokio::task::JoinHandle<Result<String, CallError>> {
        let text = Bytes::copy_from_slice(text.as_bytes());
        let message = Message::parse(text, &Limits::default()).unwrap();
        let mut reply = self.link.call(Call::message(message, Context::new(self.origin, None)));
        tokio::spawn(async move {
            let Some(item) = reply.next().await else { return Ok(String::new()) };
            item.map(|message| String::from_utf8(message.to_bytes().to_vec()).unwrap())
        })
    }

    async fn server(&mut self) -> Server {
        self.servers.recv().await.unwrap().1
    }
}

/// A client with an open session, with a log level and a subscription in it.
async fn open() -> (Rig, Server) {
    let (upstream, servers) = Scripted::new();
    open_on(upstream, servers).await
}

async fn open_on(upstream: impl Upstream, servers: Receiver<(Scope, Server)>) -> (Rig, Server) {
    let link = Reinitialize::new(upstream).connect(Scope::Session);
    let mut rig = Rig { link, servers, origin: Origin::unique() };
    let server = rig.server().await;
    let opening = rig.ask(INITIALIZE);
    let id = server.expect("initialize").await;
    server.answer(&id, AGREED);
    opening.await.unwrap().unwrap();
    rig.ask(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await.unwrap().unwrap();
    assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
    for (method, params) in [
        ("logging/setLevel", r#"{"level":"error"}"#),
        ("resources/subscribe", r#"{"uri":"a:b"}"#),
        ("resources/subscribe", r#"{"uri":"a:c"}"#),
        ("resources/unsubscribe", r#"{"uri":"a:c"}"#),
    ] {
        let set = rig.ask(&format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{method}","params":{params}}}"#));
        let id = server.expect(method).await;
        server.answer(&id, "{}");
        set.await.unwrap().unwrap();
    }
    (rig, server)
}

/// Opens the next session like the first one.
async fn reopen(rig: &mut Rig) -> Server {
    let server = rig.server().await;
    let opening = server.receive().await.unwrap();
    assert_eq!(
        opening.params().unwrap(),
        br#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}"#
    );
    server.answer(&opening.id().unwrap(), AGREED);
    assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
    for (method, params) in
        [("logging/setLevel", r#"{"level":"error"}"#), ("resources/subscribe", r#"{"uri":"a:b"}"#)]
    {
        let set = server.receive().await.unwrap();
        assert_eq!((set.method().unwrap().as_ref(), set.params().unwrap()), (method, params.as_bytes()));
        server.answer(&set.id().unwrap(), "{}");
    }
    server
}

#[tokio::test]
async fn a_call_that_finds_the_session_gone_is_made_in_a_new_one() {
    let (mut rig, server) = open().await;
    drop(server);
    let (one, two) = (rig.ask(TOOL), rig.ask(TOOL));
    let server = reopen(&mut rig).await;
    for _ in 0..2 {
        let id = server.expect("tools/call").await;
        server.answer(&id, "{}");
    }
    for answer in [one, two] {
        assert_eq!(answer.await.unwrap().unwrap(), r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    }
}

#[tokio::test]
async fn a_call_in_flight_is_not_made_again() {
    let (mut rig, server) = open().await;
    let lost = rig.ask(TOOL);
    server.expect("tools/call").await;
    drop(server);
    assert_eq!(lost.await.unwrap().unwrap_err().outcome(), Outcome::Unknown);
    let next = rig.ask(TOOL);
    let server = reopen(&mut rig).await;
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    next.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_standing_stream_goes_on_in_the_new_session() {
    let (mut rig, mut server) = open().await;
    let mut standing = rig.link.call(Call::listen(Context::new(rig.origin, None)));
    let change = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    for _ in 0..2 {
        server.send(change);
        assert_eq!(standing.next().await.unwrap().unwrap().to_bytes(), change);
        drop(server);
        let (next, heard) = tokio::join!(reopen(&mut rig), async {
            tokio::select! {
                item = standing.next() => panic!("{item:?}"),
                () = tokio::time::sleep(RENEW_PAUSE * 2) => {}
            }
        });
        (server, ()) = (next, heard);
    }
}

#[tokio::test]
async fn a_server_that_agrees_on_something_else_ends_the_session() {
    let (mut rig, server) = open().await;
    let mut standing = rig.link.call(Call::listen(Context::new(rig.origin, None)));
    drop(server);
    let standing = tokio::spawn(async move { standing.next().await });
    let server = rig.server().await;
    let id = server.expect("initialize").await;
    server.answer(&id, &AGREED.replace("2025-06-18", "2025-03-26"));
    assert_eq!(*standing.await.unwrap().unwrap().unwrap_err().reason(), Reason::SessionEnded);
}

#[tokio::test(start_paused = true)]
async fn those_who_find_the_session_gone_at_once_wait_for_one_attempt() {
    let (mut rig, server) = open().await;
    drop(server);
    let began = tokio::time::Instant::now();
    let calls: Vec<_> = (0..4).map(|_| rig.ask(TOOL)).collect();
    // The server does not answer.
    let _silent = rig.server().await;
    for call in calls {
        assert_eq!(*call.await.unwrap().unwrap_err().reason(), Reason::SessionEnded);
    }
    assert_eq!(began.elapsed(), crate::limits::OPEN_TIME);
    // A later call tries again.
    let next = rig.ask(TOOL);
    let server = reopen(&mut rig).await;
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    next.await.unwrap().unwrap();
}

/// Notes under which ids requests are made.
struct Noting(Scripted, Arc<Mutex<Vec<RequestId>>>);

struct NotingLink(Link, Arc<Mutex<Vec<RequestId>>>);

impl Upstream for Noting {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(NotingLink(self.0.connect(scope), Arc::clone(&self.1)))
    }
}

impl crossway_service::Connection for NotingLink {
    fn call(&self, call: Call) -> Reply {
        if let Ask::Message(message) = &call.ask {
            self.1.lock().unwrap().extend(message.id());
        }
        self.0.call(call)
    }
}

#[tokio::test]
async fn no_request_by_which_a_session_is_renewed_has_the_id_of_another() {
    let ids = Arc::default();
    let (upstream, servers) = Scripted::new();
    let (mut rig, server) = open_on(Noting(upstream, Arc::clone(&ids)), servers).await;
    ids.lock().unwrap().clear();
    drop(server);
    let call = rig.ask(TOOL);
    let server = reopen(&mut rig).await;
    let id = server.expect("tools/call").await;
    server.answer(&id, "{}");
    call.await.unwrap().unwrap();
    let ids = ids.lock().unwrap();
    // The call that found the session gone was made in another one.
    let made: Vec<_> = ids.iter().filter(|id| **id != RequestId::from(7)).collect();
    let different: std::collections::HashSet<_> = made.iter().collect();
    assert_eq!((made.len(), different.len()), (3, 3), "{made:?}");
}
