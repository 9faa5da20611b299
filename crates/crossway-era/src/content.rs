//! Replaces content types that a client's revision lacks.

use crossway_proto::{Message, Part, Revision};
use serde::Deserialize;

use crate::members::{Members, elements};

/// The content types that a revision lacks, with the first revision that has each.
pub(crate) fn unknown(revision: Revision) -> &'static [(&'static str, Revision)] {
    const ALL: [(&str, Revision); 2] =
        [("resource_link", Revision::V2025_06_18), ("audio", Revision::V2025_03_26)];
    match revision {
        Revision::V2024_11_05 => &ALL,
        Revision::V2025_03_26 => &ALL[..1],
        _ => &[],
    }
}

/// Replaces content that the client's revision lacks by a sentence, in the results of `tools/call` and `prompts/get`. Other results are
/// not touched.
pub(crate) fn replace_unknown(result: &mut Message, revision: Revision) {
    let unknown = unknown(revision);
    let is_suspect = |text: &[u8]| {
        let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
        // A type may be written with escapes.
        has("\\u00") || unknown.iter().any(|(kind, _)| has(kind))
    };
    if unknown.is_empty() || !is_suspect(result.result().unwrap_or_default()) {
        return;
    }
    for member in ["content", "messages"] {
        let list = result.member(Part::Result, member).and_then(|json| std::str::from_utf8(json).ok());
        let Some(list) = list.and_then(elements) else { continue };
        let mut changed = false;
        let list: Vec<String> = list
            .into_iter()
            .map(|element| {
                let replaced = if member == "content" {
                    replacement(element, revision)
                } else {
                    Members::read(element).and_then(|message| {
                        let content = replacement(message.value("content")?, revision)?;
                        Some(message.with(|name, _| (name == "content").then(|| content.clone())))
                    })
                };
                changed |= replaced.is_some();
                replaced.unwrap_or_else(|| element.to_owned())
            })
            .collect();
        if changed {
            let list = format!("[{}]", list.join(","));
            let _ = result.edit(Part::Result, &[], &[(member, list.as_bytes())]);
        }
    }
}

/// The text block that replaces a block of content that the revision lacks, as JSON text; `None` if the revision has it.
pub(crate) fn replacement(block: &str, revision: Revision) -> Option<String> {
    #[derive(Deserialize)]
    struct Block {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        uri: Option<String>,
    }
    let block: Block = serde_json::from_str(block).ok()?;
    let (kind, since) = unknown(revision).iter().find(|(kind, _)| *kind == block.kind)?;
    let what = block.uri.map(|uri| format!(" of {uri}")).unwrap_or_default();
    let text = format!(
        "[{kind} content{what} is left out: it came with revision {since}, and this session is of {revision}]"
    );
    Some(serde_json::json!({ "type": "text", "text": text }).to_string())
}

/// Rewrites the result of `sampling/createMessage` for a revision; `None` if nothing has to change.
///
/// Content of several blocks came with 2025-11-25 (SEP-1577). Earlier revisions allow one: several are joined into a text.
pub(crate) fn sampled(result: &[u8], revision: Revision) -> Option<String> {
    let members = Members::read(std::str::from_utf8(result).ok()?)?;
    let content = members.value("content")?;
    let changed = match elements(content) {
        None => replacement(content, revision)?,
        Some(_) if revision >= Revision::V2025_11_25 => return None,
        Some(blocks) => match &blocks[..] {
            [only] => replacement(only, revision).unwrap_or_else(|| (*only).to_owned()),
            several => as_one(several),
        },
    };
    Some(members.with(|name, _| (name == "content").then(|| changed.clone())))
}

/// Joins several blocks into one text block; blocks other than text are named.
fn as_one(blocks: &[&str]) -> String {
    #[derive(Deserialize)]
    struct Block {
        #[serde(rename = "type")]
        kind: String,
        text: Option<String>,
    }
    let said = blocks.iter().filter_map(|block| serde_json::from_str::<Block>(block).ok());
    let said: Vec<String> = said
        .map(|block| block.text.unwrap_or_else(|| format!("[{} content is left out]", block.kind)))
        .collect();
    serde_json::json!({ "type": "text", "text": said.join("\n") }).to_string()
}
