//! A guard around an upstream that a test plays, in paused time.

mod asking;
mod bounds;
mod breaking;
mod properties;
mod retrying;
mod timing;

use std::time::Duration;

use crossway_proto::Message;
use crossway_service::{
    Call, CallError, Connection, Context, Link, Origin, Outcome, Reason, Reply, Scope, Upstream,
};
use crossway_testkit::message;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::limits;

/// An upstream that hands each call to the test.
struct Played(mpsc::Sender<Seen>);

/// A call that has reached the upstream. Its reply ends when it is dropped.
struct Seen {
    message: Message,
    reply: mpsc::Sender<Result<Message, CallError>>,
}

/// A guarded upstream, a link to it, and the calls that reach it.
struct Bench {
    guard: Guard<Played>,
    link: Link,
    seen: mpsc::Receiver<Seen>,
}

impl Upstream for Played {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Played(self.0.clone()))
    }
}

impl Connection for Played {
    fn call(&self, call: Call) -> Reply {
        let (message, is_standing) = match call.ask {
            Ask::Message(message) => (message, false),
            // A listen call is represented by a message.
            _ => (message(r#"{"jsonrpc":"2.0","method":"listen"}"#), true),
        };
        let (reply, items) = mpsc::channel(16);
        let is_request = message.is_request();
        self.0.try_send(Seen { message, reply }).expect("room");
        if !is_request && !is_standing {
            return Reply::accepted();
        }
        Reply::stream(futures_util::stream::unfold(items, async |mut items| {
            items.recv().await.map(|item| (item, items))
        }))
    }
}

impl Bench {
    fn new(options: GuardOptions) -> Self {
        Self::of(options, Scope::Shared)
    }

    fn of(options: GuardOptions, scope: Scope) -> Self {
        let (calls, seen) = mpsc::channel(1024);
        let guard = Guard::new(Played(calls), options);
        let link = guard.connect(scope);
        Self { guard, link, seen }
    }

    /// Calls the tool `t`, with an id.
    fn call(&self, id: u32) -> Reply {
        self.ask(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t"}}}}"#))
    }

    fn ping(&self, id: u32) -> Reply {
        self.ask(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#))
    }

    fn ask(&self, text: &str) -> Reply {
        self.link.call(Call::message(message(text), Context::default()))
    }

    fn cancel(&self, id: u32) {
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        drop(self.ask(&text));
    }

    /// The next call that the upstream sees.
    async fn see(&mut self) -> Seen {
        self.seen.recv().await.expect("a call")
    }

    fn sees_nothing(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }

    /// Lets calls fail until the breaker opens.
    async fn break_down(&mut self) {
        for id in 0..limits::BREAKER_FAILURES {
            let mut reply = self.call(id);
            self.see().await.fail(away());
            assert_eq!(failure(&mut reply).await, away());
        }
        assert_eq!(self.guard.health().state, HealthState::Down);
    }
}

impl Seen {
    fn answer(self) {
        let id = self.message.id().expect("a request");
        self.reply.try_send(Ok(Message::result_of(&id, b"{}").expect("a result"))).expect("a reader");
    }

    fn fail(self, error: CallError) {
        self.reply.try_send(Err(error)).expect("a reader");
    }

    /// Sends a message before the answer.
    fn say(&self) {
        let text = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
        self.reply.try_send(Ok(message(text))).expect("a reader");
    }
}

/// A failure after which the upstream may have seen the call.
fn away() -> CallError {
    CallError::unknown(Reason::Ended("it went away".into()))
}

/// A failure before the upstream has seen the call.
fn unreachable() -> CallError {
    CallError::not_sent(Reason::Unavailable("nobody listens".into()))
}

/// A refusal because of too much load.
fn busy(seconds: u64) -> CallError {
    let retry_after = Some(Duration::from_secs(seconds));
    CallError::answered(Reason::Refused { status: 429, retry_after, said: None })
}

async fn failure(reply: &mut Reply) -> CallError {
    let error = reply.next().await.expect("an end").expect_err("a failure");
    assert!(reply.next().await.is_none(), "an error is the last");
    error
}

async fn answered(reply: &mut Reply) {
    assert!(reply.next().await.expect("an answer").expect("no failure").is_response());
    assert!(reply.next().await.is_none(), "a response is the last");
}

/// Polls a reply as far as it can go now.
async fn pump(reply: &mut Reply) -> bool {
    tokio::select! {
        biased;
        next = reply.next() => panic!("not to be ready: {next:?}"),
        () = tokio::task::yield_now() => true,
    }
}

fn once() -> GuardOptions {
    GuardOptions::new().retries(0)
}
