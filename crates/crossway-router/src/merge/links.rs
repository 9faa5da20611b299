//! Resources that results of tools and prompts link to or embed.

use std::future::ready;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use crossway_proto::{Kind, Limits, Message};
use crossway_service::{Call, Context, Reply};
use futures_util::future::Either;
use futures_util::{FutureExt, StreamExt};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Router;
use super::connection::Target;
use super::resources::wrap;
use crate::access::CallerSet;
use crate::limits::LINK_COMPARISONS;
use crate::list_cache::{ListCache, has_resources};

/// The beginning of the types of content blocks that name a resource, `resource_link` and `resource`.
static NAMES_RESOURCE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""resource"#));

/// A call whose result may name resources of its upstream.
#[derive(Clone)]
struct Asked {
    router: Router,
    member: Arc<ListCache>,
    request: Message,
    context: Context,
}

impl Router {
    /// Passes a `tools/call` or `prompts/get` on. The resources that its result names can then be read from
    /// this router.
    ///
    /// "Resource links returned by tools are not guaranteed to appear in the results of a `resources/list`
    /// request" (2026-07-28, server/tools), so that only the upstream that returned a link shows whose it is.
    pub(super) fn call_for_content(&self, target: Target, request: Message, context: Context) -> Reply {
        let may_name_resources = self.may_name_resources(&target, &request, &context);
        let member = target.member;
        if !may_name_resources {
            return member.link.call(Call::message(request, context));
        }
        let reply = member.link.call(Call::message(request.clone(), context.clone()));
        let asked = Asked { router: self.clone(), member, request, context };
        Reply::stream(reply.then(move |item| match item {
            Ok(answer) if names_resources(&answer) => {
                Either::Left(asked.clone().renamed(answer).map(Ok).boxed())
            }
            item => Either::Right(ready(item)),
        }))
    }

    /// Whether URIs in an upstream's results could lead to another upstream that the client sees.
    fn may_name_resources(&self, target: &Target, request: &Message, context: &Context) -> bool {
        let Target { member, callers, entry, .. } = target;
        let members = self.members();
        if self.0.options.is_alone || members.all.len() < 2 {
            return false;
        }
        if *callers == CallerSet::Everybody && member.is_without_resources() {
            return false;
        }
        let mut names = members.all.iter().map(|member| &*member.name);
        if !self.access().sees_several(&mut names, context) {
            return false;
        }
        match entry {
            Some(entry) => entry.may_have_resources(),
            None => self
                .entry_of(member, callers, request, context)
                .is_none_or(|entry| entry.may_have_resources()),
        }
    }
}

fn names_resources(answer: &Message) -> bool {
    let result = answer.result().filter(|_| answer.kind() == Kind::Result);
    result.is_some_and(|result| NAMES_RESOURCE.find(result).is_some())
}

impl Asked {
    /// The answer, with URIs that lead back to the upstream that returned it.
    async fn renamed(self, answer: Message) -> Message {
        let Ok(answer) = answer.reread() else { return answer };
        let whole = answer.to_bytes();
        let tokens = answer.result().and_then(uris).unwrap_or_default();
        if tokens.is_empty() || !self.has_resources().await {
            return answer;
        }
        let wrapped = self.wrapped(&tokens).await;
        let mut text = Vec::with_capacity(whole.len());
        let mut at = 0;
        for (token, wrapped) in tokens.iter().zip(wrapped) {
            let Some(wrapped) = wrapped else { continue };
            let start = token.as_ptr() as usize - whole.as_ptr() as usize;
            text.extend_from_slice(&whole[at..start]);
            text.extend_from_slice(serde_json::Value::from(wrapped).to_string().as_bytes());
            at = start + token.len();
        }
        if at == 0 {
            return answer;
        }
        text.extend_from_slice(&whole[at..]);
        // It was parsed before, and has grown only by names.
        let unbounded = Limits::default().with(|limits| {
            limits.message_bytes = usize::MAX;
            limits.id_bytes = usize::MAX;
        });
        Message::parse(Bytes::from(text), &unbounded).unwrap_or(answer)
    }

    /// Whether the upstream has resources. If not, its URIs are mere names that nobody reads.
    async fn has_resources(&self) -> bool {
        let Some(entry) = self.router.entry(&self.member, &self.request, &self.context) else { return false };
        entry.said().await.is_some_and(|said| has_resources(&said))
    }

    /// The URIs, as JSON text, under which the client can read these; `None` for those that need no change.
    async fn wrapped(&self, tokens: &[&str]) -> Vec<Option<String>> {
        let owners = self.router.owners(&self.request, &self.context).await;
        // The rest is wrapped, so that it leads back too.
        let looked_up = LINK_COMPARISONS / (owners.templates.len() + 1);
        let wrapped = |(number, token): (usize, &&str)| {
            let uri: String = serde_json::from_str(token).ok()?;
            let known =
                (number < looked_up).then(|| self.router.known_owner(&uri, &owners, &self.context)).flatten();
            // Clients fetch these themselves, or recognise them by their scheme.
            if known.is_none() && clients_know(&uri) {
                return None;
            }
            let owner = known.or_else(|| owners.only(&uri));
            let leads_back =
                owner.is_some_and(|owner| owner.member.name == self.member.name && owner.uri == uri);
            (!leads_back).then(|| wrap(&self.member.name, &uri))
        };
        tokens.iter().enumerate().map(wrapped).collect()
    }
}

/// Whether clients recognise the scheme of a URI: they fetch web pages without a server's help, and show
/// `ui:` resources (MCP Apps) of a server in a view of their own.
fn clients_know(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default();
    ["http", "https", "ui"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// The URIs of the resources in a result of `tools/call` or `prompts/get`, as JSON text, in their order.
fn uris(result: &[u8]) -> Option<Vec<&str>> {
    #[derive(Deserialize)]
    struct Outcome<'a> {
        #[serde(borrow, default)]
        content: Vec<&'a RawValue>,
        #[serde(borrow, default)]
        messages: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let Outcome { content, messages } = serde_json::from_slice(result).ok()?;
    let mut blocks = content;
    for message in messages {
        let Ok(Said { content }) = serde_json::from_str(message.get()) else { continue };
        match serde_json::from_str(content.get()) {
            Ok(several) => blocks.extend::<Vec<&RawValue>>(several),
            Err(_) => blocks.push(content),
        }
    }
    let mut uris: Vec<&str> = blocks.into_iter().filter_map(|block| uri(block.get())).collect();
    uris.sort_by_key(|uri| uri.as_ptr() as usize);
    Some(uris)
}

/// The URI of the resource that a content block links to or embeds (2026-07-28, schema, ResourceLink and EmbeddedResource).
fn uri(block: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Block<'a> {
        #[serde(rename = "type", borrow)]
        kind: &'a RawValue,
        #[serde(borrow)]
        uri: Option<&'a RawValue>,
        #[serde(borrow)]
        resource: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Embedded<'a> {
        #[serde(borrow)]
        uri: &'a RawValue,
    }
    let block: Block<'_> = serde_json::from_str(block).ok()?;
    let uri = match block.kind.get() {
        r#""resource_link""# => block.uri?,
        r#""resource""# => serde_json::from_str::<Embedded<'_>>(block.resource?.get()).ok()?.uri,
        _ => return None,
    };
    Some(uri.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blocks_that_name_resources_have_uris() {
        let links = br#"{"structuredContent":{"type":"resource_link","uri":"no:1"},"content":[{"uri":"u:1","type":"resource_link"},{"type":"text","text":"\"resource_link\"","uri":"no:2"},7,{"type":"resource","resource":{"text":"t","uri":"u:2"},"uri":"no:3"},{"type":"resource"}]}"#;
        assert_eq!(uris(links).unwrap(), [r#""u:1""#, r#""u:2""#]);
        let prompt = br#"{"messages":[{"content":{"type":"resource_link","uri":"u:1"},"role":"user"},{"content":[{"type":"resource","resource":{"uri":"u:2"}}]},{"content":"resource"},{}]}"#;
        assert_eq!(uris(prompt).unwrap(), [r#""u:1""#, r#""u:2""#]);
        for odd in [&br#"{"content":5}"#[..], b"[]", br#"{"content":[],"content":[]}"#] {
            assert_eq!(uris(odd).unwrap_or_default(), [""; 0]);
        }
    }

    #[test]
    fn what_clients_know_begins_with_one_of_three_schemes() {
        assert!(clients_know("http://x") && clients_know("HTTPS://x") && clients_know("ui://w/x"));
        assert!(!clients_know("file:///x") && !clients_know("httpx:/x") && !clients_know(""));
    }
}
