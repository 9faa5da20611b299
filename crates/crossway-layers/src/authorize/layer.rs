//! The authorization layer.

use std::fmt;
use std::sync::Arc;

use crossway_policy::{Item, Kind, Permit, Policy, Principal, Rights};
use crossway_proto::{Message, Part};
use crossway_service::{Ask, Call, Context, Reply};
use tower_layer::Layer;

use super::NotPermitted;
use super::judge::{Judge, decide, seen};
use super::named::{About, arguments, sole};
use super::reply::Filtered;
use crate::audit::{AuditNote, Decision};
use crate::stage::{Entry, Stage, Staged};

/// Passes only permitted calls; see the [module](super).
#[derive(Clone)]
pub struct AuthorizeLayer(Arc<Shared>);

pub(super) struct Shared {
    pub(super) upstream: String,
    judge: Option<Judge>,
}

impl AuthorizeLayer {
    /// Creates a gate before this upstream: requests need a permit.
    #[must_use]
    pub fn gate(upstream: &str) -> Self {
        Self(Arc::new(Shared { upstream: upstream.to_owned(), judge: None }))
    }

    /// Creates a judge for this upstream, with this policy. `endpoint` determines the tenant where a caller may belong to several.
    ///
    /// An outer layer may have put a `TenantName` or `Rights` into a call's extensions. The tenant is used if the caller belongs to it by
    /// this policy, the rights if this policy gave them to this caller; otherwise they are found for each call, which takes time with the
    /// number of grants about the caller.
    #[must_use]
    pub fn judge(upstream: &str, policy: Policy, endpoint: Option<&str>) -> Self {
        let judge = Judge { policy, endpoint: endpoint.map(str::to_owned) };
        Self(Arc::new(Shared { upstream: upstream.to_owned(), judge: Some(judge) }))
    }

    /// Whether a request may pass, and the sieve for its answer.
    fn admit(&self, call: &mut Call) -> Result<Option<Sieve>, NotPermitted> {
        // Notifications and responses too: a server that ignores case might take them for requests.
        if let Ask::Message(message) = &call.ask
            && message.has_lookalikes()
        {
            if let Some(note) = call.context.extensions.get::<AuditNote>() {
                note.decided(Decision::Denied, Some("a member's name in another case".to_owned()));
            }
            return Err(NotPermitted::Lookalike);
        }
        let Some(judge) = &self.0.judge else {
            let Some(request) = call.request() else { return Ok(None) };
            let about = About::of_known(request)?;
            return self.gated(about, &call.context).map(|()| None);
        };
        let Some(request) = call.request().cloned() else { return Ok(None) };
        self.judged(judge, About::of_known(&request)?, &request, call)
    }

    fn gated(&self, about: About<'_>, context: &Context) -> Result<(), NotPermitted> {
        let caller = context.extensions.get::<Principal>();
        let permit = context.extensions.get::<Permit>();
        let permit = permit.filter(|permit| caller.is_none_or(|who| permit.principal().is_known_alike(who)));
        let has = |kind, name: &str| permit.is_some_and(|permit| permit.is_for(&self.0.upstream, kind, name));
        match about {
            // A template's URI may be completed by callers who may read a resource of that URI, and so may a resource's own URI.
            About::One(Kind::Template, name) if has(Kind::Resource, &name) => Ok(()),
            About::One(kind, name) if !has(kind, &name) => Err(NotPermitted::thing(kind, &name)),
            // The permit is for one of the URIs; the rights behind it may cover the others.
            About::Many(uris) => {
                let vouches = uris.iter().any(|uri| has(Kind::Resource, uri));
                let may = |uri: &String| {
                    vouches && permit.is_some_and(|permit| permit.extends_to(Kind::Resource, uri))
                };
                match uris.iter().find(|uri| !may(uri)) {
                    Some(uri) => Err(NotPermitted::thing(Kind::Resource, uri)),
                    None => Ok(()),
                }
            }
            // Lists are filtered by an outer layer.
            _ => Ok(()),
        }
    }

    fn judged(
        &self,
        judge: &Judge,
        about: About<'_>,
        request: &Message,
        call: &mut Call,
    ) -> Result<Option<Sieve>, NotPermitted> {
        let upstream = self.0.upstream.as_str();
        let rights = judge.rights(&mut call.context);
        match about {
            About::One(kind, name) => {
                let item = Item::new(upstream, kind, &name);
                // Conditions have to see the same arguments as the upstream.
                let arguments = arguments(request).map_err(|_| NotPermitted::thing(kind, &name))?;
                let arguments = arguments.and_then(|json| std::str::from_utf8(json).ok());
                let permit = rights.and_then(|rights| decide(&rights, &item, arguments, &call.context));
                call.context.extensions.insert(permit.ok_or_else(|| NotPermitted::thing(kind, &name))?);
                Ok(None)
            }
            About::Many(uris) => {
                for uri in uris {
                    let item = Item::new(upstream, Kind::Resource, &uri);
                    let permitted = rights
                        .as_ref()
                        .is_some_and(|rights| decide(rights, &item, None, &call.context).is_some());
                    if !permitted {
                        return Err(NotPermitted::thing(Kind::Resource, &uri));
                    }
                }
                Ok(None)
            }
            About::List(member, kind) => Ok(Some(Sieve { layer: Arc::clone(&self.0), rights, member, kind })),
            About::Nothing | About::Unknown => Ok(None),
        }
    }
}

/// Filters a list for its caller.
pub(crate) struct Sieve {
    layer: Arc<Shared>,
    /// `None` for callers who see nothing.
    rights: Option<Rights>,
    member: &'static str,
    kind: Kind,
}

impl Sieve {
    /// Filters a page. `None` if it can't be read: then nobody gets it.
    pub(super) fn sift(&self, page: &Message) -> Option<Message> {
        let list = sole(page, Part::Result, self.member).ok()?;
        let mut page = page.clone();
        match (&self.rights, list) {
            (None, _) => page.edit(Part::Result, &["nextCursor"], &[(self.member, b"[]")]).ok()?,
            (Some(_), None) => {}
            (Some(rights), Some(list)) => {
                if let Some(seen) = seen(rights, &self.layer.upstream, self.kind, list)? {
                    page.edit(Part::Result, &[], &[(self.member, seen.as_bytes())]).ok()?;
                }
            }
        }
        Some(page)
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Staged<Self, S>;

    fn layer(&self, inner: S) -> Staged<Self, S> {
        Staged::new(self.clone(), inner)
    }
}

impl Stage for AuthorizeLayer {
    type Pass = Option<Sieve>;

    fn enter(&self, call: &mut Call) -> Entry<Option<Sieve>> {
        match self.admit(call) {
            Ok(sieve) => Entry::Pass(sieve),
            Err(error) => {
                let Ask::Message(request) = &call.ask else { return Entry::Answer(Reply::silent()) };
                tracing::debug!(target: crate::names::AUTHORIZE, upstream = self.0.upstream, "a call is not permitted");
                Entry::Answer(if request.is_request() { error.to_reply(request) } else { Reply::accepted() })
            }
        }
    }

    fn leave(sieve: Option<Sieve>, reply: Reply) -> Reply {
        match sieve {
            Some(sieve) => Reply::stream(Filtered::new(reply, sieve)),
            None => reply,
        }
    }
}

impl fmt::Debug for AuthorizeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_judge = self.0.judge.is_some();
        f.debug_struct("AuthorizeLayer")
            .field("upstream", &self.0.upstream)
            .field("is_judge", &is_judge)
            .finish()
    }
}
