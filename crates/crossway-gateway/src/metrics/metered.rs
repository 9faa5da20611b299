//! A layer that records metrics of an upstream's calls.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use crossway_proto::{ErrorCode, Message, Part};
use crossway_service::{Ask, Call, CallError, Closing, Connection, Context, Link, Outcome, Reply};
use futures_core::Stream;
use prometheus_client::metrics::counter::Counter;
use tower_layer::Layer;

use super::slots::Slots;
use super::{CallMeter, CallOutcome, MeteredCall, Metrics, TenantMeter};

/// The requests for lists. Clients' own requests arrive here as well if nothing is known about the upstream's lists.
const LISTS: [&str; 4] = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

/// Records the calls of an upstream by tenant, and how often its lists are read.
///
/// Requests are calls; notifications, responses and standing streams are not. Calls without a tenant are not recorded.
pub(crate) struct MeterLayer {
    shared: Arc<Shared>,
}

struct Shared {
    metrics: Metrics,
    name: Box<str>,
    tenant: fn(&Context) -> Option<&TenantMeter>,
    /// By the numbers of tenants' meters, so that a call needs no lookup by name.
    calls: Slots<Arc<CallMeter>>,
    /// In the order of [`CallOutcome::ALL`].
    lists: [Counter; 6],
}

impl MeterLayer {
    /// Records the calls of the upstream that the configuration calls `name`. `tenant` returns a call's tenant from its
    /// context.
    pub(crate) fn new(metrics: Metrics, name: &str, tenant: fn(&Context) -> Option<&TenantMeter>) -> Self {
        let lists = metrics.list_reads(name);
        let calls = Slots::default();
        Self { shared: Arc::new(Shared { metrics, name: name.into(), tenant, calls, lists }) }
    }
}

impl Shared {
    /// Records the start of a tenant's call.
    fn begin(&self, tenant: &TenantMeter, bytes: usize) -> MeteredCall {
        let make = || self.metrics.calls_of(tenant, &self.name);
        match self.calls.get_or_init(tenant.number(), make) {
            Some(calls) => calls.begin(bytes),
            None => make().begin(bytes),
        }
    }
}

impl Layer<Link> for MeterLayer {
    type Service = MeteredConnection;

    fn layer(&self, link: Link) -> MeteredConnection {
        MeteredConnection { link, shared: Arc::clone(&self.shared) }
    }
}

pub(crate) struct MeteredConnection {
    link: Link,
    shared: Arc<Shared>,
}

impl Connection for MeteredConnection {
    fn call(&self, call: Call) -> Reply {
        let shared = &self.shared;
        let (message, tenant) = match (&call.ask, (shared.tenant)(&call.context)) {
            (Ask::Message(message), Some(tenant))
                if message.is_request() && !message.is_method("subscriptions/listen") =>
            {
                (message, tenant)
            }
            _ => return self.link.call(call),
        };
        let list = begins_list(message).then(|| Arc::clone(shared));
        let metered = shared.begin(tenant, message.len());
        Reply::stream(MeteredReply { reply: self.link.call(call), call: Some(metered), list })
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}

/// Whether a request is for the first page of a list.
fn begins_list(message: &Message) -> bool {
    LISTS.iter().any(|list| message.is_method(list)) && message.member(Part::Params, "cursor").is_none()
}

/// Whether an error says that the call was not sent, as this gateway's do for a missing credential, and another gateway's may.
fn is_not_sent(error: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Coded {
        code: i64,
    }
    serde_json::from_slice::<Coded>(error).is_ok_and(|error| error.code == ErrorCode::NOT_SENT.0)
}

struct MeteredReply {
    reply: Reply,
    /// `None` once the call has ended.
    call: Option<MeteredCall>,
    /// The counters of list reads, for a request for a list that has not ended.
    list: Option<Arc<Shared>>,
}

impl MeteredReply {
    fn ended(&mut self, outcome: CallOutcome) {
        if let Some(call) = self.call.take() {
            call.ended(outcome);
        }
        if let Some(list) = self.list.take() {
            list.lists[outcome as usize].inc();
        }
    }
}

impl Drop for MeteredReply {
    fn drop(&mut self) {
        self.ended(CallOutcome::Cancelled);
    }
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
                    () if message.error().is_some_and(is_not_sent) => CallOutcome::NotSent,
                    () if message.error().is_some() => CallOutcome::Error,
                    () => CallOutcome::Ok,
                }
            }
            Some(Err(error)) => {
                self.call.as_ref().inspect(|call| call.failed(error));
                match error.outcome() {
                    Outcome::NotSent => CallOutcome::NotSent,
                    Outcome::Unknown => CallOutcome::Unknown,
                    Outcome::Answered => CallOutcome::Refused,
                }
            }
            // A reply ends without a response only if the call was cancelled.
            None => CallOutcome::Cancelled,
        };
        self.ended(outcome);
        Poll::Ready(next)
    }
}
