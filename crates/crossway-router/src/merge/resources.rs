//! Finds the upstream of a URI, and its URI there.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;

use crossway_proto::{Kind, Message, Part};
use crossway_service::Context;
use serde_json::value::RawValue;

use super::lists::{Merged, NotFound};
use super::splice::Named;
use super::{Members, Router};
use crate::access::CallerSet;
use crate::list_cache::{ListCache, ListKind};

/// What URIs that two upstreams have begin with, at the later one.
const WRAP: &str = "crossway://";

/// The upstream that a URI belongs to.
pub(super) struct Owner {
    pub(super) member: Arc<ListCache>,
    /// The URI there.
    pub(super) uri: String,
}

impl Router {
    /// The upstream that a URI belongs to: the one that lists it, or else the one whose template fits it best, or else the
    /// one that it names, or else the only one that has resources at all.
    pub(super) async fn owner(
        &self,
        uri: &str,
        request: &Message,
        context: &Context,
    ) -> Result<Owner, NotFound> {
        let (resources, templates) = tokio::join!(
            self.merged(ListKind::Resources, request, context),
            self.merged(ListKind::Templates, request, context)
        );
        let members = self.members();
        let named = unwrap(uri, &members)
            .filter(|named| self.access().list_group(&named.member.name, context) != CallerSet::Nobody);
        owner_in(uri, named, &resources, &templates, &members)
            .ok_or_else(|| self.missed_in(resources.missing().chain(templates.missing())))
    }
}

/// `named` is what a wrapped URI stands for.
fn owner_in(
    uri: &str,
    named: Option<Owner>,
    resources: &Merged,
    templates: &Merged,
    members: &Members,
) -> Option<Owner> {
    let listed = resources.find(uri, members).or_else(|| templates.find(uri, members));
    if let Some((member, uri)) = listed {
        return Some(Owner { member, uri });
    }
    let best = templates
        .places()
        .filter(|(template, _)| fits(template, uri))
        .max_by_key(|(template, place)| (literal(template).len(), Reverse(place.order)));
    if let Some((exposed, place)) = best {
        return match named {
            Some(owner) if *exposed != *place.name => Some(owner),
            _ => {
                let member = Arc::clone(members.by_name.get(&place.upstream)?);
                Some(Owner { member, uri: uri.to_owned() })
            }
        };
    }
    named.or_else(|| {
        let mut owners = resources.places().chain(templates.places()).map(|(_, place)| &place.upstream);
        let first = owners.next()?;
        let member = owners.all(|other| other == first).then(|| members.by_name.get(first))??;
        Some(Owner { member: Arc::clone(member), uri: uri.to_owned() })
    })
}

/// What a URI or template of an upstream is exposed as where an earlier upstream has the same.
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

/// What a wrapped URI stands for, if there is such an upstream.
fn unwrap(uri: &str, members: &Members) -> Option<Owner> {
    let (host, inner) = uri.strip_prefix(WRAP)?.split_once('/')?;
    // Upstreams are few, and this way nothing has to be taken apart.
    let prefix = |member: &ListCache| wrap(&member.name, "");
    let member =
        members.all.iter().find(|member| prefix(member)[WRAP.len()..].trim_end_matches('/') == host)?;
    Some(Owner { member: Arc::clone(member), uri: inner.to_owned() })
}

/// An answer to `resources/read` with the contents of `own` under the URI by which the client knows them.
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

/// What stands before a template's first expression (RFC 6570).
fn literal(template: &str) -> &str {
    template.split('{').next().unwrap_or_default()
}

/// Whether a URI can be one of a template's: it begins and ends as the template does.
fn fits(template: &str, uri: &str) -> bool {
    let end = template.rsplit('}').next().unwrap_or_default();
    template == uri
        || template.contains('{')
            && uri.len() >= literal(template).len() + end.len()
            && uri.starts_with(literal(template))
            && uri.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_what_begins_and_ends_as_it_does() {
        for (template, uri, is_fitting) in [
            ("file:///{path}", "file:///a/b", true),
            ("file:///{path}", "https:///a", false),
            ("test://{id}/data", "test://1/data", true),
            ("test://{id}/data", "test://1/other", false),
            ("test://{id}/data", "test://data", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(fits(template, uri), is_fitting, "{template} {uri}");
        }
    }
}
