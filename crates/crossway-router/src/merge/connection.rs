//! The merged router as a connection.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use crossway_era::keys;
use crossway_proto::{ErrorCode, ErrorObject, Kind, Message, Outcome, Part, RequestId};
use crossway_service::{Ask, Call, CallError, Connection, Context, ErrorText, Reason, Reply};
use futures_util::StreamExt;
use serde_json::value::RawValue;

use super::lists::NotFound;
use super::resources::{Owner, read_as};
use super::splice::Named;
use super::{Router, listening};
use crate::access::{AccessTarget, CallerSet};
use crate::limits::{QUOTED_NAME_CHARS, UNTOLD_NAMED};
use crate::list_cache::{Entry, Failure, ListCache, ListKind, Listed};

/// The capability of clients that have extensions.
const EXTENSIONS: &str = "extensions";

pub(super) struct RouterConnection(Router);

impl RouterConnection {
    pub(super) fn new(router: Router) -> Self {
        Self(router)
    }
}

impl Connection for RouterConnection {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) => match message.request_id() {
                Some(id) => self.request(id, without_extensions(message), call.context),
                None => self.notify(&message, &call.context),
            },
            // On a modern connection, nothing is sent without a request.
            Ask::Listen => Reply::silent(),
        }
    }
}

/// What a request with a name is for.
pub(super) struct Target {
    pub(super) member: Arc<ListCache>,
    /// What it is called there.
    pub(super) name: String,
    /// The callers to whom the upstream shows the same lists.
    pub(super) callers: CallerSet,
    /// The lists that they see, if the access policy needs the item.
    pub(super) entry: Option<Arc<Entry>>,
}

impl RouterConnection {
    fn request(&self, id: RequestId, message: Message, context: Context) -> Reply {
        let router = &self.0;
        match message.method().as_deref() {
            Some("tools/call") => self.named_request(ListKind::Tools, id, message, context),
            Some("prompts/get") => self.named_request(ListKind::Prompts, id, message, context),
            Some("server/discover") if router.0.options.is_alone => {
                let router = router.clone();
                Reply::pending(async move {
                    let said = router.introduced(&id, &message, &context).await;
                    said.or_else(|| router.discovered(&id, &message, &context))
                        .map_or_else(Reply::accepted, Reply::once)
                })
            }
            Some("server/discover") => {
                router.discovered(&id, &message, &context).map_or_else(Reply::accepted, Reply::once)
            }
            Some("resources/read") => self.read(id, message, context),
            Some("completion/complete") => self.complete(id, message, context),
            Some("subscriptions/listen") => listening::listen(router.clone(), id, message, context),
            Some(method) => match ListKind::of(&message) {
                Some(kind) => {
                    let router = router.clone();
                    Reply::pending(
                        async move { Reply::once(router.list(kind, &id, &message, &context).await) },
                    )
                }
                None => {
                    let why = if router.0.options.is_alone {
                        format!("there is no {method} here")
                    } else {
                        format!("several servers as one have no {method}; ask one of them alone")
                    };
                    let error = ErrorObject::of_call(ErrorCode::METHOD_NOT_FOUND, why, Outcome::NotSent);
                    Reply::once(Message::error_of(Some(&id), &error))
                }
            },
            None => Reply::accepted(),
        }
    }

    /// A request for something with a name.
    fn named_request(
        &self,
        kind: ListKind,
        id: RequestId,
        mut message: Message,
        mut context: Context,
    ) -> Reply {
        let router = &self.0;
        let exposed = message.name().unwrap_or_default();
        match router.find_admitted_now(kind, &exposed, &message, &mut context) {
            Ok(target) => {
                drop(exposed);
                message.set_name(&target.name);
                return router.call_for_content(target, message, context);
            }
            Err(NotFound::Unasked) => {}
            Err(why) => return not_found(why, &id, what(kind), &exposed),
        }
        let (router, exposed) = (router.clone(), exposed.into_owned());
        Reply::pending(async move {
            match router.find_admitted(kind, &exposed, &message, &mut context).await {
                Ok(target) => {
                    message.set_name(&target.name);
                    router.call_for_content(target, message, context)
                }
                Err(why) => not_found(why, &id, what(kind), &exposed),
            }
        })
    }

    fn read(&self, id: RequestId, mut message: Message, mut context: Context) -> Reply {
        let router = self.0.clone();
        Reply::pending(async move {
            let uri = message.name().unwrap_or_default().into_owned();
            let owner = router.owner(&uri, &message, &context).await;
            let Owner { member, uri: own } = match router.or_missed(owner, &context) {
                Ok(owner) => owner,
                Err(why) => return not_found(why, &id, "resource", &uri),
            };
            if !router.admits_in(&member, ListKind::Resources, &own, &message, &mut context) {
                return Reply::once(unknown(&id, "resource", &uri));
            }
            if own == uri {
                return member.link.call(Call::message(message, context));
            }
            message.set_name(&own);
            let reply = member.link.call(Call::message(message, context));
            Reply::stream(reply.map(move |item| item.map(|answer| read_as(answer, &own, &uri))))
        })
    }

    fn complete(&self, id: RequestId, mut message: Message, mut context: Context) -> Reply {
        let router = self.0.clone();
        Reply::pending(async move {
            let Some(about) = message.member(Part::Params, "ref").and_then(Named::read) else {
                return Reply::once(unknown(&id, "prompt or resource", ""));
            };
            let (found, what) = match (about.name(), about.uri()) {
                (Some(exposed), _) => {
                    let found =
                        router.find_admitted(ListKind::Prompts, &exposed, &message, &mut context).await;
                    (found.map(|target| (target.member, about.with_name(&target.name))), exposed)
                }
                (None, Some(uri)) => {
                    let owner = router.owner(&uri, &message, &context).await;
                    let found = match router.or_missed(owner, &context) {
                        Ok(Owner { member, uri: own }) => router
                            .admits_in(&member, ListKind::Templates, &own, &message, &mut context)
                            .then_some((member, about.with_uri(&own)))
                            .ok_or(NotFound::Unknown),
                        Err(why) => Err(why),
                    };
                    (found, uri)
                }
                (None, None) => (Err(NotFound::Unknown), String::new()),
            };
            let (member, reference) = match found {
                Ok(found) => found,
                Err(why) => return not_found(why, &id, "prompt or resource", &what),
            };
            let edited = message.edit(Part::Params, &[], &[("ref", &reference)]);
            debug_assert!(edited.is_ok(), "it has been read as an object");
            match message.reread() {
                Ok(message) => member.link.call(Call::message(message, context)),
                Err(_) => Reply::once(unknown(&id, "prompt or resource", "")),
            }
        })
    }

    /// A cancellation goes to all upstreams: those that don't have the call have nothing to do.
    fn notify(&self, message: &Message, context: &Context) -> Reply {
        if message.kind() == Kind::Notification && message.is_method("notifications/cancelled") {
            for member in &self.0.members().all {
                if self.0.access().list_group(&member.name, context) == CallerSet::Nobody {
                    continue;
                }
                let reply = member.link.call(Call::message(message.clone(), context.clone()));
                tokio::spawn(reply.drain());
            }
        }
        Reply::accepted()
    }
}

impl Router {
    /// Whether the client may make a request for the item that an upstream calls `name`, if that does not
    /// depend on the item's content.
    pub(super) fn admits_in(
        &self,
        member: &ListCache,
        kind: ListKind,
        name: &str,
        request: &Message,
        context: &mut Context,
    ) -> bool {
        let thing =
            AccessTarget { upstream: &member.name, kind, name, item: None, is_list_unavailable: false };
        let callers = self.access().list_group(&member.name, context);
        self.authorize(&thing, &callers, request, context)
    }

    /// `callers` are those to whom the upstream shows the same lists as to this one.
    fn authorize(
        &self,
        thing: &AccessTarget<'_>,
        callers: &CallerSet,
        request: &Message,
        context: &mut Context,
    ) -> bool {
        // The access policy is asked about every call, also about items that the caller does not see.
        self.access().authorize(thing, request, context) && *callers != CallerSet::Nobody
    }

    /// The target of an exposed name, if the client may make a request for it, as far as it is known without
    /// asking any upstream.
    fn find_admitted_now(
        &self,
        kind: ListKind,
        exposed: &str,
        request: &Message,
        context: &mut Context,
    ) -> Result<Target, NotFound> {
        let found = self.find(kind, exposed, request, context);
        let target = self.target(self.or_missed(found, context)?, kind, request, context);
        let listed = match &target.entry {
            Some(entry) => Some(entry.ask(kind).ok_or(NotFound::Unasked)?),
            None => None,
        };
        self.admitted(target, kind, listed, request, context)
    }

    /// The same, after asking the upstreams that have to be asked.
    async fn find_admitted(
        &self,
        kind: ListKind,
        exposed: &str,
        request: &Message,
        context: &mut Context,
    ) -> Result<Target, NotFound> {
        let found = self.find_anew(kind, exposed, request, context).await;
        let target = self.target(self.or_missed(found, context)?, kind, request, context);
        let listed = match &target.entry {
            Some(entry) => Some(entry.list(kind).await),
            None => None,
        };
        self.admitted(target, kind, listed, request, context)
    }

    /// Returns `found`, after telling the access policy if no upstream has it.
    fn or_missed<T>(&self, found: Result<T, NotFound>, context: &Context) -> Result<T, NotFound> {
        if matches!(found, Err(NotFound::Unknown)) {
            self.access().unknown_target(context);
        }
        found
    }

    /// The target, with the upstream's lists for the client if the access policy needs the item.
    fn target(
        &self,
        (member, name): (Arc<ListCache>, String),
        kind: ListKind,
        request: &Message,
        context: &Context,
    ) -> Target {
        let callers = self.access().list_group(&member.name, context);
        let entry = match self.access().needs_item(&member.name, kind, context) {
            true => self.entry_of(&member, &callers, request, context),
            false => None,
        };
        Target { member, name, callers, entry }
    }

    /// Returns the target if the client may make a request for it. `listed` is the upstream's list, if the
    /// access policy needs it.
    fn admitted(
        &self,
        target: Target,
        kind: ListKind,
        listed: Option<Result<Listed, Arc<Failure>>>,
        request: &Message,
        context: &mut Context,
    ) -> Result<Target, NotFound> {
        let Target { member, name, callers, .. } = &target;
        let is_admitted = {
            let is_list_unavailable = matches!(listed, Some(Err(_)));
            let thing = |item| AccessTarget { upstream: &member.name, kind, name, item, is_list_unavailable };
            let items = listed.as_ref().and_then(|listed| listed.as_ref().ok()).map(|listed| &listed.items);
            let mut of_name =
                items.into_iter().flat_map(|items| items.named(name)).map(|item| &item.json[..]);
            // Of several items with one name, the first that the client may see is listed.
            let item = match (of_name.next(), of_name.clone().next()) {
                (Some(first), Some(_)) => iter::once(first)
                    .chain(of_name)
                    .find(|item| self.access().can_see(&thing(Some(item)), context))
                    .or(Some(first)),
                (first, _) => first,
            };
            self.authorize(&thing(item), callers, request, context)
        };
        match (is_admitted, listed) {
            (true, _) => Ok(target),
            // It may have been denied only because it is not known to exist.
            (false, Some(Err(failure))) => Err(NotFound::Untold(Some(failure))),
            (false, _) => Err(NotFound::Unknown),
        }
    }
}

/// The request as if its client had no extensions: those may add methods that this router lacks
/// (`tasks/get`), and results that need these methods.
fn without_extensions(mut request: Message) -> Message {
    let Some(declared) = request.client_capabilities() else { return request };
    // Names may be written with escapes.
    let is_named = declared.windows(EXTENSIONS.len()).any(|text| text == EXTENSIONS.as_bytes());
    if !is_named && !declared.contains(&b'\\') {
        return request;
    }
    let kept = match serde_json::from_slice::<BTreeMap<String, &RawValue>>(declared) {
        Ok(mut kept) => match kept.remove(EXTENSIONS) {
            Some(_) => serde_json::to_string(&kept).unwrap_or_else(|_| "{}".to_owned()),
            None => return request,
        },
        // A name has half a surrogate pair, so the other members can't be separated from it.
        Err(_) => "{}".to_owned(),
    };
    let edited = request.edit(Part::Meta, &[], &[(keys::CLIENT_CAPABILITIES, kept.as_bytes())]);
    debug_assert!(edited.is_ok(), "it has been read as an object");
    match request.reread() {
        Ok(request) => request,
        Err(_) => request,
    }
}

fn what(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Tools => "tool",
        ListKind::Prompts => "prompt",
        ListKind::Resources | ListKind::Templates => "resource",
    }
}

fn not_found(why: NotFound, id: &RequestId, what: &str, name: &str) -> Reply {
    match why {
        NotFound::Untold(Some(failure)) => failure.to_reply(id),
        NotFound::Untold(None) => {
            let why = "it may be one of a server of which nothing is known yet";
            Reply::failed(CallError::not_sent(Reason::Unavailable(why.into())))
        }
        NotFound::UntoldBy(upstreams) => {
            let named: Vec<&str> = upstreams.iter().take(UNTOLD_NAMED).map(|name| &**name).collect();
            let more = if upstreams.len() > UNTOLD_NAMED { ", and others" } else { "" };
            let name: String = name.chars().take(QUOTED_NAME_CHARS).collect();
            let why = format!(
                "unknown {what} {name:?}; servers that have not told their {what}s yet: {}{more}",
                named.join(", ")
            );
            Reply::failed(CallError::not_sent(Reason::Unavailable(ErrorText::public(why))))
        }
        NotFound::Unknown | NotFound::Unasked => Reply::once(unknown(id, what, name)),
    }
}

/// The answer for an unknown name, as servers give it.
fn unknown(id: &RequestId, what: &str, name: &str) -> Message {
    let name: String = name.chars().take(QUOTED_NAME_CHARS).collect();
    Message::error_of(
        Some(id),
        &ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("Unknown {what}: {name}")),
    )
}
