//! Finds and sanitizes texts in JSON.

use std::borrow::Cow;
use std::ops::Range;

use crossway_proto::keys;

/// The maximum lengths of texts, in characters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(super) description: usize,
    pub(super) instructions: usize,
    /// Whether members called `name` are texts: in lists of what is not asked for by its name.
    pub(super) are_names_labels: bool,
    /// Whether only the result's own members are looked at, and what its `_meta` says of the server.
    pub(super) is_shallow: bool,
}

/// The members, of results and of their `_meta`, that have a server's name and version.
const SERVER_INFO: [&[u8]; 2] = [b"serverInfo", keys::SERVER_INFO.as_bytes()];

/// How deep the members of [`SERVER_INFO`] are in a result's `_meta`: within the result, `_meta`, and the information itself.
const DEPTH_OF_INFO: usize = 3;

/// Replaces the cut part of a text.
const CUT: &str = "…";

/// The replacements for valid JSON, in order: spans of string tokens, and their new tokens. `None` if it is no JSON.
pub(super) fn edits(json: &[u8], bounds: &Bounds) -> Option<Vec<(Range<usize>, String)>> {
    let mut edits = Vec::new();
    // The maximum length of the next value, if it is a text to check.
    let mut most: Option<usize> = None;
    // Whether the next value is that of `serverInfo`; how deep it is at this place, and at the members of a `serverInfo`.
    let (mut is_info, mut depth, mut depth_of_info) = (false, 0_usize, None::<usize>);
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = end_of_string(json, at)?;
                let token = &json[at..end];
                let is_name = next(json, end) == Some(b':');
                match (is_name, most.take()) {
                    (true, _) => {
                        let name = name(token);
                        is_info = SERVER_INFO.contains(&&*name);
                        let is_of_info = depth_of_info == Some(depth);
                        let is_looked_at =
                            !bounds.is_shallow || depth == 1 || is_of_info && depth <= DEPTH_OF_INFO;
                        most = bound(&name, bounds, is_of_info).filter(|_| is_looked_at);
                        at = end + json[end..].iter().position(|byte| *byte == b':')?;
                    }
                    (false, Some(most)) => {
                        edits.extend(harmless(token, most).map(|with| (at..end, with)));
                        at = end - 1;
                    }
                    (false, None) => at = end - 1,
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'{' | b'[' => {
                depth += 1;
                most = None;
                if std::mem::take(&mut is_info) && depth_of_info.is_none() {
                    depth_of_info = Some(depth);
                }
            }
            b'}' | b']' => {
                depth_of_info = depth_of_info.filter(|of_info| *of_info != depth);
                depth = depth.saturating_sub(1);
            }
            _ => (most, is_info) = (None, false),
        }
        at += 1;
    }
    Some(edits)
}

/// The position after the closing quote of the string that begins at `start`.
fn end_of_string(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn next(json: &[u8], from: usize) -> Option<u8> {
    json[from..].iter().copied().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The name of a member. One with half a surrogate pair is none of those that matter.
fn name(token: &[u8]) -> Cow<'_, [u8]> {
    if token.contains(&b'\\') {
        return Cow::Owned(serde_json::from_slice::<String>(token).unwrap_or_default().into_bytes());
    }
    Cow::Borrowed(&token[1..token.len() - 1])
}

/// The maximum length of a text with this name; `None` for names of other members. `is_info`: it is a member of `serverInfo`.
fn bound(name: &[u8], bounds: &Bounds, is_info: bool) -> Option<usize> {
    match name {
        b"description" | b"title" => Some(bounds.description),
        b"instructions" => Some(bounds.instructions),
        b"name" if is_info || bounds.are_names_labels => Some(bounds.description),
        b"version" if is_info => Some(bounds.description),
        _ => None,
    }
}

/// The sanitized string token; `None` if it is harmless already.
fn harmless(token: &[u8], most: usize) -> Option<String> {
    let is_plain = token.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\');
    if is_plain && token.len() - 2 <= most {
        return None;
    }
    // A lone surrogate is no text: the text is emptied.
    let read = serde_json::from_slice::<String>(token);
    let mut is_same = read.is_ok();
    let text = read.unwrap_or_default();
    let mut left = String::with_capacity(text.len());
    let mut count = 0;
    for c in text.chars() {
        if is_hidden(c) {
            is_same = false;
        } else if count == most {
            is_same = false;
            if most > 0 {
                left.push_str(CUT);
            }
            break;
        } else {
            left.push(c);
            count += 1;
        }
    }
    (!is_same).then(|| serde_json::Value::from(left).to_string())
}

/// Whether people do not see the character, or see it in another place.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        _ if c.is_control() => true,
        // Direction: marks, embeddings and overrides, isolates.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // Separators that only some readers treat as line breaks.
        '\u{2028}' | '\u{2029}' => true,
        // Invisible characters. Joiners stay: scripts and emoji need them.
        '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' => true,
        '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Tags encode ASCII, and variation selectors any bytes.
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}
