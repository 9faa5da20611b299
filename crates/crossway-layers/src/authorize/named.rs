//! Extracts the tool, prompt or resource that a request names.

use std::borrow::Cow;

use std::collections::HashMap;

use crossway_policy::Kind;
use crossway_proto::{Message, Part, is_lookalike};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::NotPermitted;

/// What a request names.
pub(super) enum About<'a> {
    /// One item with a name.
    One(Kind, Cow<'a, str>),
    /// The resources to subscribe to, possibly none.
    Many(Vec<String>),
    /// A list: its items' member in the result, and their kind.
    List(&'static str, Kind),
    /// No item of the upstream.
    Nothing,
    /// Unknown or unreadable.
    Unknown,
}

impl<'a> About<'a> {
    /// Returns what a request names, if the method is known and the request can be read.
    pub(super) fn of_known(request: &'a Message) -> Result<Self, NotPermitted> {
        match Self::of(request) {
            Self::Unknown => Err(NotPermitted::Method),
            about => Ok(about),
        }
    }

    fn of(request: &'a Message) -> Self {
        let one = |kind| request.name().map_or(Self::Unknown, |name| Self::One(kind, name));
        match request.method().as_deref() {
            Some("tools/call") => one(Kind::Tool),
            Some("prompts/get") => one(Kind::Prompt),
            Some("resources/read" | "resources/subscribe" | "resources/unsubscribe") => one(Kind::Resource),
            Some("completion/complete") => completed(request),
            Some("subscriptions/listen") => listened(request),
            Some("tools/list") => Self::List("tools", Kind::Tool),
            Some("prompts/list") => Self::List("prompts", Kind::Prompt),
            Some("resources/list") => Self::List("resources", Kind::Resource),
            Some("resources/templates/list") => Self::List("resourceTemplates", Kind::Template),
            Some("server/discover" | "initialize" | "ping" | "logging/setLevel") => Self::Nothing,
            _ => Self::Unknown,
        }
    }
}

#[derive(Deserialize)]
struct Reference {
    name: Option<String>,
    uri: Option<String>,
}

/// Returns a member of a part. An error if it occurs twice: two readers could pick different ones.
pub(super) fn sole<'a>(message: &'a Message, part: Part, name: &str) -> Result<Option<&'a [u8]>, ()> {
    let mut found = None;
    for (_, value) in message.members(part).filter(|(member, _)| member == name) {
        if found.replace(value).is_some() {
            return Err(());
        }
    }
    Ok(found)
}

/// The arguments that the upstream will use, as JSON text, and that conditions check. `None` where the method has none, whatever else
/// is called so in the request.
///
/// # Errors
///
/// When they occur twice, so that two readers could pick different ones, or can't be read.
pub fn arguments(request: &Message) -> Result<Option<&[u8]>, AmbiguousArguments> {
    #[derive(Deserialize)]
    struct Known<'a> {
        #[serde(borrow)]
        arguments: Option<&'a RawValue>,
    }
    match request.method().as_deref() {
        Some("tools/call" | "prompts/get") => request.arguments().map_err(|_| AmbiguousArguments),
        // The prompt's arguments that are known already.
        Some("completion/complete") => {
            let context = sole(request, Part::Params, "context").map_err(|()| AmbiguousArguments)?;
            let context = context.map(|json| read::<Known<'_>>(json, &["arguments"]));
            let known = context.map(|known| known.ok_or(AmbiguousArguments)).transpose()?;
            Ok(known.and_then(|known| known.arguments).map(|json| json.get().as_bytes()))
        }
        _ => Ok(None),
    }
}

/// The arguments of a request occur twice, or can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request's arguments can be read in two ways, or in none")]
pub struct AmbiguousArguments;

/// Reads an object, unless some readers would take one of its members for one of `members`.
fn read<'a, T: Deserialize<'a>>(object: &'a [u8], members: &[&str]) -> Option<T> {
    let names: HashMap<Cow<'_, str>, IgnoredAny> = serde_json::from_slice(object).ok()?;
    let is_clear = !names.keys().any(|name| is_lookalike(name.as_bytes(), members));
    is_clear.then(|| serde_json::from_slice(object).ok()).flatten()
}

/// A completion is for an argument of a prompt, or for a variable of a resource template.
fn completed<'a>(request: &Message) -> About<'a> {
    let about = sole(request, Part::Params, "ref").ok().flatten();
    match about.and_then(|json| read(json, &["type", "name", "uri"])) {
        Some(Reference { name: Some(name), uri: None }) => About::One(Kind::Prompt, name.into()),
        Some(Reference { name: None, uri: Some(uri) }) => About::One(Kind::Template, uri.into()),
        _ => About::Unknown,
    }
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(rename = "resourceSubscriptions", default)]
    uris: Vec<String>,
}

fn listened<'a>(request: &Message) -> About<'a> {
    let members = ["toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions"];
    match sole(request, Part::Params, "notifications") {
        Ok(None) => About::Nothing,
        Ok(Some(filter)) => {
            read(filter, &members).map_or(About::Unknown, |filter: Filter| About::Many(filter.uris))
        }
        Err(()) => About::Unknown,
    }
}
