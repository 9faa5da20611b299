//! Many calls over one pipe: each answer reaches its call, and nothing else does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod logs;

use std::sync::Mutex;

use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{
    Call, Context, Fault, Limits, Link, Mux, Origin, Outcome, Outlet, Reason, Reply, Scope, Upstream,
    mux::Overflow,
};
use crossway_testkit::{Scripted, Server, corpus, message, settle};
use futures_util::FutureExt;

fn request(id: &str, method: &str) -> Message {
    message(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#))
}

fn call(link: &Link, origin: Origin, text: &str) -> Reply {
    link.call(Call::message(message(text), Context::new(origin, None)))
}

async fn connected() -> (Link, Server) {
    let (upstream, mut connections) = Scripted::new();
    let link = upstream.connect(Scope::Session);
    (link, connections.recv().await.unwrap().1)
}

async fn text(reply: &mut Reply) -> String {
    String::from_utf8(reply.next().await.unwrap().unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn two_clients_with_the_same_id_get_their_own_answers() {
    let (link, server) = connected().await;
    let (ours, theirs) = (Origin::unique(), Origin::unique());
    let mut first = call(&link, ours, r#"{"jsonrpc":"2.0","id":"1","method":"m","params":{"who":1}}"#);
    let mut second = call(&link, theirs, r#"{"jsonrpc":"2.0","id":"1","method":"m","params":{"who":2}}"#);
    let (id1, id2) = (server.expect("m").await, server.expect("m").await);
    assert_ne!(id1, id2);
    server.answer(&id2, "2");
    server.answer(&id1, "1");
    assert_eq!(text(&mut first).await, r#"{"jsonrpc":"2.0","id":"1","result":1}"#);
    assert_eq!(text(&mut second).await, r#"{"jsonrpc":"2.0","id":"1","result":2}"#);
    assert!(first.next().await.is_none());
}

#[tokio::test]
async fn odd_messages_pass_byte_for_byte_but_for_their_ids() {
    let (link, server) = connected().await;
    for (odd, result) in corpus::ODD_REQUESTS.iter().zip(corpus::ODD_RESULTS.iter().cycle()) {
        let original = message(odd);
        let mut reply = call(&link, Origin::unique(), odd);
        let mut seen = server.receive().await.unwrap();
        let upstream_id = seen.id().unwrap();
        seen.set_id(&original.id().unwrap());
        if let Some(token) = original.progress_token() {
            seen.set_progress_token(&token);
        }
        assert_eq!(seen.to_bytes(), *odd);
        let wanted_id = original.id().unwrap();
        let answer =
            |id: &RequestId| format!(r#"{{"result": {result} ,"jsonrpc":"2.0","id":{id}, "x":0.10}}"#);
        server.send(&answer(&upstream_id));
        assert_eq!(text(&mut reply).await, answer(&wanted_id));
    }
}

#[tokio::test]
async fn progress_reaches_its_call_before_the_result_and_under_its_own_token() {
    let (link, server) = connected().await;
    let with_token = |id, token| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"m","params":{{"_meta":{{"progressToken":{token}}}}}}}"#
        )
    };
    let mut first = call(&link, Origin::unique(), &with_token(1, "\"t\""));
    let mut second = call(&link, Origin::unique(), &with_token(1, "\"t\""));
    let (one, two) = (server.receive().await.unwrap(), server.receive().await.unwrap());
    let progress = |token: RequestId, step| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{step}}}}}"#
        )
    };
    server.send(&progress(two.progress_token().unwrap(), 20));
    server.send(&progress(one.progress_token().unwrap(), 10));
    server.answer(&one.id().unwrap(), "{}");
    server.send(&progress(one.progress_token().unwrap(), 11));
    server.answer(&two.id().unwrap(), "{}");
    assert_eq!(
        text(&mut first).await,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":10}}"#
    );
    assert_eq!(text(&mut first).await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(first.next().await.is_none(), "progress after the result is dropped");
    assert!(text(&mut second).await.contains(r#""progress":20"#));
    assert_eq!(text(&mut second).await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
}

#[tokio::test]
async fn a_cancellation_names_the_upstreams_id_and_reaches_only_calls_of_its_client() {
    let (link, server) = connected().await;
    let (ours, theirs) = (Origin::unique(), Origin::unique());
    let mut mine = call(&link, ours, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let mut other = call(&link, theirs, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let (my_id, other_id) = (server.expect("m").await, server.expect("m").await);
    let cancel =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1.0,"reason":"why"}}"#;
    assert!(call(&link, ours, cancel).next().await.is_none());
    assert_eq!(
        server.receive().await.unwrap().to_bytes(),
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{my_id},"reason":"why"}}}}"#
        )
    );
    assert!(mine.next().await.is_none(), "a cancelled call ends without an answer");
    server.answer(&my_id, "\"late\"");
    server.answer(&other_id, "\"in time\"");
    assert_eq!(text(&mut other).await, r#"{"jsonrpc":"2.0","id":1,"result":"in time"}"#);
    // What has been answered is not cancelled any more.
    call(&link, theirs, cancel).next().await;
    let mut next = call(&link, theirs, r#"{"jsonrpc":"2.0","id":2,"method":"after"}"#);
    let id = server.expect("after").await;
    server.answer(&id, "0");
    assert!(text(&mut next).await.ends_with("\"result\":0}"));
}

#[tokio::test]
async fn a_dropped_reply_cancels_its_call() {
    let (link, server) = connected().await;
    let reply = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let id = server.expect("m").await;
    drop(reply);
    let cancelled = server.receive().await.unwrap();
    assert!(cancelled.is_method("notifications/cancelled"));
    assert_eq!(cancelled.cancelled_id(), Some(id));
}

#[tokio::test]
async fn a_dropped_reply_does_not_cancel_initialize() {
    let (link, server) = connected().await;
    let reply =
        call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#);
    server.expect("initialize").await;
    drop(reply);
    let _next = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":2,"method":"m"}"#);
    assert!(server.receive().await.unwrap().is_method("m"));
}

#[tokio::test]
async fn answers_to_no_question_and_second_answers_are_dropped() {
    let (link, server) = connected().await;
    let mut first = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let id = server.expect("m").await;
    for stray in ["1", "99999999", "\"1\"", "1.5", "-1"] {
        server.send(&format!(r#"{{"jsonrpc":"2.0","id":{stray},"result":"stray"}}"#));
    }
    server.answer(&id, "\"first\"");
    server.answer(&id, "\"second\"");
    assert!(text(&mut first).await.contains("first"));
    let mut second = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let next = server.expect("m").await;
    server.answer(&id, "\"third\"");
    server.answer(&next, "\"right\"");
    assert!(text(&mut second).await.contains("right"));
}

#[tokio::test]
async fn an_error_without_an_id_answers_the_only_call_in_flight() {
    let (link, server) = connected().await;
    for id in [r#""id":null,"#, ""] {
        let mut reply = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":"a","method":"m"}"#);
        server.expect("m").await;
        server.send(&format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32700,"message":"parse"}}}}"#));
        assert_eq!(
            text(&mut reply).await,
            r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32700,"message":"parse"}}"#
        );
    }
}

#[tokio::test]
async fn server_requests_go_with_the_call_in_flight_and_their_answers_come_back() {
    let (link, server) = connected().await;
    let origin = Origin::unique();
    let mut listening = link.call(Call::listen(Context::new(origin, None)));
    let mut reply = call(&link, origin, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let id = server.expect("m").await;
    let asked = r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}"#;
    server.send(asked);
    assert_eq!(text(&mut reply).await, asked);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"role":"assistant"}}"#;
    assert!(call(&link, origin, answer).next().await.is_none());
    assert_eq!(server.receive().await.unwrap().to_bytes(), answer);
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    server.answer(&id, "{}");
    assert_eq!(text(&mut reply).await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(text(&mut listening).await.contains("list_changed"));
    // With no call in flight they go to those who listen.
    server.send(asked);
    assert_eq!(text(&mut listening).await, asked);
}

#[tokio::test]
async fn what_belongs_to_no_call_waits_for_a_listener() {
    let (link, server) = connected().await;
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}"#;
    server.send(changed);
    let mut listening = link.call(Call::listen(Context::default()));
    assert_eq!(text(&mut listening).await, changed);
}

#[tokio::test]
async fn what_belongs_to_no_call_goes_to_the_newest_listener_and_to_the_one_before_when_that_is_gone() {
    let (link, server) = connected().await;
    let changed = |what: &str| format!(r#"{{"jsonrpc":"2.0","method":"notifications/{what}/list_changed"}}"#);
    let mut older = link.call(Call::listen(Context::default()));
    // It waits, as a broken stream does that is not read any more and does not know it.
    assert!(older.next().now_or_never().is_none());
    let mut newer = link.call(Call::listen(Context::default()));
    server.send(&changed("tools"));
    #[expect(clippy::disallowed_methods, reason = "the crate starts no task, and whoever reads a reply may")]
    let older = tokio::spawn(async move { text(&mut older).await });
    assert_eq!(text(&mut newer).await, changed("tools"));
    server.send(&changed("prompts"));
    settle().await;
    assert!(!older.is_finished());
    drop(newer);
    assert_eq!(older.await.unwrap(), changed("prompts"));
}

#[tokio::test]
async fn a_call_that_failed_for_being_slow_is_cancelled_once() {
    let (upstream, mut connections) = Scripted::new();
    let link = upstream.connect(Scope::Pooled);
    let (_, server) = connections.recv().await.unwrap();
    let mut slow = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    let id = server.expect("m").await;
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#;
    for _ in 0..3 * Limits::default().waiting_messages {
        server.send(question);
    }
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    assert!(matches!(slow.next().await.unwrap().unwrap_err().reason(), Reason::OverLimit(_)));
    let mut next = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":2,"method":"n"}"#);
    // What it is asked for the call that has ended is refused, and not left without an answer.
    let id = loop {
        let message = server.receive().await.unwrap();
        if message.is_request() {
            break message.id().unwrap();
        }
        assert!(message.kind() == Kind::Error && message.id() == Some(RequestId::from("q")));
    };
    server.answer(&id, "{}");
    assert!(text(&mut next).await.contains("result"));
}

#[tokio::test]
async fn modern_subscriptions_get_their_notifications_under_their_own_id() {
    let (link, server) = connected().await;
    let listen = r#"{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen","params":{}}"#;
    let mut reply = call(&link, Origin::unique(), listen);
    let id = server.expect("subscriptions/listen").await;
    let note = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        )
    };
    server.send(&note(&id.to_string()));
    assert_eq!(text(&mut reply).await, note("\"sub\""));
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    ));
    assert!(text(&mut reply).await.contains(r#""requestId":"sub""#));
    server.send(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
    ));
    assert_eq!(
        text(&mut reply).await,
        r#"{"jsonrpc":"2.0","id":"sub","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}}}"#
    );
}

#[tokio::test]
async fn calls_in_flight_fail_when_the_connection_ends_and_so_do_later_ones() {
    let (link, server) = connected().await;
    let mut reply = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    server.expect("m").await;
    drop(server);
    let error = reply.next().await.unwrap().unwrap_err();
    assert_eq!((error.outcome(), error.fault()), (Outcome::Unknown, Fault::Upstream));
    assert!(reply.next().await.is_none());
    let mut late = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":2,"method":"m"}"#);
    let error = late.next().await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    let answer = error.to_message(Some(&RequestId::from(2)));
    assert_eq!(answer.kind(), Kind::Error);
    assert!(String::from_utf8_lossy(answer.error().unwrap()).contains(r#""outcome":"not sent""#));
}

/// Takes everything, and remembers nothing.
struct Sink;

impl Outlet for Sink {
    fn send(&self, _: Message) -> Result<(), Reason> {
        Ok(())
    }

    fn hang_up(&self) {}
}

/// Remembers of each request whether it came by itself.
#[derive(Default)]
struct Company(Mutex<Vec<bool>>);

impl Outlet for Company {
    fn send(&self, _: Message) -> Result<(), Reason> {
        self.0.lock().unwrap().push(false);
        Ok(())
    }

    fn send_request_among_others(&self, _: Message, _: Context) -> Result<(), Reason> {
        self.0.lock().unwrap().push(true);
        Ok(())
    }

    fn hang_up(&self) {}
}

#[tokio::test]
async fn the_transport_is_told_which_calls_come_together() {
    let mux = Mux::new(Company::default(), Limits::default(), Overflow::Fail);
    let link = mux.link();
    let begin = || link.call(Call::message(request("1", "m"), Context::default()));
    let answer =
        |count: u64| mux.accept(message(format!(r#"{{"jsonrpc":"2.0","id":{count},"result":{{}}}}"#)));
    let key = |count: u64, slot: u64| count << 16 | slot;

    let mut alone = begin();
    answer(key(1, 0));
    text(&mut alone).await;
    let (mut first, mut second) = (begin(), begin());
    answer(key(2, 0));
    answer(key(3, 1));
    text(&mut first).await;
    text(&mut second).await;
    // The first of the next ones may be followed by others, as the last ones were.
    let mut next = begin();
    answer(key(4, 1));
    text(&mut next).await;
    let _alone_again = begin();
    assert_eq!(*mux.outlet().0.lock().unwrap(), [false, false, true, true, false]);
}

#[tokio::test]
async fn a_full_table_refuses_calls_without_sending_them() {
    let mux = Mux::new(Sink, Limits::default().with(|limits| limits.calls_in_flight = 2), Overflow::Fail);
    let link = mux.link();
    let replies: Vec<Reply> = (0..3)
        .map(|id| link.call(Call::message(request(&id.to_string(), "m"), Context::default())))
        .collect();
    let [_first, _second, mut third] = <[Reply; 3]>::try_from(replies).unwrap();
    let error = third.next().await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(matches!(error.reason(), Reason::OverLimit(_)));
}

#[tokio::test]
async fn a_slow_reader_holds_its_own_connection_and_fails_alone_on_a_shared_one() {
    let limits = Limits::default().with(|limits| limits.waiting_messages = 2);
    let progress = |token: &RequestId| {
        message(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
        ))
    };
    let with_token = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":1}}}"#;
    for overflow in [Overflow::Hold, Overflow::Fail] {
        let mux = Mux::new(Sink, limits, overflow);
        let link = mux.link();
        let mut slow = call(&link, Origin::unique(), with_token);
        let mut other = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":9,"method":"m"}"#);
        let token = RequestId::from(1 << 16);
        let room = || std::future::poll_fn(|cx| std::task::Poll::Ready(mux.poll_capacity(cx).is_ready()));
        for _ in 0..3 {
            match overflow {
                Overflow::Hold => assert!(room().await),
                // Those who read have their turn in between.
                Overflow::Fail => std::future::poll_fn(|cx| mux.poll_capacity(cx)).await,
            }
            mux.accept(progress(&token));
        }
        match overflow {
            Overflow::Hold => {
                assert!(!room().await);
                slow.next().await.unwrap().unwrap();
                assert!(room().await, "a message was read: there is room again");
            }
            Overflow::Fail => {
                assert!(mux.is_crowded() && !room().await && room().await);
                let error = slow.next().await.unwrap().unwrap_err();
                assert!(matches!(error.reason(), Reason::OverLimit(_)));
            }
        }
        mux.accept(message(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, (2 << 16) + 1)));
        assert_eq!(text(&mut other).await, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#);
    }
}

#[tokio::test]
async fn a_session_whose_connection_is_gone_has_ended() {
    for is_session in [true, false] {
        let (link, server) = connected().await;
        if is_session {
            let mut opening =
                call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#);
            let id = server.expect("initialize").await;
            server.answer(&id, "{}");
            text(&mut opening).await;
        }
        let mut in_flight = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
        server.expect("m").await;
        let mut standing = link.call(Call::listen(Context::default()));
        drop(server);
        // What became of a call that was sent is not known, which the end of a session would not say.
        let error = in_flight.next().await.unwrap().unwrap_err();
        assert!(matches!(error.reason(), Reason::Ended(_)), "{error:?}");
        assert_eq!(error.outcome(), Outcome::Unknown);
        let error = standing.next().await.unwrap().unwrap_err();
        assert_eq!(*error.reason() == Reason::SessionEnded, is_session, "{error:?}");
        for text in
            [r#"{"jsonrpc":"2.0","id":2,"method":"m"}"#, r#"{"jsonrpc":"2.0","method":"notifications/x"}"#]
        {
            let error = call(&link, Origin::unique(), text).next().await.unwrap().unwrap_err();
            assert_eq!(*error.reason() == Reason::SessionEnded, is_session, "{text}: {error:?}");
            assert_eq!(error.outcome(), Outcome::NotSent);
        }
        // Whoever would begin a session on it is told what became of the server.
        let mut late = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":3,"method":"initialize"}"#);
        let error = late.next().await.unwrap().unwrap_err();
        assert!(matches!(error.reason(), Reason::Ended(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_here_where_no_client_reads() {
    let (link, server) = connected().await;
    let ping = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
    server.send(ping);
    let pong = server.receive().await.unwrap();
    assert_eq!(pong.to_bytes(), r#"{"jsonrpc":"2.0","id":"p","result":{}}"#);
    // A client that is there answers for itself.
    let mut standing = link.call(Call::listen(Context::default()));
    server.send(ping);
    assert_eq!(text(&mut standing).await, ping);
    drop(standing);
    let mut in_flight = call(&link, Origin::unique(), r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    server.expect("m").await;
    server.send(ping);
    assert_eq!(text(&mut in_flight).await, ping);
}
