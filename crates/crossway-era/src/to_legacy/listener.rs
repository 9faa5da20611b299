//! One modern `subscriptions/listen` on a legacy session.

use std::collections::BTreeSet;

use bytes::Bytes;
use crossway_proto::{Message, Part, RequestId};

use super::Session;
use crate::messages::answer;
use crate::{SubscriptionFilter, keys};

/// One `subscriptions/listen`.
#[derive(Debug)]
pub struct Listener {
    id: RequestId,
    tools: bool,
    prompts: bool,
    resources: bool,
    uris: BTreeSet<String>,
}

impl Listener {
    /// Creates a listener for the request of this id. Of the filter, it keeps what the server has.
    #[must_use]
    pub fn new(id: RequestId, filter: SubscriptionFilter, session: &Session) -> Self {
        let mut uris: BTreeSet<String> = filter.uris.into_iter().collect();
        if !session.can("resources.subscribe") || uris.len() > crate::limits::SUBSCRIPTIONS {
            uris.clear();
        }
        // A resource that the acknowledgment leaves out is not listened for.
        uris.retain(|uri| uri.len() <= crate::limits::SUBSCRIBED_URI);
        Self {
            id,
            tools: filter.tools && session.can("tools.listChanged"),
            prompts: filter.prompts && session.can("prompts.listChanged"),
            resources: filter.resources && session.can("resources.listChanged"),
            uris,
        }
    }

    /// The resources to subscribe to at the server.
    #[must_use]
    pub fn uris(&self) -> &BTreeSet<String> {
        &self.uris
    }

    /// Records that the server has refused a subscription to this resource.
    pub fn handle_refused(&mut self, uri: &str) {
        self.uris.remove(uri);
    }

    /// The first message: the part of the filter that was accepted (2026-07-28, basic/patterns/subscriptions,
    /// Acknowledgment).
    #[must_use]
    pub fn acknowledged(&self) -> Option<Message> {
        let mut filter = serde_json::Map::new();
        for (name, is_on) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if is_on {
                filter.insert(name.to_owned(), true.into());
            }
        }
        if !self.uris.is_empty() {
            filter.insert("resourceSubscriptions".to_owned(), self.uris.iter().map(String::as_str).collect());
        }
        let params = [
            br#"{"_meta":{""#,
            keys::SUBSCRIPTION_ID.as_bytes(),
            b"\":",
            self.id.as_json(),
            br#"},"notifications":"#,
            serde_json::Value::Object(filter).to_string().as_bytes(),
            b"}",
        ]
        .concat();
        Message::notification_of("notifications/subscriptions/acknowledged", Some(&params)).ok()
    }

    /// A change in the form for this listener; `None` if the listener has not asked for it.
    #[must_use]
    pub fn handle_change(&self, change: &Message) -> Option<Message> {
        let wanted = match change.method().as_deref()? {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => {
                let uri = change.member(Part::Params, "uri").and_then(|uri| serde_json::from_slice(uri).ok());
                // "This might be a sub-resource of the one that the client actually subscribed to" (2025-11-25, schema,
                // ResourceUpdatedNotification).
                uri.is_some_and(|uri: String| self.uris.iter().any(|own| below(&uri, own).is_some()))
            }
            _ => false,
        };
        if !wanted {
            return None;
        }
        let mut change = change.clone();
        change.edit(Part::Meta, &[], &[(keys::SUBSCRIPTION_ID, self.id.as_json())]).ok()?;
        change.reread().ok()
    }

    /// The answer that ends the subscription (2026-07-28, basic/patterns/subscriptions, Graceful Closure).
    #[must_use]
    pub fn ended(&self) -> Message {
        let meta = Bytes::from(
            [br#"{""#, keys::SUBSCRIPTION_ID.as_bytes(), b"\":", self.id.as_json(), b"}"].concat(),
        );
        answer(&self.id, &[br#"{"resultType":"complete","_meta":"#, &meta[..], b"}"].concat())
    }
}

/// The part of `uri` after `own`, if `uri` is the resource `own` or one below it.
#[must_use]
pub fn below<'a>(uri: &'a str, own: &str) -> Option<&'a str> {
    uri.strip_prefix(own)
        .filter(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with(['/', '?', '#']))
}
