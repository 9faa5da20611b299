//! No permit, no call.

use crossway_policy::{Kind, Permit};
use crossway_proto::{ErrorCode, ErrorObject, Message, RequestId};
use crossway_service::{Ask, Call, Closing, Connection, Link, Reply, Scope, Upstream};

use super::access::Name;

/// An upstream that is called only with a permit for exactly what is called. What has no name of something is let through
/// where it only tells what the policy then filters.
pub(crate) struct Gated<U> {
    name: Name,
    upstream: U,
}

impl<U: Upstream> Gated<U> {
    pub(crate) fn new(name: Name, upstream: U) -> Self {
        Self { name, upstream }
    }
}

impl<U: Upstream> Upstream for Gated<U> {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(Gate { name: self.name.clone(), link: self.upstream.connect(scope) })
    }
}

struct Gate {
    name: Name,
    link: Link,
}

impl Gate {
    fn is_open(&self, message: &Message, permit: Option<&Permit>) -> bool {
        let exactly = |kind| {
            let name = message.name().unwrap_or_default();
            permit.is_some_and(|permit| permit.is_for(&self.name, kind, &name))
        };
        match message.method().as_deref() {
            Some("tools/call") => exactly(Kind::Tool),
            Some("prompts/get") => exactly(Kind::Prompt),
            Some("resources/read") => exactly(Kind::Resource),
            // What it is about is not read again here.
            Some("completion/complete") => permit.is_some_and(|permit| {
                permit.upstream() == &*self.name && matches!(permit.kind(), Kind::Prompt | Kind::Template)
            }),
            Some(
                "server/discover"
                | "tools/list"
                | "prompts/list"
                | "resources/list"
                | "resources/templates/list"
                | "subscriptions/listen"
                | "notifications/cancelled",
            ) => true,
            _ => false,
        }
    }
}

impl Connection for Gate {
    fn call(&self, call: Call) -> Reply {
        if let Ask::Message(message) = &call.ask
            && !self.is_open(message, call.context.extensions.get())
        {
            tracing::warn!(
                upstream = &*self.name,
                method = message.method().as_deref(),
                "a call without a permit"
            );
            let id = message.id().unwrap_or_else(|| RequestId::from(0));
            let error = ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "there is no such thing here");
            return Message::error_of(Some(&id), &error).map_or_else(|_| Reply::accepted(), Reply::once);
        }
        self.link.call(call)
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}
