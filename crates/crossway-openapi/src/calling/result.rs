//! Writes tool results as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

/// The result of `tools/call` (2026-07-28, server/tools, Tool Result), as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolResult(Vec<u8>);

/// The beginning of a result, and the end of a result that is an error.
const BEGIN: &[u8] = br#"{"resultType":"complete","content":["#;
const NOTED_END: &[u8] = br#"],"isError":true}"#;

impl ToolResult {
    /// A result of one text.
    pub(crate) fn text(text: &str) -> Self {
        Self(Self::begin(text).end(""))
    }

    /// An error that the model can read (2026-07-28, server/tools, Error Handling).
    pub(crate) fn error(text: &str) -> Self {
        Self(Self::begin(text).end(r#","isError":true"#))
    }

    /// A JSON value: as text, and with `is_structured` as structured content too ("For backwards compatibility, a tool that returns
    /// structured content SHOULD also return the serialized JSON in a TextContent block"; 2026-07-28, server/tools).
    pub(crate) fn json(value: &RawValue, is_structured: bool) -> Self {
        let begun = Self::begin(value.get());
        if is_structured {
            return Self(begun.end(&format!(r#","structuredContent":{}"#, value.get())));
        }
        Self(begun.end(""))
    }

    /// An image or audio.
    pub(crate) fn media(kind: &'static str, mime: &str, data: &[u8]) -> Self {
        let mime = serde_json::Value::from(mime);
        let mut json =
            format!(r#"{{"resultType":"complete","content":[{{"type":"{kind}","mimeType":{mime},"data":""#);
        STANDARD.encode_string(data, &mut json);
        json.push_str(r#""}]}"#);
        Self(json.into_bytes())
    }

    /// Turns the result into an error, with a note before its content: for answers that do not match the tool's output schema. Clients that
    /// know the schema accept no other result without structured content ("Servers MUST provide structured results that conform to this
    /// schema"; 2026-07-28, server/tools, Output Schema).
    pub(crate) fn not_as_said(self, note: &str) -> Self {
        let noted = Self::error(note);
        let (Some(content), Some(whole)) = (self.content(), noted.0.strip_suffix(NOTED_END)) else {
            return noted;
        };
        Self([whole, b",", content, NOTED_END].concat())
    }

    /// The text between the brackets of `content`, if the result has no other members behind it.
    fn content(&self) -> Option<&[u8]> {
        self.0.strip_prefix(BEGIN)?.strip_suffix(b"]}")
    }

    pub(crate) fn as_json(&self) -> &[u8] {
        &self.0
    }

    fn begin(text: &str) -> Begun {
        let mut json = Vec::with_capacity(text.len() + text.len() / 8 + 96);
        json.extend_from_slice(BEGIN);
        json.extend_from_slice(br#"{"type":"text","text":"#);
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut json, text);
        json.extend_from_slice(b"}]");
        Begun(json)
    }
}

/// A result whose content has been written, but not its end.
struct Begun(Vec<u8>);

impl Begun {
    fn end(mut self, rest: &str) -> Vec<u8> {
        self.0.extend_from_slice(rest.as_bytes());
        self.0.push(b'}');
        self.0
    }
}
