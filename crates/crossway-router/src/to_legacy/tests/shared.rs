//! Clients that share a session hear nothing of each other.

use crossway_testkit::sim::{ServerEnd, Shape, SimUpstream, Weather};

use super::*;

const LOGS: &str = r#","io.modelcontextprotocol/logLevel":"info""#;

#[tokio::test]
async fn requests_of_all_clients_have_ids_of_the_session_s_own() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let token = r#","progressToken":"p""#;
    let call = || modern("1", "tools/call", "{}", token, r#","name":"n""#);
    let (mut first, mut second) = (rig.call(call()), rig.call(call()));
    let server = rig.server().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let request = server.receive().await.unwrap();
        // The pipe has ids of its own again: what counts is that the tokens follow them.
        assert_eq!(request.progress_token(), request.id());
        seen.push(request.id().unwrap());
    }
    assert_ne!(seen[0], seen[1]);
    for id in &seen {
        server.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
        ));
        server.answer(id, "{}");
    }
    for reply in [&mut first, &mut second] {
        assert_eq!(reply.next().await.progress_token(), Some(RequestId::from("p")));
        assert_eq!(reply.next().await.id(), Some(RequestId::from(1)));
    }
}

#[tokio::test]
async fn what_is_logged_for_a_cancelled_call_reaches_nobody_else() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let call = |id: &str| modern(id, "tools/call", "{}", LOGS, r#","name":"n""#);
    let log = |server: &Server, data: u32| {
        server.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"error","data":{data}}}}}"#
        ));
    };
    let first = rig.call(call("1"));
    let server = rig.server().await;
    let level = server.expect("logging/setLevel").await;
    server.answer(&level, "{}");
    server.expect("tools/call").await;
    drop(first);
    assert!(server.receive().await.unwrap().cancelled_id().is_some());
    let mut second = rig.call(call("2"));
    log(&server, 1);
    let id = loop {
        let request = server.receive().await.unwrap();
        let id = request.id().unwrap();
        if request.is_method("tools/call") {
            break id;
        }
        server.answer(&id, "{}");
    };
    settle().await;
    log(&server, 2);
    server.answer(&id, "{}");
    let heard = text(&second.next().await);
    assert!(heard.contains(r#""data":2"#), "{heard}");
    assert_eq!(second.next().await.kind(), Kind::Result);
}

#[tokio::test]
async fn a_question_of_a_cancelled_call_is_asked_nobody_else() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let first = rig.call(tool("1", ELICITS));
    let server = rig.server_with(ELICITS).await;
    server.expect("tools/call").await;
    drop(first);
    assert!(server.receive().await.unwrap().cancelled_id().is_some());
    // The server has not read that yet when it asks.
    server.send(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"first?"}}"#);
    let mut second = rig.call(tool("2", ELICITS));
    let other = rig.server_with(ELICITS).await;
    let id = other.expect("tools/call").await;
    other.answer(&id, "{}");
    assert_eq!(second.next().await.kind(), Kind::Result);
    let ping = server.expect("ping").await;
    let refused = server.receive().await.unwrap();
    assert_eq!((refused.kind(), refused.id()), (Kind::Error, Some(RequestId::from("q"))));
    server.answer(&ping, "{}");
    // It is free again.
    settle().await;
    assert_eq!(rig.back.sessions(), 2);
    let _third = rig.call(tool("3", ELICITS));
    let _fourth = rig.call(tool("4", ELICITS));
    server.expect("tools/call").await;
    other.expect("tools/call").await;
    assert_eq!(rig.back.sessions(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_up_no_other_in_its_session() {
    let (host, mut ends) = tokio::sync::mpsc::channel(1);
    let upstream =
        SimUpstream::new(Shape::Pipe, Weather::new(1, 0, 0), move |end| host.try_send(end).unwrap());
    let back = ToLegacy::new("b", upstream, ToLegacyOptions::shared_by(SharedBy::Everyone));
    let link = back.connect(Scope::Shared);
    let call =
        |message| link.call(Call::message(message, Context::new(crossway_service::Origin::unique(), None)));
    let token = r#","progressToken":"p""#;
    let mut unread = call(modern("1", "tools/call", "{}", token, r#","name":"n""#));
    let serving = tokio::spawn(async move {
        let mut end: ServerEnd = ends.recv().await.unwrap();
        while let Some(arrived) = end.receive().await {
            let Some(message) = arrived.message else { continue };
            let Some(id) = message.id() else { continue };
            match message.method().as_deref() {
                Some("initialize") => {
                    arrived.way.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{OPENED}}}"#));
                }
                _ if message.progress_token().is_some() => {
                    for _ in 0..5_000 {
                        arrived.way.send(&format!(
                            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
                        ));
                    }
                }
                _ => arrived.way.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)),
            }
        }
    });
    // It is sent, and then left alone.
    assert_eq!(unread.next().await.unwrap().unwrap().kind(), Kind::Notification);
    let mut other = call(tool("2", "{}"));
    assert_eq!(other.next().await.unwrap().unwrap().kind(), Kind::Result);
    let error = loop {
        if let Err(error) = unread.next().await.unwrap() {
            break error;
        }
    };
    assert!(matches!(error.reason(), crossway_service::Reason::OverLimit(_)), "{error}");
    drop((back, link));
    serving.abort();
}

/// A server whose sessions are closed together or not at all.
struct Parting(Arc<tokio::sync::Barrier>);

impl Upstream for Parting {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Parting(Arc::clone(&self.0)))
    }
}

impl crossway_service::Connection for Parting {
    fn call(&self, call: Call) -> Reply {
        Forgotten { is_forgotten: false, status: None }.call(call)
    }

    fn close(&self) -> crossway_service::Closing {
        let barrier = Arc::clone(&self.0);
        Box::pin(async move {
            barrier.wait().await;
        })
    }
}

#[tokio::test]
async fn all_sessions_are_closed_at_once() {
    let upstream = Parting(Arc::new(tokio::sync::Barrier::new(2)));
    let back = ToLegacy::new("b", upstream, ToLegacyOptions::shared_by(SharedBy::ClientSession));
    let link = back.connect(Scope::Shared);
    for _ in 0..2 {
        let mut context = Context::default();
        context.extensions.insert(ClientSession(crossway_service::Origin::unique()));
        Asked::of(link.call(Call::message(tool("1", "{}"), context))).next().await;
    }
    assert_eq!(back.sessions(), 2);
    back.close().await;
    assert_eq!(back.sessions(), 0);
}

/// A server whose sessions end after their handshake, as those of one that was started anew have; all but the last.
struct Forgetful {
    sessions: std::sync::atomic::AtomicUsize,
    status: Option<u16>,
}

impl Forgetful {
    fn of(sessions: usize, status: Option<u16>) -> Self {
        Self { sessions: sessions.into(), status }
    }
}

impl Upstream for Forgetful {
    fn connect(&self, _: Scope) -> Link {
        let left = self.sessions.load(std::sync::atomic::Ordering::Relaxed);
        self.sessions.store(left.saturating_sub(1), std::sync::atomic::Ordering::Relaxed);
        Link::new(Forgotten { is_forgotten: left > 0, status: self.status })
    }
}

struct Forgotten {
    is_forgotten: bool,
    status: Option<u16>,
}

impl crossway_service::Connection for Forgotten {
    fn call(&self, call: Call) -> Reply {
        let crossway_service::Ask::Message(message) = call.ask else { return Reply::silent() };
        let Some(id) = message.request_id() else { return Reply::accepted() };
        if message.is_method("initialize") {
            return Reply::once(Message::result_of(&id, OPENED.as_bytes()).unwrap());
        }
        if self.is_forgotten {
            let error = CallError::answered(Reason::SessionEnded);
            return Reply::failed(match self.status {
                Some(status) => error.with_status(status),
                None => error,
            });
        }
        Reply::once(Message::result_of(&id, br#"{"content":[]}"#).unwrap())
    }

    fn close(&self) -> crossway_service::Closing {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn a_call_whose_session_the_server_does_not_know_is_sent_on_a_new_one() {
    let back = ToLegacy::new("b", Forgetful::of(1, None), ToLegacyOptions::shared_by(SharedBy::Everyone));
    let link = back.connect(Scope::Shared);
    let mut call = Asked::of(link.call(Call::message(tool("1", "{}"), Context::default())));
    assert!(text(&call.next().await).contains(r#""result""#));
}

#[tokio::test]
async fn that_the_session_with_the_server_has_ended_does_not_end_the_client_s() {
    for (said, status) in [(Some(400), 400), (Some(404), 404), (None, 404)] {
        let server = Forgetful::of(usize::MAX, said);
        let back = ToLegacy::new("b", server, ToLegacyOptions::shared_by(SharedBy::Everyone));
        let link = back.connect(Scope::Shared);
        let mut call = Asked::of(link.call(Call::message(tool("1", "{}"), Context::default())));
        let error = call.messages.recv().await.unwrap().unwrap_err();
        // The server has refused it twice, once in a session that was new: it may not be about the session.
        let refused = Reason::Refused { status, retry_after: None, said: None };
        assert_eq!(error, CallError::answered(refused));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_busy_when_a_call_was_cancelled_has_its_logs_heard_again_later() {
    let mut rig = rig(ToLegacyOptions::shared_by(SharedBy::Everyone));
    let call = |id: &str| modern(id, "tools/call", "{}", LOGS, r#","name":"n""#);
    let first = rig.call(call("1"));
    let server = rig.server().await;
    let level = server.expect("logging/setLevel").await;
    server.answer(&level, "{}");
    server.expect("tools/call").await;
    let mut second = rig.call(call("2"));
    let id = server.expect("tools/call").await;
    drop(first);
    // Several pings go by before it answers one, and it is not taken for gone.
    let mut pings = 0;
    while pings < 3 {
        let message = server.receive().await.unwrap();
        pings += usize::from(message.is_method("ping"));
        if pings == 3 {
            server.answer(&message.id().unwrap(), "{}");
        }
    }
    settle().await;
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":7}}"#);
    server.answer(&id, "{}");
    let heard = text(&second.next().await);
    assert!(heard.contains(r#""data":7"#), "{heard}");
    assert_eq!(second.next().await.kind(), Kind::Result);
}
