//! An upstream whose calls are recorded.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use crossway_proto::Message;
use crossway_service::{
    Ask, Call, CallError, Closing, Connection, Context, Link, Outcome, Reply, Scope, Upstream,
};
use futures_core::Stream;

use super::{CallOutcome, MeteredCall, Metrics};

/// An upstream whose calls are recorded, by tenant.
///
/// Requests are calls; notifications, responses and standing streams are not.
#[derive(Clone)]
pub struct Metered<U> {
    upstream: U,
    shared: Arc<Shared>,
}

struct Shared {
    metrics: Metrics,
    name: Box<str>,
    tenant: fn(&Context) -> &str,
}

impl<U> Metered<U> {
    /// Records the calls of `upstream`, which the configuration calls `name`. `tenant` tells whose a call is, from its
    /// context; what it gives has to come from the configuration.
    pub fn new(upstream: U, metrics: Metrics, name: &str, tenant: fn(&Context) -> &str) -> Self {
        Self { upstream, shared: Arc::new(Shared { metrics, name: name.into(), tenant }) }
    }
}

impl<U: Upstream> Upstream for Metered<U> {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(MeteredLink { link: self.upstream.connect(scope), shared: Arc::clone(&self.shared) })
    }
}

impl<U> fmt::Debug for Metered<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metered({})", self.shared.name)
    }
}

struct MeteredLink {
    link: Link,
    shared: Arc<Shared>,
}

impl Connection for MeteredLink {
    fn call(&self, call: Call) -> Reply {
        let bytes = match &call.ask {
            Ask::Message(message) if message.is_request() && !message.is_method("subscriptions/listen") => {
                message.len()
            }
            _ => return self.link.call(call),
        };
        let tenant = (self.shared.tenant)(&call.context);
        let metered = self.shared.metrics.calls(tenant, &self.shared.name).begin(bytes);
        Reply::stream(MeteredReply { reply: self.link.call(call), call: Some(metered) })
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}

struct MeteredReply {
    reply: Reply,
    /// `None` once it has ended.
    call: Option<MeteredCall>,
}

impl Stream for MeteredReply {
    type Item = Result<Message, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.reply).poll_next(cx));
        let outcome = match &next {
            Some(Ok(message)) => {
                if let Some(call) = &self.call {
                    call.replied(message.len());
                }
                match () {
                    () if !message.is_response() => return Poll::Ready(next),
                    () if message.error().is_some() => CallOutcome::Error,
                    () => CallOutcome::Ok,
                }
            }
            Some(Err(error)) => match error.outcome() {
                Outcome::NotSent => CallOutcome::NotSent,
                Outcome::Unknown => CallOutcome::Unknown,
                Outcome::Answered => CallOutcome::Refused,
            },
            // It ends without a response only when it was cancelled.
            None => CallOutcome::Cancelled,
        };
        if let Some(call) = self.call.take() {
            call.ended(outcome);
        }
        Poll::Ready(next)
    }
}
