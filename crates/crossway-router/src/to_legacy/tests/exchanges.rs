//! A server with an exchange of its own for each request, as over HTTP: one can break while the others go on.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossway_service::{Closing, Connection, Origin};
use tokio::sync::{mpsc, oneshot, watch};

use super::*;
use crate::limits::{POOL_SWEEP, SILENT_TIME};

/// An upstream that hands each request to the test. It opens sessions by itself.
struct Exchanges {
    sessions: AtomicUsize,
    seen: mpsc::Sender<Exchange>,
}

struct Exchange {
    request: Message,
    /// The number of its session, from 0.
    session: usize,
    answer: oneshot::Sender<Result<Message, CallError>>,
}

struct Session {
    number: usize,
    seen: mpsc::Sender<Exchange>,
    is_closed: watch::Sender<bool>,
}

impl Upstream for Exchanges {
    fn connect(&self, _: Scope) -> Link {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        Link::new(Session { number, seen: self.seen.clone(), is_closed: watch::Sender::new(false) })
    }
}

impl Connection for Session {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(request) = call.ask else { return Reply::silent() };
        let Some(id) = request.request_id() else { return Reply::accepted() };
        if request.is_method("initialize") {
            return Reply::once(Message::result_of(&id, PLAIN.as_bytes()).unwrap());
        }
        let (answer, answered) = oneshot::channel();
        self.seen.try_send(Exchange { request, session: self.number, answer }).expect("room");
        let mut is_closed = self.is_closed.subscribe();
        Reply::pending(async move {
            tokio::select! {
                answer = answered => answer.expect("an answer").map_or_else(Reply::failed, Reply::once),
                Ok(_) = is_closed.wait_for(|is_closed| *is_closed) => {
                    Reply::failed(CallError::unknown(Reason::Closing))
                }
            }
        })
    }

    fn close(&self) -> Closing {
        self.is_closed.send_replace(true);
        Box::pin(std::future::ready(()))
    }
}

impl Exchange {
    fn answer(self) {
        let id = self.request.id().unwrap();
        // Who has asked may have given up.
        let _ = self.answer.send(Ok(Message::result_of(&id, br#"{"content":[]}"#).unwrap()));
    }

    fn fail(self, error: CallError) {
        let _ = self.answer.send(Err(error));
    }

    /// The connection breaks before the answer is complete.
    fn break_off(self) {
        self.fail(CallError::unknown(Reason::Ended("the connection broke within the answer".into())));
    }
}

struct Bench {
    pool: ToLegacy,
    link: Link,
    seen: mpsc::Receiver<Exchange>,
}

impl Bench {
    fn new() -> Self {
        let (sender, seen) = mpsc::channel(64);
        let upstream = Exchanges { sessions: AtomicUsize::new(0), seen: sender };
        let pool = ToLegacy::new("b", upstream, ToLegacyOptions::shared_by(SharedBy::Everyone));
        Self { link: pool.connect(Scope::Shared), pool, seen }
    }

    /// A call, and what the server sees of it.
    async fn call(&mut self, capabilities: &str) -> (Asked, Exchange) {
        let context = Context::new(Origin::unique(), None);
        let call = Asked::of(self.link.call(Call::message(tool("1", capabilities), context)));
        (call, self.see("tools/call").await)
    }

    async fn see(&mut self, method: &str) -> Exchange {
        let exchange = tokio::time::timeout(SILENT_TIME * 2, self.seen.recv()).await;
        let exchange = exchange.expect("an exchange in time").expect("an exchange");
        assert_eq!(exchange.request.method().as_deref(), Some(method));
        exchange
    }

    /// Answers no ping until the server counts as silent, and a bit longer.
    async fn leaves_pings_unanswered(&mut self) -> Vec<Exchange> {
        let mut pings = Vec::new();
        while pings.len() < 3 {
            pings.push(self.see("ping").await);
        }
        pings
    }
}

async fn answered(call: &mut Asked) {
    assert_eq!(call.next().await.kind(), Kind::Result);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_answered_though_another_call_s_connection_broke() {
    let mut bench = Bench::new();
    let (mut kept, kept_exchange) = bench.call("{}").await;
    let (mut broken, exchange) = bench.call("{}").await;
    exchange.break_off();
    let error = broken.messages.recv().await.unwrap().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    tokio::time::sleep(POOL_SWEEP * 2).await;
    let (mut later, exchange) = bench.call("{}").await;
    assert_eq!(exchange.session, 1, "a broken session gets no new calls");
    exchange.answer();
    answered(&mut later).await;
    kept_exchange.answer();
    answered(&mut kept).await;
    tokio::time::sleep(POOL_SWEEP * 2).await;
    assert_eq!(bench.pool.sessions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ping_whose_connection_broke_ends_no_session() {
    let mut bench = Bench::new();
    let (mut kept, kept_exchange) = bench.call("{}").await;
    drop(bench.call("{}").await);
    bench.see("ping").await.break_off();
    bench.see("ping").await.answer();
    tokio::time::sleep(POOL_SWEEP * 2).await;
    let (_later, exchange) = bench.call("{}").await;
    assert_eq!(exchange.session, 0);
    kept_exchange.answer();
    answered(&mut kept).await;
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_answered_by_a_session_that_was_silent_and_then_broke() {
    let mut bench = Bench::new();
    let (mut kept, kept_exchange) = bench.call("{}").await;
    let (mut broken, broken_exchange) = bench.call("{}").await;
    drop(bench.call("{}").await);
    let _pings = bench.leaves_pings_unanswered().await;
    broken_exchange.break_off();
    assert!(broken.messages.recv().await.unwrap().is_err());
    let (_later, exchange) = bench.call("{}").await;
    assert_eq!(exchange.session, 1);
    kept_exchange.answer();
    answered(&mut kept).await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_was_not_sent_ends_no_session() {
    let mut bench = Bench::new();
    let (given_up, _exchange) = bench.call(ELICITS).await;
    drop(given_up);
    let unsent = CallError::not_sent(Reason::Unavailable("nobody listens".into()));
    bench.see("ping").await.fail(unsent);
    bench.see("ping").await.answer();
    settle().await;
    let (_later, exchange) = bench.call(ELICITS).await;
    assert_eq!(exchange.session, 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_pings_cannot_be_sent_for_long_is_left_to_no_other_call_that_may_ask() {
    let mut bench = Bench::new();
    let (given_up, _exchange) = bench.call(ELICITS).await;
    drop(given_up);
    let until = tokio::time::Instant::now() + SILENT_TIME * 2;
    while tokio::time::Instant::now() < until {
        bench.see("ping").await.fail(CallError::not_sent(Reason::Unavailable("nobody listens".into())));
    }
    let (_later, exchange) = bench.call(ELICITS).await;
    assert_eq!(exchange.session, 1);
}
