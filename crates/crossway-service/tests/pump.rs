//! One client on a pipe: everything it asks is answered, in an order that it can live with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crossway_proto::{Message, RequestId, Revision};
use crossway_service::{
    Ask, Call, CallError, Connection, Limits, Link, Pump, Reason, Reply, Scope, Upstream,
};
use crossway_testkit::{Scripted, Server, message};

async fn serving(limits: Limits) -> (Pump, Server) {
    let (upstream, mut connections) = Scripted::new();
    let pump = Pump::new(upstream.connect(Scope::Session), limits);
    (pump, connections.recv().await.unwrap().1)
}

async fn text(pump: &mut Pump) -> String {
    let message = poll_fn(|cx| pump.poll_next(cx)).await.unwrap();
    String::from_utf8(message.to_bytes().to_vec()).unwrap()
}

/// Whether nothing is left to say, and nothing is in flight.
async fn is_idle(pump: &mut Pump) -> bool {
    poll_fn(|cx| Poll::Ready(pump.poll_next(cx).is_pending())).await && pump.is_idle()
}

#[tokio::test]
async fn twenty_calls_at_once_get_their_own_answers() {
    let (mut pump, server) = serving(Limits::default()).await;
    for id in 0..20 {
        pump.handle(message(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m","params":{{"n":{id}}}}}"#)));
    }
    let mut asked = Vec::new();
    for _ in 0..20 {
        let request = server.receive().await.unwrap();
        asked.push((request.id().unwrap(), String::from_utf8(request.params().unwrap().to_vec()).unwrap()));
    }
    for (id, params) in asked.iter().rev() {
        server.answer(id, params);
    }
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(text(&mut pump).await);
    }
    for id in 0..20 {
        assert!(answers.contains(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"n":{id}}}}}"#)));
    }
    assert!(is_idle(&mut pump).await);
}

#[tokio::test]
async fn messages_of_the_server_pass_and_a_cancelled_call_has_no_answer() {
    let (mut pump, server) = serving(Limits::default()).await;
    pump.handle(message(r#"{"jsonrpc":"2.0","id":1,"method":"slow"}"#));
    let id = server.expect("slow").await;
    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
    server.send(log);
    assert_eq!(text(&mut pump).await, log);
    pump.handle(message(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#));
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
    pump.handle(message(r#"{"jsonrpc":"2.0","id":2,"method":"next"}"#));
    let id = server.expect("next").await;
    server.answer(&id, "{}");
    assert_eq!(text(&mut pump).await, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    assert!(is_idle(&mut pump).await);
}

#[tokio::test]
async fn what_comes_right_behind_initialize_waits_for_its_answer() {
    let (mut pump, server) = serving(Limits::default()).await;
    let initialize =
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
    for line in [
        initialize,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
    ] {
        pump.handle(message(line));
    }
    let id = server.expect("initialize").await;
    assert!(!is_idle(&mut pump).await);
    // What it answers to a question of the server's does not.
    pump.handle(message(r#"{"jsonrpc":"2.0","id":"ping","result":{}}"#));
    assert!(server.receive().await.unwrap().is_response());
    server.answer(&id, r#"{"protocolVersion":"2025-06-18"}"#);
    assert!(text(&mut pump).await.contains("2025-06-18"));
    assert!(!is_idle(&mut pump).await);
    assert!(server.receive().await.unwrap().is_method("notifications/initialized"));
    let id = server.expect("tools/list").await;
    server.answer(&id, "{}");
    assert_eq!(text(&mut pump).await, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    assert!(is_idle(&mut pump).await);

    // One that is cancelled holds up nothing.
    pump.handle(message(initialize));
    server.expect("initialize").await;
    pump.handle(message(r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#));
    pump.handle(message(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#));
    assert!(!is_idle(&mut pump).await);
    server.receive().await.unwrap();
    server.expect("tools/list").await;
}

/// Notes what is known of each request, and takes a notification when it is told to.
#[derive(Clone, Default)]
struct Noting {
    known: Arc<Mutex<Vec<Option<u8>>>>,
    takes: Arc<AtomicBool>,
}

impl Connection for Noting {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = call.ask else { return Reply::stream(futures_util::stream::pending()) };
        if message.is_request() {
            self.known.lock().unwrap().push(call.context.extensions.get().copied());
            return Reply::once(Message::result_of(&message.id().unwrap(), b"{}").unwrap());
        }
        let takes = Arc::clone(&self.takes);
        Reply::pending(poll_fn(move |_| {
            if takes.load(Ordering::Relaxed) { Poll::Ready(Reply::accepted()) } else { Poll::Pending }
        }))
    }
}

#[tokio::test]
async fn a_message_that_waits_is_handed_on_with_what_was_known_when_it_came() {
    let noting = Noting::default();
    let mut pump = Pump::new(Link::new(noting.clone()), Limits::default());
    pump.handle(message(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#));
    for of in [1_u8, 2] {
        pump.context_mut().extensions.insert(of);
        pump.handle(message(format!(r#"{{"jsonrpc":"2.0","id":{of},"method":"m"}}"#)));
    }
    noting.takes.store(true, Ordering::Relaxed);
    text(&mut pump).await;
    text(&mut pump).await;
    assert_eq!(*noting.known.lock().unwrap(), [Some(1), Some(2)]);
}

#[tokio::test]
async fn the_negotiated_revision_is_learned() {
    let (mut pump, server) = serving(Limits::default()).await;
    pump.handle(message(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#,
    ));
    let id = server.expect("initialize").await;
    server.answer(&id, r#"{"protocolVersion":"2025-06-18"}"#);
    text(&mut pump).await;
    assert_eq!(pump.context_mut().revision, Some(Revision::V2025_06_18));
}

#[tokio::test]
async fn when_the_server_goes_away_calls_fail_and_then_the_pump_ends() {
    let (mut pump, server) = serving(Limits::default()).await;
    pump.handle(message(r#"{"jsonrpc":"2.0","id":"a","method":"m"}"#));
    server.expect("m").await;
    drop(server);
    let answer = text(&mut pump).await;
    assert!(answer.contains(r#""id":"a""#) && answer.contains(r#""outcome":"sent, unknown""#), "{answer}");
    assert!(poll_fn(|cx| pump.poll_next(cx)).await.is_none());
}

#[tokio::test]
async fn too_many_requests_are_refused_and_the_rest_is_served() {
    let (mut pump, server) = serving(Limits::default().with(|limits| limits.inbox_messages = 1)).await;
    for id in 1..=3 {
        pump.handle(message(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#)));
    }
    let refused = text(&mut pump).await;
    assert!(refused.contains(r#""id":3,"error""#), "{refused}");
    // One is in flight, and one waits for it.
    for id in 1..=2 {
        let asked = server.expect("m").await;
        server.answer(&asked, "{}");
        assert_eq!(text(&mut pump).await, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        assert!(poll_fn(|cx| Poll::Ready(pump.poll_next(cx).is_pending())).await);
    }
    assert!(is_idle(&mut pump).await);
}

#[tokio::test]
async fn at_the_bound_responses_and_cancellations_still_pass() {
    let (mut pump, server) = serving(Limits::default().with(|limits| limits.inbox_messages = 2)).await;
    for id in 1..=4 {
        pump.handle(message(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#)));
    }
    assert!(pump.is_full() && !pump.is_open());
    let (first, second) = (server.expect("m").await, server.expect("m").await);
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;
    server.send(question);
    assert_eq!(text(&mut pump).await, question);
    // The answer may stand behind more requests.
    assert!(pump.is_open());
    pump.handle(message(r#"{"jsonrpc":"2.0","id":5,"method":"m"}"#));
    assert!(text(&mut pump).await.contains(r#""id":5,"error""#));
    let answer = r#"{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}"#;
    pump.handle(message(answer));
    assert_eq!(server.receive().await.unwrap().to_bytes(), answer);
    assert!(!pump.is_open());

    // One that waits is never handed on, one in flight is cancelled.
    for id in [3, 1] {
        pump.handle(message(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        )));
    }
    assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(first));
    server.answer(&second, "{}");
    assert_eq!(text(&mut pump).await, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    assert!(poll_fn(|cx| Poll::Ready(pump.poll_next(cx).is_pending())).await);
    let fourth = server.expect("m").await;
    server.answer(&fourth, "{}");
    assert_eq!(text(&mut pump).await, r#"{"jsonrpc":"2.0","id":4,"result":{}}"#);
    assert!(is_idle(&mut pump).await);
}

#[tokio::test]
async fn a_question_that_is_taken_back_or_whose_call_has_ended_keeps_nothing_open() {
    let (mut pump, server) = serving(Limits::default().with(|limits| limits.inbox_messages = 1)).await;
    let ask = |id: u64| message(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#));
    (1..=2).for_each(|id| pump.handle(ask(id)));
    let first = server.expect("m").await;
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;
    server.send(question);
    assert_eq!(text(&mut pump).await, question);
    assert!(pump.is_full() && pump.is_open());
    server.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}"#);
    assert!(text(&mut pump).await.contains("cancelled"));
    assert!(!pump.is_open());

    server.send(question);
    assert_eq!(text(&mut pump).await, question);
    assert!(pump.is_open());
    server.answer(&first, "{}");
    assert!(text(&mut pump).await.contains("result"));
    assert!(!is_idle(&mut pump).await);
    pump.handle(ask(3));
    assert!(pump.is_full() && !pump.is_open());
}

#[tokio::test]
async fn urgent_messages_have_a_bound_too() {
    /// An upstream that takes nothing.
    struct Stuck;
    impl crossway_service::Connection for Stuck {
        fn call(&self, _: crossway_service::Call) -> crossway_service::Reply {
            crossway_service::Reply::silent()
        }
    }
    let mut pump = Pump::new(
        crossway_service::Link::new(Stuck),
        Limits::default().with(|limits| limits.inbox_messages = 2),
    );
    let response = message(r#"{"jsonrpc":"2.0","id":"q","result":{}}"#);
    for _ in 0..2 + Limits::URGENT_MESSAGES {
        assert!(pump.takes(&response));
        pump.handle(response.clone());
    }
    assert!(!pump.takes(&response));
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn who_polls_is_woken_by_whatever_there_is_to_be_told() {
    let (mut pump, server) = serving(Limits::default()).await;
    pump.handle(message(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#));
    server.expect("m").await;
    let error = CallError::not_sent(Reason::Closing);
    let actions: [&dyn Fn(&mut Pump); 3] = [
        &|pump| pump.handle(message(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#)),
        &|pump| assert!(pump.refuse(&RequestId::from(2), &error)),
        &|pump| pump.fail_all(&Reason::Closing),
    ];
    for act in actions {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        while pump.poll_next(&mut Context::from_waker(&waker)).is_ready() {}
        let before = woken.0.load(Ordering::Relaxed);
        act(&mut pump);
        assert!(woken.0.load(Ordering::Relaxed) > before);
    }
    assert!(text(&mut pump).await.contains(r#""id":1,"error""#));
}

#[tokio::test]
async fn at_the_end_each_call_without_an_answer_has_an_error_with_its_outcome() {
    let limits = Limits::default().with(|limits| limits.inbox_messages = 2);
    let (mut pump, server) = serving(limits).await;
    for id in 1..=3 {
        pump.handle(message(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#)));
    }
    let id = server.expect("m").await;
    server.expect("m").await;
    server.answer(&id, "{}");
    assert_eq!(text(&mut pump).await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    pump.fail_all(&Reason::Closing);
    // The third one has waited for its turn.
    let told = [text(&mut pump).await, text(&mut pump).await];
    assert!(told[0].contains(r#""id":2,"error""#) && told[0].contains("sent, unknown"), "{told:?}");
    assert!(told[1].contains(r#""id":3,"error""#) && told[1].contains("not sent"), "{told:?}");
    assert!(poll_fn(|cx| pump.poll_next(cx)).await.is_none());
}
