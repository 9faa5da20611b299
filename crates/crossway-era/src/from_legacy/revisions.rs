//! What each legacy revision knows, so that no client is sent what it can't read.
//!
//! | from | clients know |
//! |---|---|
//! | 2025-03-26 | `audio` content |
//! | 2025-06-18 | `resource_link` content, elicitation |
//! | 2025-11-25 | elicitation by URL |
//!
//! Unknown members of known objects do no harm (2024-11-05 and later: implementations ignore them), and pass.

use crossway_proto::{Message, Part, Revision};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Whether a client can answer a server request: its revision has it, and it said that it can.
pub(super) fn can_be_asked(
    revision: Revision,
    capabilities: &[u8],
    method: &str,
    params: Option<&[u8]>,
) -> bool {
    let Ok(capabilities) = serde_json::from_slice::<Value>(capabilities) else { return false };
    match method {
        "roots/list" => capabilities["roots"].is_object(),
        "sampling/createMessage" => capabilities["sampling"].is_object(),
        "elicitation/create" => {
            let elicitation = &capabilities["elicitation"];
            if is_by_url(params) {
                return revision.has_url_elicitation() && elicitation["url"].is_object();
            }
            // `{}` means forms (2025-11-25, client/elicitation, Capabilities).
            let has_form = elicitation["form"].is_object() || elicitation["url"].is_null();
            revision.has_elicitation() && elicitation.is_object() && has_form
        }
        _ => false,
    }
}

/// Whether an elicitation sends the user to a URL.
pub(super) fn is_by_url(params: Option<&[u8]>) -> bool {
    #[derive(Deserialize)]
    struct Elicitation {
        #[serde(default)]
        mode: String,
    }
    params
        .and_then(|params| serde_json::from_slice::<Elicitation>(params).ok())
        .is_some_and(|elicitation| elicitation.mode == "url")
}

/// The types of content that a revision has not, with the first one that has it.
fn unknown_content(revision: Revision) -> &'static [(&'static str, Revision)] {
    const ALL: [(&str, Revision); 2] =
        [("resource_link", Revision::V2025_06_18), ("audio", Revision::V2025_03_26)];
    match revision {
        Revision::V2024_11_05 => &ALL,
        Revision::V2025_03_26 => &ALL[..1],
        _ => &[],
    }
}

#[derive(Deserialize)]
struct PromptMessage<'a> {
    #[serde(borrow)]
    role: &'a RawValue,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// Puts a sentence in the place of content that the client's revision has not. Results without such are not touched.
pub(super) fn replace_unknown_content(result: &mut Message, revision: Revision) {
    let unknown = unknown_content(revision);
    let is_suspect = |message: &Message| {
        let text = message.result().unwrap_or_default();
        unknown.iter().any(|(kind, _)| memchr::memmem::find(text, kind.as_bytes()).is_some())
    };
    if unknown.is_empty() || !is_suspect(result) {
        return;
    }
    for member in ["content", "messages"] {
        let Some(list) = result.member(Part::Result, member) else { continue };
        let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(list) else { continue };
        let mut changed = false;
        let elements: Vec<String> = elements
            .into_iter()
            .map(|element| {
                let replaced = if member == "content" {
                    replacement(element.get(), unknown, revision)
                } else {
                    serde_json::from_str::<PromptMessage<'_>>(element.get()).ok().and_then(|message| {
                        let content = replacement(message.content.get(), unknown, revision)?;
                        Some(format!(r#"{{"role":{},"content":{content}}}"#, message.role.get()))
                    })
                };
                changed |= replaced.is_some();
                replaced.unwrap_or_else(|| element.get().to_owned())
            })
            .collect();
        if changed {
            let list = format!("[{}]", elements.join(","));
            let _ = result.edit(Part::Result, &[], &[(member, list.as_bytes())]);
        }
    }
}

/// What stands for a block of content that is not known, as JSON text.
fn replacement(block: &str, unknown: &[(&str, Revision)], revision: Revision) -> Option<String> {
    #[derive(Deserialize)]
    struct Block {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        uri: Option<String>,
    }
    let block: Block = serde_json::from_str(block).ok()?;
    let (kind, since) = unknown.iter().find(|(kind, _)| *kind == block.kind)?;
    let what = block.uri.map(|uri| format!(" of {uri}")).unwrap_or_default();
    let text = format!(
        "[{kind} content{what} is left out: it came with revision {since}, and this session is of {revision}]"
    );
    Some(serde_json::json!({ "type": "text", "text": text }).to_string())
}
