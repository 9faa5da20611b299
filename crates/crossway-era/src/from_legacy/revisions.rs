//! Features of each legacy revision; the table is in the docs of the [module above](super).

use bytes::Bytes;
use crossway_proto::{ErrorObject, Revision};
use serde::Deserialize;
use serde_json::Value;

use crate::capabilities::{self, Said};

/// Reduces a client's capabilities to those that modern servers may see: those that its revision has, and neither tasks nor extensions,
/// which would bring it results of types that it can't read.
///
/// # Errors
///
/// When they are too long.
pub(super) fn client_capabilities(revision: Revision, json: &[u8]) -> Result<Bytes, ErrorObject> {
    let Ok(said) = serde_json::from_slice::<Said<'_>>(json) else { return Ok(Bytes::from_static(b"{}")) };
    // Before, these capabilities had no known parts (2025-06-18, schema, ClientCapabilities).
    let asking = capabilities::asking(&said, revision >= Revision::V2025_11_25);
    let asking = asking
        .iter()
        .filter(|(name, _)| *name != "elicitation" || revision.has_elicitation())
        .map(|(name, value)| (*name, &value[..]));
    let others = said
        .iter()
        .filter(|(name, _)| {
            !["tasks", "extensions"].contains(&name.as_str()) && !capabilities::is_asking(name)
        })
        .map(|(name, value)| (&name[..], value.get()));
    let json = capabilities::to_json(others.chain(asking));
    capabilities::within_bounds(json)
}

/// Whether a client with these capabilities can answer a server request ("Servers MUST NOT send an `inputRequests` that the
/// client has not declared support for in its capabilities", 2026-07-28, basic/patterns/mrtr).
pub(super) fn can_be_asked(capabilities: &[u8], method: &str, params: Option<&[u8]>) -> bool {
    let Ok(capabilities) = serde_json::from_slice::<Value>(capabilities) else { return false };
    match method {
        "roots/list" => capabilities["roots"].is_object(),
        "sampling/createMessage" => {
            let sampling = &capabilities["sampling"];
            sampling.is_object() && (sampling["tools"].is_object() || !Traits::of(params).uses_tools())
        }
        "elicitation/create" => {
            let elicitation = &capabilities["elicitation"];
            if is_by_url(params) {
                return elicitation["url"].is_object();
            }
            // `{}` means forms (2025-11-25, client/elicitation, Capabilities).
            elicitation.is_object() && (elicitation["form"].is_object() || elicitation["url"].is_null())
        }
        _ => false,
    }
}

/// Whether an elicitation sends the user to a URL.
pub(super) fn is_by_url(params: Option<&[u8]>) -> bool {
    Traits::of(params).mode == "url"
}

/// The facts about a server request that decide which capability it needs.
#[derive(Deserialize, Default)]
struct Traits {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    tools: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "toolChoice")]
    tool_choice: Option<serde::de::IgnoredAny>,
}

impl Traits {
    fn of(params: Option<&[u8]>) -> Self {
        params.and_then(|params| serde_json::from_slice(params).ok()).unwrap_or_default()
    }

    fn uses_tools(&self) -> bool {
        self.tools.is_some() || self.tool_choice.is_some()
    }
}
