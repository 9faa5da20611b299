//! A router as a connection.

use crossway_proto::{ErrorCode, ErrorObject, Kind, Message, Part, RequestId};
use crossway_service::{self as service, Ask, Call, Context, Reply};
use serde::Deserialize;

use super::lists::error_of;
use super::{Router, listening};
use crate::known::ListKind;

pub(super) struct Connection(Router);

impl Connection {
    pub(super) fn new(router: Router) -> Self {
        Self(router)
    }
}

impl service::Connection for Connection {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) if message.is_request() => self.request(message, call.context),
            Ask::Message(message) => self.notify(&message, &call.context),
            // Nothing is said on a modern connection that was not asked for.
            _ => Reply::silent(),
        }
    }
}

impl Connection {
    fn request(&self, message: Message, context: Context) -> Reply {
        let router = &self.0;
        let id = message.id().unwrap_or_else(|| RequestId::from(0));
        match message.method().as_deref() {
            Some("tools/call") => self.named(ListKind::Tools, message, context),
            Some("prompts/get") => self.named(ListKind::Prompts, message, context),
            Some("server/discover") => router.discovered(&id).map_or_else(Reply::accepted, Reply::once),
            Some("resources/read") => {
                let router = router.clone();
                Reply::pending(async move {
                    let uri = message.name().unwrap_or_default().into_owned();
                    match router.owner(&uri, &message, &context).await {
                        Some(member) => member.link.call(Call::message(message, context)),
                        None => Reply::once(error_of(&id, unknown("resource", &uri))),
                    }
                })
            }
            Some("completion/complete") => self.complete(message, context),
            Some("subscriptions/listen") => listening::listen(router.clone(), message, context),
            Some(method) => match ListKind::of(&message) {
                Some(kind) => {
                    let router = router.clone();
                    Reply::pending(async move { Reply::once(router.list(kind, &message, &context).await) })
                }
                None => {
                    let why = format!("several servers as one have no {method}; ask one of them alone");
                    Reply::once(error_of(&id, ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, why)))
                }
            },
            None => Reply::accepted(),
        }
    }

    /// A request about something that has a name.
    fn named(&self, kind: ListKind, mut message: Message, context: Context) -> Reply {
        let exposed = message.name().unwrap_or_default().into_owned();
        if let Some((member, name)) = self.0.lookup(kind, &exposed) {
            message.set_name(&name);
            return member.link.call(Call::message(message, context));
        }
        // A name that was cut can't be told before its list is known.
        let router = self.0.clone();
        Reply::pending(async move {
            let id = message.id().unwrap_or_else(|| RequestId::from(0));
            drop(router.list(kind, &list_request(&message, kind), &context).await);
            match router.lookup(kind, &exposed) {
                Some((member, name)) => {
                    message.set_name(&name);
                    member.link.call(Call::message(message, context))
                }
                None => {
                    let what = if kind == ListKind::Tools { "tool" } else { "prompt" };
                    Reply::once(error_of(&id, unknown(what, &exposed)))
                }
            }
        })
    }

    fn complete(&self, mut message: Message, context: Context) -> Reply {
        #[derive(Deserialize, Default)]
        struct Reference {
            name: Option<String>,
            uri: Option<String>,
        }
        let router = self.0.clone();
        Reply::pending(async move {
            let id = message.id().unwrap_or_else(|| RequestId::from(0));
            let reference = message.member(Part::Params, "ref").unwrap_or_default();
            let about: Reference = serde_json::from_slice(reference).unwrap_or_default();
            let (member, what) = match (about.name, about.uri) {
                (Some(exposed), _) => match router.lookup(ListKind::Prompts, &exposed) {
                    Some((member, name)) => {
                        let mut reference: serde_json::Value =
                            serde_json::from_slice(reference).unwrap_or_default();
                        reference["name"] = name.into();
                        let reference = reference.to_string();
                        let edited = message.edit(Part::Params, &[], &[("ref", reference.as_bytes())]);
                        debug_assert!(edited.is_ok(), "it has been read as an object");
                        (Some(member), exposed)
                    }
                    None => (None, exposed),
                },
                (None, Some(uri)) => (router.owner(&uri, &message, &context).await, uri),
                (None, None) => (None, String::new()),
            };
            match (member, message.reread()) {
                (Some(member), Ok(message)) => member.link.call(Call::message(message, context)),
                _ => Reply::once(error_of(&id, unknown("prompt or resource", &what))),
            }
        })
    }

    /// A cancellation goes to all upstreams: those that don't have the call have nothing to do.
    fn notify(&self, message: &Message, context: &Context) -> Reply {
        if message.kind() == Kind::Notification && message.is_method("notifications/cancelled") {
            for member in &self.0.members().all {
                let mut reply = member.link.call(Call::message(message.clone(), context.clone()));
                tokio::spawn(async move { while let Some(Ok(_)) = reply.next().await {} });
            }
        }
        Reply::accepted()
    }
}

/// A request for a list, on behalf of the client of another request.
fn list_request(message: &Message, kind: ListKind) -> Message {
    let params = [br#"{"_meta":"#, message.meta().unwrap_or(b"{}"), b"}"].concat();
    let id = RequestId::from("crossway-names");
    Message::request_of(&id, kind.method(), Some(&params)).unwrap_or_else(|_| message.clone())
}

/// As servers say it of what they don't have.
fn unknown(what: &str, name: &str) -> ErrorObject {
    let name: String = name.chars().take(200).collect();
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("Unknown {what}: {name}"))
}
