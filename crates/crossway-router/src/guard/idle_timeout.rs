//! Ends calls that the upstream leaves without a message for too long.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crossway_proto::Message;
use crossway_service::{Ask, Call, CallError, Closing, Connection, Link, Reason, Reply, Scope, Upstream};
use futures_core::Stream;
use pin_project::pin_project;

use super::questions::{Asked, Questions, noted};
use super::timer::Timer;

/// An upstream whose calls end when no message has come for some time: progress and other messages count as signs of life
/// (2025-11-25, basic/lifecycle, Timeouts). The time stops while the server waits for an answer of the client. The upstream is told
/// that such calls are cancelled.
///
/// Standing streams (`subscriptions/listen`, the legacy one) are silent by nature, and have no timeout.
pub struct IdleTimeout<U> {
    upstream: U,
    idle: Option<Duration>,
}

impl<U> IdleTimeout<U> {
    /// Ends calls that are silent for `idle`; zero means no timeout.
    pub fn new(upstream: U, idle: Duration) -> Self {
        Self { upstream, idle: Some(idle).filter(|idle| !idle.is_zero()) }
    }
}

impl<U: Upstream> Upstream for IdleTimeout<U> {
    fn connect(&self, scope: Scope) -> Link {
        let link = self.upstream.connect(scope);
        match self.idle {
            Some(idle) => Link::new(IdleTimeoutConnection { link, questions: Arc::default(), idle }),
            None => link,
        }
    }
}

impl<U> fmt::Debug for IdleTimeout<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdleTimeout({:?})", self.idle)
    }
}

struct IdleTimeoutConnection {
    link: Link,
    questions: Arc<Questions>,
    idle: Duration,
}

impl Connection for IdleTimeoutConnection {
    fn call(&self, call: Call) -> Reply {
        match &call.ask {
            Ask::Message(message) if message.is_request() => {
                if message.is_method("subscriptions/listen") {
                    return self.link.call(call);
                }
            }
            Ask::Message(message) => {
                self.questions.sent(message);
                return self.link.call(call);
            }
            Ask::Listen => return noted(self.link.call(call), &self.questions),
        }
        let reply = Some(self.link.call(call));
        let (timer, asked) = (Timer::new(Some(self.idle), None), Asked::new(&self.questions));
        Reply::stream(TimedReply { reply, timer, asked })
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}

#[pin_project]
struct TimedReply {
    /// `None` once the reply has ended.
    reply: Option<Reply>,
    #[pin]
    timer: Timer,
    asked: Asked,
}

impl Stream for TimedReply {
    type Item = Result<Message, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(reply) = this.reply else { return Poll::Ready(None) };
        if let Poll::Ready(next) = Pin::new(reply).poll_next(cx) {
            if let Some(Ok(message)) = &next
                && !message.is_response()
            {
                this.timer.as_mut().heard();
                this.asked.hears(message);
            }
            return Poll::Ready(next);
        }
        let idle = ready!(this.timer.poll_over(cx, this.asked));
        // Dropping the reply tells the upstream.
        *this.reply = None;
        Poll::Ready(Some(Err(CallError::unknown(Reason::TimedOut(idle)))))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use crossway_proto::Limits;
    use crossway_service::{Context, Outcome};
    use crossway_testkit::Scripted;
    use tokio::time::Instant;

    use super::*;

    fn call(link: &Link, text: &'static str) -> Reply {
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        link.call(Call::message(message, Context::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_call_ends_and_the_server_is_told() {
        let (upstream, mut servers) = Scripted::new();
        let link = IdleTimeout::new(upstream, Duration::from_secs(30)).connect(Scope::Session);
        let (_, server) = servers.recv().await.unwrap();
        let mut reply = call(&link, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
        let started = Instant::now();
        let error = reply.next().await.unwrap().unwrap_err();
        assert_eq!((started.elapsed().as_secs(), error.outcome()), (30, Outcome::Unknown));
        let id = server.expect("m").await;
        assert_eq!(server.receive().await.unwrap().cancelled_id(), Some(id));
        assert!(reply.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_client_is_asked_is_not_silent() {
        let (upstream, mut servers) = Scripted::new();
        let link = IdleTimeout::new(upstream, Duration::from_secs(30)).connect(Scope::Session);
        let (_, server) = servers.recv().await.unwrap();
        let mut reply = call(&link, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
        let id = server.expect("m").await;
        server.send(r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}"#);
        assert!(reply.next().await.unwrap().unwrap().is_request());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(400)).await;
            drop(call(&link, r#"{"jsonrpc":"2.0","id":"q","result":{"action":"accept"}}"#));
            assert!(server.receive().await.unwrap().is_response());
            server.answer(&id, "{}");
            server.receive().await;
        });
        assert!(reply.next().await.unwrap().unwrap().is_response());
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_a_sign_of_life() {
        let (upstream, mut servers) = Scripted::new();
        let link = IdleTimeout::new(upstream, Duration::from_secs(30)).connect(Scope::Session);
        let (_, server) = servers.recv().await.unwrap();
        let mut reply =
            call(&link, r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":1}}}"#);
        tokio::spawn(async move {
            let id = server.expect("m").await;
            for _ in 0..3 {
                tokio::time::advance(Duration::from_secs(20)).await;
                server.send(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
                ));
            }
            server.answer(&id, "{}");
            server.receive().await;
        });
        for _ in 0..3 {
            assert!(!reply.next().await.unwrap().unwrap().is_response());
        }
        assert!(reply.next().await.unwrap().unwrap().is_response());
    }
}
