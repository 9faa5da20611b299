//! Learns from tool lists which parameters are mirrored in headers.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crossway_proto::http_rules::mirror;
use crossway_proto::{Message, RequestId};
use http::HeaderMap;
use memchr::memmem;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::Answer;
use super::limits;
use super::open::{self, Manner};
use super::session::{Badge, Session};
use super::upstream::Shared;

/// The parameters that an upstream wants in headers, by tool.
///
/// Only tools with such parameters are kept. A call that came over HTTP brings its headers along, and does not need this.
#[derive(Default)]
pub(super) struct Mirrored(Mutex<HashMap<String, Arc<mirror::ParamHeaders>>>);

/// The members of a tool list that matter here.
#[derive(Deserialize)]
struct Tools<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(rename = "nextCursor", borrow, default)]
    next_cursor: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    name: String,
    #[serde(rename = "inputSchema", borrow, default)]
    input_schema: Option<&'a RawValue>,
}

const ANNOTATION: &[u8] = b"x-mcp-header";

impl Mirrored {
    /// Adds the `Mcp-Param-*` headers of a call.
    ///
    /// An argument that can't be sent in a header is left out: the upstream then refuses the call, and says why.
    pub(super) fn add_headers(&self, request: &Message, headers: &mut HeaderMap) {
        if !request.is_method("tools/call") {
            return;
        }
        let Some(known) = request.name().and_then(|name| self.tools().get(name.as_ref()).cloned()) else {
            return;
        };
        // The upstream is to refuse duplicate arguments.
        let arguments = request.arguments().ok().flatten();
        if let Err(error) = known.add_headers(headers, arguments) {
            tracing::debug!(%error, "an argument can't be mirrored in a header");
        }
    }

    /// Learns from an answer to `tools/list`, and removes the tools with invalid annotations.
    ///
    /// "Clients using the Streamable HTTP transport **MUST** reject tool definitions where any `x-mcp-header` value
    /// violates these constraints. Rejection means the client **MUST** exclude the invalid tool from the result of
    /// `tools/list`." (2026-07-28, basic/transports/streamable-http, Schema Extension)
    pub(super) fn learn(&self, answer: Message, shared: &Shared) -> Message {
        let Some(result) = answer.result() else { return answer };
        // Most lists have no annotation, and are not read.
        if memmem::find(result, ANNOTATION).is_none() && !self.is_used() {
            return answer;
        }
        let Ok(list) = serde_json::from_slice::<Tools<'_>>(result) else { return answer };
        let mut kept = Vec::with_capacity(list.tools.len());
        for tool in &list.tools {
            if self.learn_tool(tool, shared) {
                kept.push(*tool);
            }
        }
        if kept.len() == list.tools.len() {
            return answer;
        }
        let whole = answer.to_bytes();
        match without(&whole, &list.tools, &kept, result) {
            Some(text) => Message::parse(text, &shared.limits.message).unwrap_or(answer),
            None => answer,
        }
    }

    /// Learns from a tool. Returns whether it may stay in the list.
    fn learn_tool(&self, tool: &RawValue, shared: &Shared) -> bool {
        let Ok(Tool { name, input_schema }) = serde_json::from_str::<Tool<'_>>(tool.get()) else {
            return true;
        };
        let schema = input_schema.map(RawValue::get).unwrap_or_default();
        if memmem::find(schema.as_bytes(), ANNOTATION).is_none() {
            self.tools().remove(&name);
            return true;
        }
        match mirror::ParamHeaders::of_schema(schema.as_bytes()) {
            Ok(params) if params.is_empty() => drop(self.tools().remove(&name)),
            Ok(params) => {
                let mut tools = self.tools();
                if tools.len() < limits::MIRRORED_TOOLS || tools.contains_key(&name) {
                    tools.insert(name, Arc::new(params));
                }
            }
            Err(error) => {
                let upstream = shared.http.endpoint().origin();
                tracing::warn!(%upstream, tool = %name, %error, "left a tool out of the list: its x-mcp-header is not valid");
                self.tools().remove(&name);
                return false;
            }
        }
        true
    }

    fn is_used(&self) -> bool {
        !self.tools().is_empty()
    }

    fn tools(&self) -> MutexGuard<'_, HashMap<String, Arc<mirror::ParamHeaders>>> {
        self.0.lock()
    }
}

/// Returns the text of a tool list with only the `kept` ones of its `tools`. Everything else stays unchanged.
fn without(whole: &Bytes, tools: &[&RawValue], kept: &[&RawValue], result: &[u8]) -> Option<Bytes> {
    // The position of a tool in the result, and of the result in the message, which is not the same buffer if the message's
    // id was replaced.
    let offset = memmem::find(whole, result)?;
    let span = |tool: &RawValue| -> Range<usize> {
        let start = tool.get().as_ptr() as usize - result.as_ptr() as usize;
        start..start + tool.get().len()
    };
    let start = offset + span(tools.first()?).start;
    let end = offset + span(tools.last()?).end;
    let mut text = BytesMut::with_capacity(whole.len());
    text.extend_from_slice(&whole[..start]);
    for (index, tool) in kept.iter().enumerate() {
        if index > 0 {
            text.extend_from_slice(b",");
        }
        text.extend_from_slice(tool.get().as_bytes());
    }
    text.extend_from_slice(&whole[end..]);
    Some(text.freeze())
}

/// Lists the tools again, on behalf of a call that was refused for its headers. Returns whether that succeeded.
pub(super) async fn learn_anew(session: &Arc<Session>, call: &Message, manner: &Manner) -> bool {
    let Some(meta) = call.meta() else { return false };
    let mut cursor: Option<Box<RawValue>> = None;
    for page in 0..limits::RELIST_PAGES {
        let mut params = br#"{"_meta":"#.to_vec();
        params.extend_from_slice(meta);
        if let Some(cursor) = &cursor {
            params.extend_from_slice(br#","cursor":"#);
            params.extend_from_slice(cursor.get().as_bytes());
        }
        params.push(b'}');
        let id = RequestId::from(format!("crossway-tools-{page}").as_str());
        let Ok(request) = Message::request_of(&id, "tools/list", Some(&params)) else { return false };
        let answer = match open::ask_once(session, &request, &id, manner, &Badge::default()).await {
            Ok(Answer::Final(answer)) => answer,
            Ok(Answer::Stream(events)) => match events.answer_to(&id).await {
                Some(answer) => answer,
                None => return false,
            },
            _ => return false,
        };
        cursor = answer.result().and_then(|result| {
            let list = serde_json::from_slice::<Tools<'_>>(result).ok()?;
            list.next_cursor.filter(|cursor| cursor.get() != "null").map(RawValue::to_owned)
        });
        session.shared.mirrored.learn(answer, &session.shared);
        if cursor.is_none() {
            return true;
        }
    }
    true
}
