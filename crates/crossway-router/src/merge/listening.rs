//! `subscriptions/listen`, merged over all upstreams.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crossway_era::to_legacy::below;
use crossway_era::{SubscriptionFilter, keys};
use crossway_proto::{Message, Part, RequestId};
use crossway_service::{Call, CallError, Context, Reply};
use futures_util::StreamExt;
use futures_util::future::{OptionFuture, join_all};
use futures_util::stream::{self, BoxStream, SelectAll};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Sleep, sleep, timeout};

use super::Router;
use super::resources::Owner;
use crate::access::{AccessTarget, CallerSet};
use crate::jitter::somewhere_in;
use crate::limits::{ACKNOWLEDGE_TIME, SIGHT_PACE, SIGHT_TIME, SUBSCRIBED};
use crate::list_cache::{Change, Item, Kept, ListCache, ListChange, ListKind, View, ends};

/// The lists whose changes the client wants to be notified of.
fn kinds(filter: &SubscriptionFilter) -> impl Iterator<Item = ListKind> + use<> {
    let kinds = [
        (ListKind::Tools, filter.tools),
        (ListKind::Prompts, filter.prompts),
        (ListKind::Resources, filter.resources),
    ];
    kinds.into_iter().filter_map(|(kind, is_on)| is_on.then_some(kind))
}

/// Opens the client's subscription. Changes of lists come from the list caches; resources are subscribed to at each upstream that has
/// them.
pub(super) fn listen(router: Router, id: RequestId, message: Message, context: Context) -> Reply {
    let changes = router.0.changed.subscribe();
    let filter = match SubscriptionFilter::of(&message) {
        Ok(filter) => filter,
        Err(malformed) => return Reply::once(Message::error_of(Some(&id), &malformed)),
    };
    Reply::pending(async move {
        let has_lists = kinds(&filter).next().is_some();
        let kept = has_lists.then(|| router.keep(&filter, &message, &context));
        let mut owners: BTreeMap<Arc<str>, Owned> = BTreeMap::new();
        for uri in filter.uris.iter().take(SUBSCRIBED) {
            // The remaining context is about this upstream, and does not accumulate.
            let mut admitted = context.clone();
            if let Ok(Owner { member, uri: own }) = router.owner(uri, &message, &context).await
                && router.admits_in(&member, ListKind::Resources, &own, &message, &mut admitted)
            {
                let owned = owners.entry(Arc::clone(&member.name));
                let owned = owned.or_insert_with(|| (member, admitted, Subscribed::new()));
                owned.2.insert(own, uri.clone());
            }
        }
        let asked = owners.into_values().map(|(member, context, subscribed)| {
            let own: Vec<&String> = subscribed.keys().collect();
            let reply = listen_request(&message, &own)
                .map(|request| member.link.call(Call::message(request, context)));
            async move {
                let mut reply = reply?;
                let subscribed = agreed(&mut reply, subscribed).await?;
                Some((member, reply, subscribed))
            }
        });
        let mut upstreams = SelectAll::new();
        let mut taken = Vec::new();
        for (member, reply, subscribed) in join_all(asked).await.into_iter().flatten() {
            let subscribed = Arc::new(subscribed);
            // The end of a reply is an item too: a reply that ends without an answer has been cut off.
            let (heard, name) = (reply.map(Some).chain(stream::iter([None])), Arc::clone(&member.name));
            taken.push((member, Arc::clone(&subscribed)));
            upstreams.push(heard.map(move |heard| (heard, (name.clone(), subscribed.clone()))).boxed());
        }
        let listening = Listening {
            router,
            message,
            context,
            id,
            filter,
            kept,
            taken,
            changes,
            look: None,
            has_missed: false,
            to_tell: VecDeque::new(),
            upstreams,
            is_acknowledged: false,
            has_ended: false,
        };
        Reply::stream(futures_util::stream::unfold(listening, |mut listening| async {
            listening.next().await.map(|message| (Ok::<_, CallError>(message), listening))
        }))
    })
}

/// Resources of one upstream: from its own URIs to the URIs that the client uses.
type Subscribed = BTreeMap<String, String>;

/// An upstream, the context of the subscription there, and its resources.
type Owned = (Arc<ListCache>, Context, Subscribed);

/// The resources that the upstream has agreed to, or may yet agree to; `None` if it has refused.
///
/// "The `notifications` field in the acknowledgment reflects the subset the server agreed to honor" (2026-07-28,
/// basic/patterns/subscriptions), for the client as for the upstream.
async fn agreed(reply: &mut Reply, mut subscribed: Subscribed) -> Option<Subscribed> {
    let Ok(first) = timeout(ACKNOWLEDGE_TIME, reply.next()).await else { return Some(subscribed) };
    let first = first?.ok()?;
    if !first.is_method("notifications/subscriptions/acknowledged") {
        return None;
    }
    let filter = first.member(Part::Params, "notifications").unwrap_or_default();
    let filter = SubscriptionFilter::readable(filter);
    subscribed.retain(|own, _| filter.uris.contains(own));
    (!subscribed.is_empty()).then_some(subscribed)
}

/// Keeps the lists of the upstreams that the client sees up to date.
struct KeptAll {
    rights: CallerSet,
    /// The views of the lists that the client sees, with their upstreams.
    views: Vec<(Arc<ListCache>, Arc<View>)>,
    _kept: Vec<Kept>,
}

impl KeptAll {
    fn has(&self, (upstream, view): &(Arc<str>, Arc<View>)) -> bool {
        self.views.iter().any(|(member, seen)| member.name == *upstream && seen == view)
    }

    fn has_any_of(&self, upstream: &str) -> bool {
        self.views.iter().any(|(member, _)| *member.name == *upstream)
    }

    /// Whether the client sees the same, as far as that depends on rights and on the upstreams.
    fn sees_as(&self, other: &Self) -> bool {
        let same = |((one, view), (other, other_view)): (&(Arc<ListCache>, _), &(Arc<ListCache>, _))| {
            Arc::ptr_eq(one, other) && view == other_view
        };
        self.rights == other.rights
            && self.rights != CallerSet::ThisCall
            && self.views.len() == other.views.len()
            && self.views.iter().zip(&other.views).all(same)
    }
}

impl Router {
    /// How long a listener waits before it checks whether its client sees something else.
    fn time_to_look(&self) -> Duration {
        let listening = u32::try_from(self.0.changed.receiver_count()).unwrap_or(u32::MAX);
        somewhere_in(SIGHT_PACE.saturating_mul(listening).min(SIGHT_TIME))
    }

    fn keep(&self, filter: &SubscriptionFilter, request: &Message, context: &Context) -> KeptAll {
        let seen = self.seen(request, context);
        // Changes of templates are notified as changes of resources.
        let templates = filter.resources.then_some(ListKind::Templates);
        let kinds: Vec<_> = kinds(filter).chain(templates).collect();
        let asker = self.asker(request, context);
        let kept = seen.visible().map(|(member, view)| member.entry(view, &asker).kept(&kinds));
        let kept = kept.collect();
        let views = seen.visible().map(|(member, view)| (Arc::clone(member), Arc::clone(view))).collect();
        KeptAll { rights: seen.rights().clone(), views, _kept: kept }
    }
}

/// An item from an upstream, `None` at its end, with the upstream's name and the resources subscribed to.
type Heard = (Option<Result<Message, CallError>>, (Arc<str>, Arc<Subscribed>));

struct Listening {
    router: Router,
    message: Message,
    context: Context,
    id: RequestId,
    filter: SubscriptionFilter,
    kept: Option<KeptAll>,
    /// The resources that upstreams have agreed to.
    taken: Vec<(Arc<ListCache>, Arc<Subscribed>)>,
    changes: broadcast::Receiver<Change>,
    /// When to check what a change of rights or of upstreams means for the client.
    look: Option<Pin<Box<Sleep>>>,
    /// Whether changes came faster than they were read: then all wanted lists are reported as changed.
    has_missed: bool,
    /// The lists whose changes are still to be notified.
    to_tell: VecDeque<ListKind>,
    upstreams: SelectAll<BoxStream<'static, Heard>>,
    is_acknowledged: bool,
    has_ended: bool,
}

impl Listening {
    async fn next(&mut self) -> Option<Message> {
        if self.has_ended {
            return None;
        }
        if !std::mem::replace(&mut self.is_acknowledged, true) {
            return self.acknowledged();
        }
        loop {
            if let Some(kind) = self.to_tell.pop_front() {
                return notification(kind.change(), &self.id, None);
            }
            tokio::select! {
                Some(()) = OptionFuture::from(self.look.as_mut()) => {
                    self.look = None;
                    if !self.may_listen() {
                        return self.end();
                    }
                    self.look();
                }
                change = self.changes.recv() => match change {
                    Ok(Change::Sight) => self.look_later(),
                    Ok(Change::Missed(upstream)) => self.missed_of(&upstream),
                    Ok(Change::List(change)) => self.changed(&change),
                    // It is unknown which changes were missed: any list may have changed.
                    Err(RecvError::Lagged(_)) => {
                        self.has_missed = true;
                        self.look_later();
                    }
                    Err(RecvError::Closed) => return self.end(),
                },
                Some((heard, (upstream, subscribed))) = self.upstreams.next() => match heard {
                    Some(Ok(message)) if message.is_method("notifications/resources/updated") => {
                        if let Some(message) = self.own(message, &upstream, &subscribed) {
                            return Some(message);
                        }
                    }
                    Some(Ok(message)) if ends(&message) => return self.end(),
                    Some(Ok(_)) => {}
                    // An upstream has ended, and with it the subscriptions there.
                    Some(Err(_)) | None => return self.end(),
                },
            }
        }
    }

    /// Schedules a check of what the client sees.
    fn look_later(&mut self) {
        let router = &self.router;
        self.look.get_or_insert_with(|| Box::pin(sleep(router.time_to_look())));
    }

    /// Queues notifications if the client sees something else than before, or may.
    fn look(&mut self) {
        let Some(kept) = &self.kept else { return };
        let now = self.router.keep(&self.filter, &self.message, &self.context);
        if std::mem::take(&mut self.has_missed) || !kept.sees_as(&now) {
            self.to_tell = kinds(&self.filter).collect();
        }
        self.kept = Some(now);
    }

    /// Queues notifications if the client sees an upstream whose lists may have changed.
    fn missed_of(&mut self, upstream: &str) {
        if self.kept.as_ref().is_some_and(|kept| kept.has_any_of(upstream)) {
            self.to_tell.extend(kinds(&self.filter));
        }
    }

    /// Queues the notification of a change, if the client sees the list and wants to know.
    fn changed(&mut self, change: &ListChange) {
        let is_told = self.kept.as_ref().is_some_and(|kept| kept.has(&change.list));
        let is_wanted = kinds(&self.filter).any(|kind| kind.change() == change.kind.change());
        if is_told && is_wanted && self.sees(change) {
            self.to_tell.push_back(change.kind);
        }
    }

    /// Whether a change of a list affects an item that the client sees.
    fn sees(&self, change: &ListChange) -> bool {
        let (kind, upstream) = (change.kind, &*change.list.0);
        let judge = self.router.access().item_filter(upstream, &self.context);
        let shows = |Item { name, json, .. }: &Item| {
            judge(&AccessTarget { upstream, kind, name, item: Some(json), is_list_unavailable: false })
        };
        change.difference.as_ref().is_none_or(|difference| difference.is_seen(shows))
    }

    /// Whether the client may still see all resources it is subscribed to, and their upstreams are still the same.
    fn may_listen(&self) -> bool {
        let members = self.router.members();
        let access = self.router.access();
        self.taken.iter().all(|(member, subscribed)| {
            let is_there = members.by_name.get(&member.name).is_some_and(|now| Arc::ptr_eq(now, member));
            let (upstream, kind) = (&*member.name, ListKind::Resources);
            let thing = |name| AccessTarget { upstream, kind, name, item: None, is_list_unavailable: false };
            is_there
                && access.list_group(upstream, &self.context) != CallerSet::Nobody
                && subscribed.keys().all(|own| access.can_see(&thing(own), &self.context))
        })
    }

    fn acknowledged(&self) -> Option<Message> {
        let mut filter = serde_json::Map::new();
        for (name, is_on) in [
            ("toolsListChanged", self.filter.tools),
            ("promptsListChanged", self.filter.prompts),
            ("resourcesListChanged", self.filter.resources),
        ] {
            if is_on {
                filter.insert(name.to_owned(), true.into());
            }
        }
        let taken: Vec<&String> = self.taken.iter().flat_map(|(_, subscribed)| subscribed.values()).collect();
        if !taken.is_empty() {
            filter.insert("resourceSubscriptions".to_owned(), json!(taken));
        }
        let filter = serde_json::Value::Object(filter).to_string();
        notification("notifications/subscriptions/acknowledged", &self.id, Some(&filter))
    }

    /// An upstream's update of a resource, with the client's own subscription id and URI. `None` if the client is not subscribed to the
    /// resource or to one above it, or may not see it: a shared server also sends what others are subscribed to.
    fn own(&self, mut message: Message, upstream: &str, subscribed: &Subscribed) -> Option<Message> {
        let uri: String = serde_json::from_slice(message.member(Part::Params, "uri")?).ok()?;
        let exposed = exposed(&uri, subscribed)?;
        let kind = ListKind::Resources;
        let thing = AccessTarget { upstream, kind, name: &uri, item: None, is_list_unavailable: false };
        if !self.router.access().can_see(&thing, &self.context) {
            return None;
        }
        if exposed != uri {
            message.edit(Part::Params, &[], &[("uri", json!(exposed).to_string().as_bytes())]).ok()?;
            message = message.reread().ok()?;
        }
        message.edit(Part::Meta, &[], &[(keys::SUBSCRIPTION_ID, self.id.as_json())]).ok()?;
        message.reread().ok()
    }

    fn end(&mut self) -> Option<Message> {
        self.has_ended = true;
        let result = [
            br#"{"resultType":"complete","_meta":{""#,
            keys::SUBSCRIPTION_ID.as_bytes(),
            b"\":",
            self.id.as_json(),
            b"}}",
        ]
        .concat();
        Message::result_of(&self.id, &result).ok()
    }
}

/// The client's URI for a resource of an upstream: one that the client is subscribed to, or one below it.
fn exposed(own: &str, subscribed: &Subscribed) -> Option<String> {
    let (rest, exposed) = match subscribed.get(own) {
        Some(exposed) => ("", exposed),
        None => {
            let above = subscribed.iter().filter_map(|(one, exposed)| Some((below(own, one)?, exposed)));
            above.min_by_key(|(rest, _)| rest.len())?
        }
    };
    Some(format!("{exposed}{rest}"))
}

fn notification(method: &str, id: &RequestId, filter: Option<&str>) -> Option<Message> {
    let filter = filter.map(|filter| format!(r#","notifications":{filter}"#)).unwrap_or_default();
    let params = format!(r#"{{"_meta":{{"{}":{id}}}{filter}}}"#, keys::SUBSCRIPTION_ID);
    Message::notification_of(method, Some(params.as_bytes())).ok()
}

/// The request to subscribe to some resources of one upstream.
fn listen_request(message: &Message, uris: &[&String]) -> Option<Message> {
    let filter = json!({ "resourceSubscriptions": uris }).to_string();
    let mut request = message.clone();
    request.edit(Part::Params, &[], &[("notifications", filter.as_bytes())]).ok()?;
    request.reread().ok()
}
