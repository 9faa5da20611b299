//! Which arguments are mirrored in headers, learned from the tool lists that pass by.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crossway_proto::Message;
use crossway_proto::http_rules::Refusal;
use crossway_proto::http_rules::mirror::ParamHeaders;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::limits::TOOLS;

/// The tools of the stateless clients' upstream that mirror arguments.
///
/// "Any server that processes the message body **MUST** validate that encoded header values [...] match the
/// corresponding values in the request body" (2026-07-28, basic/transports/streamable-http). An upstream that is not
/// behind HTTP can't, so it is done here; a tool of which no list has told yet passes.
#[derive(Default)]
pub(crate) struct Tools(RwLock<HashMap<String, Arc<ParamHeaders>>>);

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

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

impl Tools {
    /// Looks at an answer to `tools/list`. Tools with invalid annotations are as good as tools without.
    pub(crate) fn learn(&self, answer: &Message) {
        let Some(list) = answer.result() else { return };
        // Few lists have annotations, and the others need no reading unless they take one back.
        if memchr::memmem::find(list, b"x-mcp-header").is_none() && self.is_empty() {
            return;
        }
        let Ok(list) = serde_json::from_slice::<List<'_>>(list) else { return };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for Tool { name, input_schema } in list.tools {
            let schema = input_schema.map(RawValue::get).unwrap_or_default();
            match ParamHeaders::of_schema(schema.as_bytes()) {
                Ok(params) if !params.is_empty() && (known.len() < TOOLS || known.contains_key(&name)) => {
                    known.insert(name, Arc::new(params));
                }
                _ => drop(known.remove(&name)),
            }
        }
    }

    /// Checks the headers of a `tools/call`.
    ///
    /// # Errors
    ///
    /// 400 with -32020 when a header and its argument differ.
    pub(crate) fn check(&self, headers: &HeaderMap, call: &Message) -> Result<(), Refusal> {
        if self.is_empty() {
            return Ok(());
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(params) = call.name().and_then(|name| known.get(name.as_ref()).map(Arc::clone)) else {
            return Ok(());
        };
        drop(known);
        let call = call.params().and_then(|params| serde_json::from_slice::<Call<'_>>(params).ok());
        let arguments = call.and_then(|call| call.arguments);
        params.check(headers, arguments.map(|arguments| arguments.get().as_bytes()))
    }

    fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}
