use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crossway_proto::{Limits, Message};
use crossway_service::{CallError, Context, Outcome, Reason};
use crossway_testkit::Scripted;
use tokio::time::advance;

use super::*;

const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
const IN_SESSION: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
const MODERN: &str = r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

const LEGACY: Kind = Kind::Streamable(EraSupport::Legacy);
const MODERN_ONLY: Kind = Kind::Streamable(EraSupport::Modern);

fn call(link: &Link, text: &'static str) -> Reply {
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    link.call(Call::message(message, Context::default()))
}

/// A server that answers everything but notifications in the same way.
#[derive(Clone)]
struct Saying(Result<&'static str, CallError>);

impl Upstream for Saying {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl Connection for Saying {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = call.ask else { return Reply::silent() };
        let Some(id) = message.id() else { return Reply::accepted() };
        match &self.0 {
            Ok(text) => {
                let mut answer = Message::parse(Bytes::from(*text), &Limits::default()).unwrap();
                answer.set_id(&id);
                Reply::once(answer)
            }
            Err(error) => Reply::failed(error.clone()),
        }
    }

    fn close(&self) -> Closing {
        Box::pin(std::future::ready(()))
    }
}

fn refusing(status: u16) -> Found {
    let error = CallError::answered(Reason::Refused { status, retry_after: None, said: None });
    Found { upstream: Arc::new(Saying(Err(error))), kind: LEGACY, server: None }
}

fn saying(kind: Kind, text: &'static str) -> Found {
    Found { upstream: Arc::new(Saying(Ok(text))), kind, server: None }
}

const RESULT: &str = r#"{"jsonrpc":"2.0","id":0,"result":{}}"#;
const UNSUPPORTED: &str = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"m"}}"#;
const OF_A_TOOL: &str = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"m"}}"#;

/// A URL at which each probe finds the next server, and the last one stays. Also returns the number of probes.
fn anew(servers: impl IntoIterator<Item = Found>) -> (RedetectingUpstream, Arc<AtomicUsize>) {
    let mut servers: VecDeque<_> = servers.into_iter().collect();
    let first = servers.pop_front().unwrap();
    let (looks, servers) = (Arc::new(AtomicUsize::new(0)), Mutex::new((first.clone(), servers)));
    let count = Arc::clone(&looks);
    let find: Find = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let mut servers = servers.lock();
        if let Some(next) = servers.1.pop_front() {
            servers.0 = next;
        }
        let found = servers.0.clone();
        Box::pin(async move { Ok(found) })
    });
    (RedetectingUpstream::new(first, find), looks)
}

#[tokio::test]
async fn a_session_is_opened_with_the_server_that_is_there_by_now() {
    let (upstream, mut servers) = Scripted::new();
    let new = Found { upstream: Arc::new(upstream), kind: LEGACY, server: None };
    let no_stream = CallError::not_sent(Reason::Unavailable("it answered with text/html".into()));
    let old = Found { upstream: Arc::new(Saying(Err(no_stream))), kind: Kind::HttpSse, server: None };
    let (anew, looks) = anew([old, new]);
    let link = anew.connect(Scope::Session);
    let mut opening = call(&link, INITIALIZE);
    let opened = tokio::spawn(async move { opening.next().await.unwrap().unwrap() });
    let (_, server) = servers.recv().await.unwrap();
    let id = server.expect("initialize").await;
    server.answer(&id, "{}");
    assert!(opened.await.unwrap().is_response());
    // The session is there as well.
    let _list = call(&link, IN_SESSION);
    server.expect("tools/list").await;
    assert_eq!(looks.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_request_in_a_session_of_the_server_that_was_there_finds_it_ended() {
    for old in [refusing(405), saying(LEGACY, UNSUPPORTED)] {
        let (anew, _) = anew([old, saying(MODERN_ONLY, RESULT)]);
        let link = anew.connect(Scope::Session);
        let error = call(&link, IN_SESSION).next().await.unwrap().unwrap_err();
        assert_eq!((error.reason(), error.outcome()), (&Reason::SessionEnded, Outcome::Answered));
        assert_eq!(anew.speaks(), EraSupport::Modern);
    }
}

#[tokio::test]
async fn a_modern_request_that_a_legacy_server_refuses_was_not_sent() {
    let (anew, _) = anew([saying(MODERN_ONLY, UNSUPPORTED), saying(LEGACY, RESULT)]);
    let error = call(&anew.connect(Scope::Shared), MODERN).next().await.unwrap().unwrap_err();
    assert_eq!((error.reason(), error.outcome()), (&Reason::LegacyOnly, Outcome::NotSent));
    assert_eq!(anew.speaks(), EraSupport::Legacy);
}

#[tokio::test]
async fn a_request_that_may_have_been_handled_is_not_made_again() {
    let (anew, looks) = anew([saying(MODERN_ONLY, OF_A_TOOL), saying(LEGACY, RESULT)]);
    let answer = call(&anew.connect(Scope::Shared), MODERN).next().await.unwrap().unwrap();
    assert!(answer.error().is_some());
    // The next one goes to whatever is there by now.
    while looks.load(Ordering::Relaxed) == 0 || anew.speaks() == EraSupport::Modern {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_for_reasons_of_its_own_is_looked_at_so_often_and_no_more() {
    let (anew, looks) = anew([refusing(400)]);
    let link = anew.connect(Scope::Session);
    let mut seen = Vec::new();
    for _ in 0..8 {
        for _ in 0..3 {
            let error = call(&link, INITIALIZE).next().await.unwrap().unwrap_err();
            assert_eq!(*error.reason(), Reason::Refused { status: 400, retry_after: None, said: None });
        }
        seen.push(looks.load(Ordering::Relaxed));
        advance(Duration::from_secs(1)).await;
    }
    // After one second, two, and four.
    assert_eq!(seen, [1, 2, 2, 3, 3, 3, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn two_servers_that_take_turns_are_not_looked_at_with_each_call() {
    let turns = (0..100).map(|turn| {
        let kind = if turn % 2 == 0 { LEGACY } else { Kind::HttpSse };
        saying(kind, UNSUPPORTED)
    });
    let (anew, looks) = anew(turns);
    let link = anew.connect(Scope::Session);
    for _ in 0..50 {
        assert!(call(&link, INITIALIZE).next().await.unwrap().unwrap().error().is_some());
    }
    assert_eq!(looks.load(Ordering::Relaxed), 5);
}
