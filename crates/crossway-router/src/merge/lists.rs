//! Lists, merged over all upstreams.

use std::borrow::Cow;
use std::collections::{BTreeSet, hash_map};
use std::sync::Arc;

use crossway_era::keys;
use crossway_era::to_legacy::ClientFeatures;
use crossway_proto::{Message, RequestId};
use crossway_service::Context;
use foldhash::HashMap;
use futures_util::future::join_all;
use parking_lot::MutexGuard;

use super::pages::{Pages, bad_cursor, page_of};
use super::ready::{HIDDEN, Key, Ready};
use super::templates::Earlier;
use super::{Members, Router, resources};
use crate::access::{AccessTarget, CallerSet};
use crate::list_cache::{Asker, Entry, Failure, Item, ListCache, ListKind, Listed, View};

/// A merged list, ready to be sent, and the targets of its names.
pub(super) struct Merged {
    /// The only upstream that the client sees, if there is no other.
    only: Option<Arc<str>>,
    /// The upstreams whose lists are missing.
    missing: Vec<Arc<str>>,
    /// One answer per page, under an id that is replaced before sending.
    pages: Vec<Message>,
    /// The targets by exposed name; empty if the names show their targets by themselves.
    places: HashMap<Arc<str>, Place>,
    clashes: Vec<Clash>,
    /// The names of the upstreams with items in it, sorted.
    shown: Arc<[Arc<str>]>,
}

/// The target of an exposed name.
pub(super) struct Place {
    pub(super) upstream: Arc<str>,
    /// What it is called there.
    pub(super) name: Arc<str>,
    /// The number of items before it in the list.
    pub(super) order: usize,
}

/// Two items with the same name, of which the second is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clash {
    /// The list that has them.
    pub list: ListKind,
    /// What both are called.
    pub name: String,
    /// The upstream whose item is listed and reached.
    pub first: String,
    /// The upstream whose item is left out.
    pub second: String,
}

/// The lists that a client's merged list is made from.
pub(super) struct Seen {
    members: Arc<Members>,
    rights: CallerSet,
    /// The view of each upstream; `None` for those that this client does not see.
    views: Vec<Option<Arc<View>>>,
}

impl Seen {
    /// The upstreams that the client sees, and their views.
    pub(super) fn visible(&self) -> impl Iterator<Item = (&Arc<ListCache>, &Arc<View>)> {
        self.members.all.iter().zip(&self.views).filter_map(|(member, view)| Some((member, view.as_ref()?)))
    }

    pub(super) fn rights(&self) -> &CallerSet {
        &self.rights
    }

    /// Whether later calls may see the same.
    fn is_lasting(&self) -> bool {
        self.rights != CallerSet::ThisCall && self.visible().all(|(_, view)| view.is_lasting())
    }

    /// The key of the merged list. `generation` returns that of one upstream's list.
    fn key(&self, kind: ListKind, mut generation: impl FnMut(&Arc<ListCache>, &Arc<View>) -> u64) -> Key {
        let lists = self.members.all.iter().zip(&self.views).map(|(member, view)| match view {
            Some(view) => generation(member, view),
            None => HIDDEN,
        });
        let made_of = std::iter::once(self.members.generation).chain(lists).collect();
        Key { kind, rights: self.rights.clone(), made_of }
    }
}

impl Router {
    /// Answers a list request.
    pub(super) async fn list(
        &self,
        kind: ListKind,
        id: &RequestId,
        request: &Message,
        context: &Context,
    ) -> Message {
        let page = match page_of(request) {
            Ok(page) => page,
            Err(error) => return Message::error_of(Some(id), &error),
        };
        let seen = self.seen(request, context);
        let merged = self.merged_of(kind, &seen, request, context).await;
        self.introduce(kind, &merged.shown, &seen, context).await;
        match merged.pages.get(page) {
            Some(answer) => {
                let mut answer = answer.clone();
                answer.set_id(id);
                answer
            }
            None => Message::error_of(Some(id), &bad_cursor()),
        }
    }

    /// The names that two upstreams share, in the lists that clients have requested. Under
    /// [`Prefixed`](super::Prefixed), only names that one upstream has twice.
    #[must_use]
    pub fn clashes(&self) -> Vec<Clash> {
        let mut clashes: Vec<Clash> = Vec::new();
        for merged in self.ready().all() {
            for clash in &merged.clashes {
                if !clashes.contains(clash) {
                    clashes.push(clash.clone());
                }
            }
        }
        clashes
    }

    pub(super) fn asker<'a>(&self, request: &'a Message, context: &'a Context) -> Asker<'a> {
        Asker::new(self.access(), request, context)
    }

    /// The lists that the client of `request` sees.
    pub(super) fn seen(&self, request: &Message, context: &Context) -> Seen {
        let members = self.members();
        let asks = ClientFeatures::of(request);
        let mut last: Option<(CallerSet, Option<Arc<View>>)> = None;
        let views = members.all.iter().map(|member| {
            let whose = self.access().list_group(&member.name, context);
            match &last {
                Some((same, view)) if *same == whose => view.clone(),
                _ => last.insert((whose.clone(), View::new(whose, &asks))).1.clone(),
            }
        });
        let views = views.collect();
        Seen { members, rights: self.access().rights_group(context), views }
    }

    /// The merged list for all clients that see the same as the client of `request`. Waits only for upstreams
    /// of which nothing is known, and not for long.
    pub(super) async fn merged(&self, kind: ListKind, request: &Message, context: &Context) -> Arc<Merged> {
        self.merged_of(kind, &self.seen(request, context), request, context).await
    }

    async fn merged_of(
        &self,
        kind: ListKind,
        seen: &Seen,
        request: &Message,
        context: &Context,
    ) -> Arc<Merged> {
        if let Some(merged) = self.merged_now(kind, seen, request, context) {
            return merged;
        }
        let asker = self.asker(request, context);
        let asked = seen.visible().map(|(member, view)| async {
            let listed = member.entry(view, &asker).list(kind).await;
            if let Err(error) = &listed {
                tracing::debug!(upstream = %member.name, %error, what = kind.member(), "a list is left out");
            }
            (Arc::clone(member), listed.ok())
        });
        let lists = join_all(asked).await;
        let mut generations =
            lists.iter().map(|(_, listed)| listed.as_ref().map_or(0, |listed| listed.generation));
        let key = seen.key(kind, |_, _| generations.next().unwrap_or(0));
        if let Some(merged) = self.ready().find(&key) {
            return merged;
        }
        let merged = Arc::new(self.write(kind, &lists, context));
        // The list was made under the current rights. They may have changed while it was waited for.
        if seen.is_lasting() && self.access().rights_group(context) == *seen.rights() {
            self.ready().insert(key, &merged);
        }
        merged
    }

    /// The merged list, if it is ready and none of its parts has changed.
    fn merged_now(
        &self,
        kind: ListKind,
        seen: &Seen,
        request: &Message,
        context: &Context,
    ) -> Option<Arc<Merged>> {
        if !seen.is_lasting() {
            return None;
        }
        let (asker, mut is_asked) = (self.asker(request, context), true);
        let key = seen.key(kind, |member, view| {
            let entry = member.entry(view, &asker);
            // Asking keeps lists fresh. Other callers may have been answered without a list that these
            // callers have never requested.
            is_asked &= entry.ask(kind).is_some();
            entry.generation(kind)
        });
        if is_asked { self.ready().find(&key) } else { None }
    }

    /// The upstream and the name that an exposed name stands for, as far as that is known without asking any
    /// upstream.
    pub(super) fn find(
        &self,
        kind: ListKind,
        exposed: &str,
        request: &Message,
        context: &Context,
    ) -> Result<(Arc<ListCache>, String), NotFound> {
        let members = self.members();
        if let Some((upstream, name)) = self.0.naming.split(exposed) {
            // No other upstream can have it, so a missing upstream is treated like one that the client may
            // not see.
            let member = members.by_name.get(upstream).ok_or(NotFound::Unknown)?;
            return Ok((Arc::clone(member), name.to_owned()));
        }
        let seen = self.seen(request, context);
        let merged = self.merged_now(kind, &seen, request, context).ok_or(NotFound::Unasked)?;
        self.find_in(&merged, exposed)
    }

    /// The same, after asking the upstreams that have to be asked.
    pub(super) async fn find_anew(
        &self,
        kind: ListKind,
        exposed: &str,
        request: &Message,
        context: &Context,
    ) -> Result<(Arc<ListCache>, String), NotFound> {
        match self.find(kind, exposed, request, context) {
            Err(NotFound::Unasked) => self.find_in(&*self.merged(kind, request, context).await, exposed),
            found => found,
        }
    }

    /// The cached data of an upstream for clients that see the same as the client of `request`. `None` if
    /// they don't see it.
    pub(super) fn entry(
        &self,
        member: &ListCache,
        request: &Message,
        context: &Context,
    ) -> Option<Arc<Entry>> {
        self.entry_of(member, &self.access().list_group(&member.name, context), request, context)
    }

    /// The same, for one of these callers.
    pub(super) fn entry_of(
        &self,
        member: &ListCache,
        callers: &CallerSet,
        request: &Message,
        context: &Context,
    ) -> Option<Arc<Entry>> {
        let view = View::new(callers.clone(), &ClientFeatures::of(request))?;
        Some(member.entry(&view, &self.asker(request, context)))
    }

    fn find_in(&self, merged: &Merged, exposed: &str) -> Result<(Arc<ListCache>, String), NotFound> {
        let members = self.members();
        if let Some(found) = merged.find(exposed, &members) {
            return Ok(found);
        }
        // No other upstream can have it. If it is not in the list, the access policy decides, and the
        // decision is recorded as usual; if nothing is known of the upstream (because of a missing
        // credential, for example), the upstream gives the reason itself.
        if let Some(only) = merged.only(&members)
            && self.0.naming.expose(&only.name, exposed) == exposed
        {
            return Ok((only, exposed.to_owned()));
        }
        Err(self.missed_in(merged.missing()))
    }

    /// The reason why no upstream is known to have the item: it does not exist, or one of the upstreams whose lists are missing may have it.
    pub(super) fn missed_in<'a>(&self, missing: impl Iterator<Item = &'a Arc<str>>) -> NotFound {
        let mut missing = missing.peekable();
        match missing.peek() {
            None => NotFound::Unknown,
            Some(_) if self.access().reveals_upstream_names() => {
                NotFound::UntoldBy(missing.cloned().collect())
            }
            Some(_) => NotFound::Untold(None),
        }
    }

    fn write(&self, kind: ListKind, lists: &[(Arc<ListCache>, Option<Listed>)], context: &Context) -> Merged {
        let missing = lists.iter().filter(|(_, listed)| listed.is_none());
        let missing: Vec<_> = missing.map(|(member, _)| Arc::clone(&member.name)).collect();
        let access = self.access();
        let mut shown: Vec<(&Arc<ListCache>, &Item, &Arc<str>)> = Vec::new();
        for (member, listed) in lists {
            let Some(Listed { items, .. }) = listed else { continue };
            let shows = access.item_filter(&member.name, context);
            let exposed = items.exposed(|item| self.expose(kind, member, item));
            let is_shown = |item: &Item| {
                let (upstream, name, item) = (&*member.name, &*item.name, Some(&item.json[..]));
                shows(&AccessTarget { upstream, kind, name, item, is_list_unavailable: false })
            };
            let all = || (0..items.len()).collect();
            let beginnings = access.name_prefixes(&member.name, kind, context);
            let places = beginnings.map_or_else(all, |beginnings| items.beginning_with(&beginnings));
            let places = places.into_iter().filter(|at| is_shown(&items[*at]));
            shown.extend(places.map(|at| (member, &items[at], &exposed[at])));
        }
        let mut upstreams: Vec<Arc<str>> =
            shown.iter().map(|(member, ..)| Arc::clone(&member.name)).collect();
        upstreams.dedup();
        upstreams.sort_unstable();
        let mut places: HashMap<Arc<str>, Place> = HashMap::default();
        let mut clashes = Vec::new();
        let mut pages = Pages::default();
        if self.lead_back(kind, lists) {
            for (_, item, exposed) in shown.drain(..) {
                pages.push(item, Cow::Borrowed(exposed));
            }
        }
        places.reserve(shown.len());
        let mut earlier = Earlier::default();
        for (member, item, exposed) in shown {
            let is_anothers = match kind {
                ListKind::Tools | ListKind::Prompts => false,
                ListKind::Resources => places.get(exposed).is_some_and(|place| place.upstream != member.name),
                ListKind::Templates => earlier.clashes(&member.name, exposed),
            };
            let exposed: Arc<str> = if is_anothers {
                resources::wrap(&member.name, &item.name).into()
            } else {
                Arc::clone(exposed)
            };
            let place = Place {
                upstream: Arc::clone(&member.name),
                name: Arc::clone(&item.name),
                order: places.len(),
            };
            match places.entry(Arc::clone(&exposed)) {
                hash_map::Entry::Occupied(taken) => {
                    let (name, first) = (exposed.to_string(), taken.get().upstream.to_string());
                    let second = member.name.to_string();
                    clashes.push(Clash { list: kind, name, first, second });
                }
                hash_map::Entry::Vacant(free) => {
                    pages.push(item, Cow::Owned(exposed));
                    free.insert(place);
                }
            }
        }
        for (Clash { name, first, second, .. }, names) in self.untold(&clashes) {
            tracing::warn!(name, first, second, names, "two have one name; the second is left out");
        }
        let (pages, shown) = (pages.answers(kind, self.identity().as_deref()), upstreams.into());
        let only = match lists {
            [(member, _)] => Some(Arc::clone(&member.name)),
            _ => None,
        };
        Merged { only, missing, pages, places, clashes, shown }
    }

    /// Whether all names of these lists show their targets by themselves, so that no two are the same. False
    /// for resources, whose owners have to be looked up.
    fn lead_back(&self, kind: ListKind, lists: &[(Arc<ListCache>, Option<Listed>)]) -> bool {
        !kind.has_uris()
            && lists.iter().all(|(member, listed)| {
                let leads_back = |item: &Item, exposed: &str| {
                    self.0.naming.split(exposed) == Some((&*member.name, &*item.name))
                };
                listed.as_ref().is_none_or(|listed| listed.items.lead_back(leads_back))
            })
    }

    /// The clashes to log now, each with the number of names that the two upstreams share. A pair is logged
    /// once as long as the upstreams stay the same: each view has its own lists, and a server may have
    /// thousands of duplicate names.
    pub(super) fn untold<'a>(&self, clashes: &'a [Clash]) -> Vec<(&'a Clash, usize)> {
        let of = |Clash { list, first, second, .. }: &Clash| (*list, first.clone(), second.clone());
        let members = self.members();
        let mut told = members.clashing.lock();
        let new = clashes.iter().filter(|clash| told.insert(of(clash)));
        new.map(|clash| (clash, clashes.iter().filter(|other| of(other) == of(clash)).count())).collect()
    }

    /// The `_meta` of lists. `None` for a router with a single upstream: it introduces itself as that one,
    /// and nothing waits here to learn its name.
    ///
    /// "Servers **SHOULD** include the following `io.modelcontextprotocol/*` field in every result's `_meta`, unless specifically configured
    /// not to do so, to identify themselves without relying on any prior connection state" (2026-07-28, basic, `_meta`).
    fn identity(&self) -> Option<Vec<u8>> {
        let info = (!self.0.options.is_alone).then(|| self.0.options.info())?;
        Some(serde_json::json!({ keys::SERVER_INFO: info }).to_string().into_bytes())
    }

    /// The exposed name of an item, as long as no other upstream has the same one.
    fn expose(&self, kind: ListKind, member: &ListCache, item: &Item) -> Arc<str> {
        if kind.has_uris() {
            return Arc::clone(&item.name);
        }
        match self.0.naming.expose(&member.name, &item.name) {
            Cow::Borrowed(name) if name == &*item.name => Arc::clone(&item.name),
            exposed => exposed.into(),
        }
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.0.ready.lock()
    }
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub(super) enum NotFound {
    /// Nobody has it.
    Unknown,
    /// An upstream of which nothing is known may have it. Has the reason, if it is known which upstream that
    /// is.
    Untold(Option<Arc<Failure>>),
    /// The same, of these upstreams.
    UntoldBy(BTreeSet<Arc<str>>),
    /// It is unknown until the lists have been requested.
    Unasked,
}

impl Merged {
    pub(super) fn find(&self, exposed: &str, members: &Members) -> Option<(Arc<ListCache>, String)> {
        let place = self.places.get(exposed)?;
        members.by_name.get(&place.upstream).map(|member| (Arc::clone(member), (*place.name).to_owned()))
    }

    /// The upstreams whose lists are missing.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Arc<str>> {
        self.missing.iter()
    }

    /// The only upstream that the client sees.
    pub(super) fn only(&self, members: &Members) -> Option<Arc<ListCache>> {
        self.only.as_ref().and_then(|name| members.by_name.get(name)).cloned()
    }

    /// Its approximate size in bytes.
    pub(super) fn size(&self) -> usize {
        /// The size of a place without its names.
        const PLACE: usize = 160;
        let pages: usize = self.pages.iter().map(Message::len).sum();
        pages
            + self
                .places
                .iter()
                .map(|(exposed, place)| exposed.len() + place.name.len() + PLACE)
                .sum::<usize>()
    }

    /// How much it has.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// All targets by exposed name, in no particular order.
    pub(super) fn places(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.places.iter().map(|(exposed, place)| (&**exposed, place))
    }
}
