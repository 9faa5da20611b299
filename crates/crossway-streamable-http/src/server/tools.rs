//! Learns from tool lists which arguments are mirrored in headers.

use std::collections::HashMap;
use std::sync::Arc;

use crossway_proto::http_rules::Refusal;
use crossway_proto::http_rules::mirror::ParamHeaders;
use crossway_proto::{ErrorCode, Message};
use http::{HeaderMap, StatusCode};
use parking_lot::{RwLock, RwLockReadGuard};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::limits::{ALL_TOOLS, TOOLS};
use crossway_service::SessionOwner;

/// The tools of the stateless clients' upstream that mirror arguments, for each caller as its own lists showed them.
///
/// "Any server that processes the message body **MUST** validate that encoded header values [...] match the
/// corresponding values in the request body" (2026-07-28, basic/transports/streamable-http). An upstream that is not behind HTTP
/// cannot do so, so it is done here; a tool that no list has shown yet passes. Callers may see different lists, and must not learn
/// from another's.
#[derive(Default)]
pub(crate) struct Tools(RwLock<Annotated>);

/// The annotated tools of all callers.
#[derive(Default)]
struct Annotated {
    callers: HashMap<Option<SessionOwner>, OfCaller>,
    /// The number of tools of all callers.
    tools: usize,
    /// Rises with each list.
    lists: u64,
}

#[derive(Default)]
struct OfCaller {
    tools: HashMap<String, Arc<ParamHeaders>>,
    /// The number of the caller's last list.
    list: u64,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    tools: Vec<Tool<'a>>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    name: String,
    #[serde(rename = "inputSchema", borrow, default)]
    input_schema: Option<&'a RawValue>,
}

impl Tools {
    /// Learns from an answer to a caller's `tools/list`. Tools with invalid annotations count as tools without.
    pub(crate) fn learn(&self, caller: Option<&SessionOwner>, answer: &Message) {
        let Some(list) = answer.result() else { return };
        // Few lists have annotations, and others need no reading unless they replace one with annotations.
        if memchr::memmem::find(list, b"x-mcp-header").is_none() && !self.knows(caller) {
            return;
        }
        let Ok(list) = serde_json::from_slice::<List<'_>>(list) else { return };
        self.0.write().learn(caller, list);
    }

    /// Checks the headers of a `tools/call`.
    ///
    /// # Errors
    ///
    /// 400 with -32020 when a header and its argument differ.
    pub(crate) fn check(
        &self,
        caller: Option<&SessionOwner>,
        headers: &HeaderMap,
        call: &Message,
    ) -> Result<(), Refusal> {
        let params =
            self.read().of_caller(caller).and_then(|of| of.tools.get(call.name()?.as_ref()).map(Arc::clone));
        let Some(params) = params else { return Ok(()) };
        let Ok(arguments) = call.arguments() else {
            let why = "the arguments are there more than once, so that no header can match them";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::HEADER_MISMATCH, why));
        };
        params.check(headers, arguments)
    }

    fn knows(&self, caller: Option<&SessionOwner>) -> bool {
        self.read().of_caller(caller).is_some()
    }

    fn read(&self) -> RwLockReadGuard<'_, Annotated> {
        self.0.read()
    }
}

impl Annotated {
    fn of_caller(&self, caller: Option<&SessionOwner>) -> Option<&OfCaller> {
        // Most often there are no callers.
        if self.callers.is_empty() { None } else { self.callers.get(&caller.cloned()) }
    }

    fn learn(&mut self, caller: Option<&SessionOwner>, list: List<'_>) {
        self.lists += 1;
        let caller = caller.cloned();
        let mut of = self.callers.remove(&caller).unwrap_or_default();
        self.tools -= of.tools.len();
        of.list = self.lists;
        for Tool { name, input_schema } in list.tools {
            let schema = input_schema.map(RawValue::get).unwrap_or_default();
            match ParamHeaders::of_schema(schema.as_bytes()) {
                Ok(params)
                    if !params.is_empty() && (of.tools.len() < TOOLS || of.tools.contains_key(&name)) =>
                {
                    of.tools.insert(name, Arc::new(params));
                }
                _ => drop(of.tools.remove(&name)),
            }
        }
        if of.tools.is_empty() {
            return;
        }
        self.make_room(of.tools.len());
        self.tools += of.tools.len();
        self.callers.insert(caller, of);
    }

    fn make_room(&mut self, tools: usize) {
        if self.tools + tools <= ALL_TOOLS {
            return;
        }
        let mut lists: Vec<u64> = self.callers.values().map(|of| of.list).collect();
        lists.sort_unstable();
        let middle = lists.get(lists.len() / 2).copied().unwrap_or_default();
        self.callers.retain(|_, of| of.list > middle);
        self.tools = self.callers.values().map(|of| of.tools.len()).sum();
    }
}
