//! Finds the upstream of a URI, and its URI there.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;

use crossway_proto::{Kind, Message, Part};
use crossway_service::Context;
use serde_json::value::RawValue;

use super::lists::{Merged, NotFound};
use super::splice::Named;
use super::templates::{fits, literal};
use super::{Members, Router};
use crate::access::CallerSet;
use crate::list_cache::{ListCache, ListKind};

/// The prefix of wrapped URIs. They name their upstream, because the plain URI leads to another one, or to
/// none.
const WRAP: &str = "crossway://";

/// The upstream that a URI belongs to.
pub(super) struct Owner {
    pub(super) member: Arc<ListCache>,
    /// The URI there.
    pub(super) uri: String,
}

/// The lists that show which upstream a URI belongs to, as one client sees them.
pub(super) struct Owners {
    resources: Arc<Merged>,
    pub(super) templates: Arc<Merged>,
    members: Arc<Members>,
}

impl Router {
    /// The upstream that a URI belongs to: the one that lists it; else the one whose template matches it
    /// best; else the one that it names; else the only one with resources, or the only one that the client
    /// sees.
    pub(super) async fn owner(
        &self,
        uri: &str,
        request: &Message,
        context: &Context,
    ) -> Result<Owner, NotFound> {
        let owners = self.owners(request, context).await;
        let known = self.known_owner(uri, &owners, context).or_else(|| owners.only(uri));
        known.ok_or_else(|| self.missed_in(owners.resources.missing().chain(owners.templates.missing())))
    }

    pub(super) async fn owners(&self, request: &Message, context: &Context) -> Owners {
        let (resources, templates) = tokio::join!(
            self.merged(ListKind::Resources, request, context),
            self.merged(ListKind::Templates, request, context)
        );
        Owners { resources, templates, members: self.members() }
    }

    /// The upstream that lists a URI, whose template matches it, or that it names.
    pub(super) fn known_owner(&self, uri: &str, owners: &Owners, context: &Context) -> Option<Owner> {
        let named = unwrap(uri, &owners.members)
            .filter(|named| self.access().list_group(&named.member.name, context) != CallerSet::Nobody);
        owners.listing_owner(uri, named)
    }
}

impl Owners {
    /// `named` is the target of a wrapped URI.
    fn listing_owner(&self, uri: &str, named: Option<Owner>) -> Option<Owner> {
        let Self { resources, templates, members } = self;
        let listed = resources.find(uri, members).or_else(|| templates.find(uri, members));
        if let Some((member, uri)) = listed {
            return Some(Owner { member, uri });
        }
        let best = templates
            .places()
            .filter(|(template, _)| fits(template, uri))
            .max_by_key(|(template, place)| (literal(template).len(), Reverse(place.order)));
        let Some((exposed, place)) = best else { return named };
        match named {
            // A template that matches anything does not claim wrapped URIs; a template for wrapped URIs does.
            Some(owner) if *exposed != *place.name || !literal(exposed).starts_with(WRAP) => Some(owner),
            _ => {
                let member = Arc::clone(members.by_name.get(&place.upstream)?);
                Some(Owner { member, uri: uri.to_owned() })
            }
        }
    }

    /// The only upstream that lists resources, or the only one that the client sees. It need not list this
    /// URI.
    pub(super) fn only(&self, uri: &str) -> Option<Owner> {
        let places = self.resources.places().chain(self.templates.places());
        let mut owners = places.map(|(_, place)| &place.upstream);
        let member = match owners.next() {
            Some(first) => {
                owners.all(|other| other == first).then(|| self.members.by_name.get(first))??.clone()
            }
            None => self.resources.only(&self.members)?,
        };
        Some(Owner { member, uri: uri.to_owned() })
    }
}

/// The exposed form of an upstream's URI or template if an earlier upstream has the same one.
pub(super) fn wrap(upstream: &str, uri: &str) -> String {
    let mut wrapped = String::from(WRAP);
    for byte in upstream.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                wrapped.push(char::from(byte))
            }
            _ => {
                let _ = write!(wrapped, "%{byte:02X}");
            }
        }
    }
    wrapped + "/" + uri
}

/// The target of a wrapped URI, if there is such an upstream.
fn unwrap(uri: &str, members: &Members) -> Option<Owner> {
    let (host, inner) = uri.strip_prefix(WRAP)?.split_once('/')?;
    // There are few upstreams, and this way no URI has to be parsed.
    let prefix = |member: &ListCache| wrap(&member.name, "");
    let member =
        members.all.iter().find(|member| prefix(member)[WRAP.len()..].trim_end_matches('/') == host)?;
    Some(Owner { member: Arc::clone(member), uri: inner.to_owned() })
}

/// Replaces the URI `own` in an answer to `resources/read` by the URI that the client knows.
pub(super) fn read_as(mut answer: Message, own: &str, exposed: &str) -> Message {
    if answer.kind() != Kind::Result {
        return answer;
    }
    let contents = answer.member(Part::Result, "contents").unwrap_or_default();
    let Ok(contents) = serde_json::from_slice::<Vec<&RawValue>>(contents) else { return answer };
    let mut renamed = Vec::from(*b"[");
    for (index, content) in contents.into_iter().map(RawValue::get).enumerate() {
        if index > 0 {
            renamed.push(b',');
        }
        match Named::read(content.as_bytes()).filter(|named| named.uri().as_deref() == Some(own)) {
            Some(named) => renamed.extend_from_slice(&named.with_uri(exposed)),
            None => renamed.extend_from_slice(content.as_bytes()),
        }
    }
    renamed.push(b']');
    let edited = answer.edit(Part::Result, &[], &[("contents", &renamed)]);
    debug_assert!(edited.is_ok(), "it has been read as an object");
    answer
}
