//! `subscriptions/listen` of many upstreams.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossway_era::keys;
use crossway_proto::{Message, Part, RequestId};
use crossway_service::{Call, CallError, Context, Reply};
use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};

use super::Router;
use crate::known::{Known, ListKind};
use crate::limits::SUBSCRIBED;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Filter {
    #[serde(rename = "toolsListChanged")]
    tools: bool,
    #[serde(rename = "promptsListChanged")]
    prompts: bool,
    #[serde(rename = "resourcesListChanged")]
    resources: bool,
    #[serde(rename = "resourceSubscriptions")]
    uris: Vec<String>,
}

/// Listens for what the client asks for. Changes of lists come from what is known of the upstreams; each upstream that has one of
/// the resources is listened to for them.
pub(super) fn listen(router: Router, message: Message, context: Context) -> Reply {
    let changes = router.0.changed.subscribe();
    Reply::pending(async move {
        let filter = message.member(Part::Params, "notifications").unwrap_or_default();
        let filter: Filter = serde_json::from_slice(filter).unwrap_or_default();
        let id = message.id().unwrap_or_else(|| RequestId::from(0));
        let mut owners: BTreeMap<Arc<str>, (Arc<Known>, Vec<String>)> = BTreeMap::new();
        for uri in filter.uris.iter().take(SUBSCRIBED) {
            if let Some(member) = router.owner(uri, &message, &context).await {
                let name = Arc::clone(&member.name);
                owners.entry(name).or_insert_with(|| (member, Vec::new())).1.push(uri.clone());
            }
        }
        let mut upstreams = SelectAll::new();
        let mut taken = Vec::new();
        for (member, uris) in owners.into_values() {
            if let Some(request) = listen_request(&message, &uris) {
                upstreams.push(member.link.call(Call::message(request, context.clone())));
                taken.extend(uris);
            }
        }
        let listening =
            Listening { id, filter, taken, changes, upstreams, is_acknowledged: false, has_ended: false };
        Reply::stream(futures_util::stream::unfold(listening, |mut listening| async {
            listening.next().await.map(|message| (Ok::<_, CallError>(message), listening))
        }))
    })
}

struct Listening {
    id: RequestId,
    filter: Filter,
    taken: Vec<String>,
    changes: broadcast::Receiver<ListKind>,
    upstreams: SelectAll<Reply>,
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
            tokio::select! {
                change = self.changes.recv() => match change {
                    Ok(kind) if self.wants(kind) => return notification(kind.change(), &self.id, None),
                    Ok(_) => {}
                    // What was missed can't be told any more: whoever listens anew looks again.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return self.end(),
                },
                Some(heard) = self.upstreams.next() => match heard {
                    Ok(message) if message.is_method("notifications/resources/updated") => {
                        return self.own(message);
                    }
                    Ok(message) if message.is_response() => return self.end(),
                    Ok(_) => {}
                    // An upstream is gone, and with it what was subscribed to there.
                    Err(_) => return self.end(),
                },
            }
        }
    }

    fn wants(&self, kind: ListKind) -> bool {
        match kind {
            ListKind::Tools => self.filter.tools,
            ListKind::Prompts => self.filter.prompts,
            ListKind::Resources => self.filter.resources,
            // It is told with the resources.
            ListKind::Templates => false,
        }
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
        if !self.taken.is_empty() {
            filter.insert("resourceSubscriptions".to_owned(), json!(self.taken));
        }
        let filter = serde_json::Value::Object(filter).to_string();
        notification("notifications/subscriptions/acknowledged", &self.id, Some(&filter))
    }

    /// An upstream's message under the client's own id.
    fn own(&self, mut message: Message) -> Option<Message> {
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

fn notification(method: &str, id: &RequestId, filter: Option<&str>) -> Option<Message> {
    let filter = filter.map(|filter| format!(r#","notifications":{filter}"#)).unwrap_or_default();
    let params = format!(r#"{{"_meta":{{"{}":{id}}}{filter}}}"#, keys::SUBSCRIPTION_ID);
    Message::notification_of(method, Some(params.as_bytes())).ok()
}

/// The request for some resources of one upstream.
fn listen_request(message: &Message, uris: &[String]) -> Option<Message> {
    let filter = json!({ "resourceSubscriptions": uris }).to_string();
    let mut request = message.clone();
    request.edit(Part::Params, &[], &[("notifications", filter.as_bytes())]).ok()?;
    request.reread().ok()
}
