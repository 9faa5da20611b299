//! Sample messages for measuring codecs: what clients and servers typically write.

/// A `tools/call` of 300 bytes, as SDKs write it: id last but two, a progress token, three arguments.
pub const SMALL_CALL: &str = concat!(
    r#"{"method":"tools/call","params":{"name":"search_issues","arguments":{"query":"is:open label:\"good first "#,
    r#"issue\"","repository":"crossway-mcp/crossway","limit":25},"_meta":{"progressToken":17,"#,
    r#""io.modelcontextprotocol/related-task":{"taskId":"5a0d3d5e-8a2b-4f7e-b6cb"}}},"jsonrpc":"2.0","id":1234567}"#,
    "\n"
);

/// The id of each answer here.
const ID: u32 = 1_234_567;

/// The kind of an answer's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// ASCII prose in long lines: one escape in some eighty bytes.
    Plain,
    /// Prose in several scripts, in two to four bytes each, unescaped as most servers write it.
    NonAscii,
    /// Source code inside JSON inside JSON: an escape in some six bytes.
    Escapes,
}

impl Text {
    /// A piece of the text, escaped for JSON.
    fn stretch(self) -> &'static str {
        match self {
            Self::Plain => {
                r"A bridge takes what one side says and hands it to the other, and changes nothing on its way;\n"
            }
            Self::NonAscii => "Über die Brücke, через мост, 橋を渡って, über den Fluß – جسر فوق النهر 🌉. ",
            Self::Escapes => {
                r#"{\n\t\"path\": \"src\\\\main.rs\",\n\t\"line\": \"fn main() { say(\\\"hi\\\\n\\\"); }\"\n}"#
            }
        }
    }
}

/// An answer whose escaped text has about this number of bytes.
pub fn answer(text: Text, bytes: usize) -> String {
    let stretch = text.stretch();
    let text = stretch.repeat(bytes.div_ceil(stretch.len()));
    format!(
        r#"{{"jsonrpc":"2.0","id":{ID},"result":{{"content":[{{"type":"text","text":"{text}"}}],"isError":false}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_json_of_the_size_that_they_are_named_for() {
        let call = SMALL_CALL.trim_end();
        assert!((295..=305).contains(&call.len()), "{}", call.len());
        assert!(serde_json::from_str::<serde_json::Value>(call).is_ok());
        for text in [Text::Plain, Text::NonAscii, Text::Escapes] {
            let answer = answer(text, 64 * 1024);
            assert!((65_536..66_000).contains(&answer.len()), "{text:?}: {}", answer.len());
            assert!(serde_json::from_str::<serde_json::Value>(&answer).is_ok(), "{text:?}");
        }
    }
}
