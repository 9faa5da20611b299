//! Hides the tools that a servers file disables.

use std::collections::BTreeSet;
use std::sync::Arc;

use crossway_policy::fold;
use crossway_proto::{ErrorCode, ErrorObject, Kind, Message, Part};
use crossway_service::{Ask, Call, Closing, Connection, Link, Reply, Scope, Upstream};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Whether one of these disabled tools is meant by a name. Their case is not compared: a server may ignore it.
pub(crate) fn disables(tools: &BTreeSet<String>, name: &str) -> bool {
    let folded = fold(name);
    tools.iter().any(|tool| fold(tool) == folded)
}

/// A server without some of its tools, whatever the case of their names: they are not listed, and calling one gives the error for an unknown
/// tool. Wraps the server, so that all faces hide the same tools.
pub(crate) struct Without {
    upstream: Arc<dyn Upstream>,
    /// Their names, with the case folded.
    tools: Arc<BTreeSet<String>>,
}

impl Without {
    /// Wraps a server, or returns it unchanged if no tool is disabled.
    pub(crate) fn around(upstream: Arc<dyn Upstream>, tools: &BTreeSet<String>) -> Arc<dyn Upstream> {
        if tools.is_empty() {
            return upstream;
        }
        Arc::new(Self { upstream, tools: Arc::new(tools.iter().map(|tool| fold(tool)).collect()) })
    }
}

impl Upstream for Without {
    fn connect(&self, scope: Scope) -> Link {
        Link::new(WithoutConnection { link: self.upstream.connect(scope), tools: Arc::clone(&self.tools) })
    }
}

struct WithoutConnection {
    link: Link,
    tools: Arc<BTreeSet<String>>,
}

impl Connection for WithoutConnection {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = &call.ask else { return self.link.call(call) };
        if message.is_method("tools/call")
            && message.name().is_some_and(|name| self.tools.contains(&fold(&name)))
        {
            let name = message.name().unwrap_or_default();
            let error = ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("Unknown tool: {name}"));
            return Reply::once(Message::error_of(message.id().as_ref(), &error));
        }
        if !message.is_method("tools/list") {
            return self.link.call(call);
        }
        let tools = Arc::clone(&self.tools);
        let reply = self.link.call(call);
        Reply::stream(reply.map(move |item| item.map(|message| filtered(message, &tools))))
    }

    fn close(&self) -> Closing {
        self.link.close()
    }
}

/// Removes these tools from a page of the list. Items that can't be read are removed as well.
fn filtered(mut page: Message, tools: &BTreeSet<String>) -> Message {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: std::borrow::Cow<'a, str>,
    }
    if page.kind() != Kind::Result {
        return page;
    }
    let list = page.member(Part::Result, "tools").unwrap_or(b"[]");
    let list: Vec<&RawValue> = serde_json::from_slice(list).unwrap_or_default();
    let is_left = |item: &&&RawValue| {
        serde_json::from_str::<Named<'_>>(item.get()).is_ok_and(|item| !tools.contains(&fold(&item.name)))
    };
    let left: Vec<&str> = list.iter().filter(is_left).map(|item| item.get()).collect();
    let left = format!("[{}]", left.join(","));
    match page.edit(Part::Result, &[], &[("tools", left.as_bytes())]) {
        Ok(()) => page.reread().unwrap_or(page),
        Err(_) => page,
    }
}

#[cfg(test)]
mod tests {
    use crossway_proto::RequestId;
    use crossway_service::Context;
    use crossway_testkit::Scripted;

    use super::*;

    async fn ask(link: &Link, method: &str, params: &str) -> String {
        let request = Message::request_of(&RequestId::from(1), method, Some(params.as_bytes())).unwrap();
        let mut reply = link.call(Call::message(request, Context::default()));
        String::from_utf8(reply.next().await.unwrap().unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_disabled_tool_is_neither_listed_nor_called() {
        let server = Scripted::answering(|message| {
            let id = message.id().unwrap();
            let result: &[u8] = if message.is_method("tools/list") {
                br#"{"tools":[{"name":"a"},{"name":"b"},{"name":"B"}],"nextCursor":"c"}"#
            } else {
                br#"{"content":[]}"#
            };
            vec![String::from_utf8(Message::result_of(&id, result).unwrap().to_bytes().to_vec()).unwrap()]
        });
        let link =
            Without::around(Arc::new(server), &BTreeSet::from(["b".to_owned()])).connect(Scope::Shared);
        let list = ask(&link, "tools/list", "{}").await;
        assert!(list.contains(r#"[{"name":"a"}]"#) && list.contains(r#""nextCursor":"c""#), "{list}");
        assert!(ask(&link, "tools/call", r#"{"name":"b"}"#).await.contains("Unknown tool: b"));
        assert!(ask(&link, "tools/call", r#"{"name":"B"}"#).await.contains("Unknown tool: B"));
        assert!(ask(&link, "tools/call", r#"{"name":"a"}"#).await.contains("content"));
    }
}
