//! Checks answers and classifies failures.

use std::borrow::Cow;

use crate::scan::{self, first_element, member, string_content};

/// Why a call has no right answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// An answer came, but not to this call.
    #[error("wrong answer: {0}")]
    Wrong(String),
    /// The call was refused or answered with an error.
    #[error("failed: {0}")]
    Failed(String),
    /// No answer came.
    #[error("lost: {0}")]
    Lost(String),
}

impl Fault {
    /// A call that could not be made at all.
    pub(crate) fn failed(what: &str, error: &dyn std::error::Error) -> Self {
        Self::Failed(chain(what, error))
    }

    /// An answer that broke off.
    pub(crate) fn lost(what: &str, error: &dyn std::error::Error) -> Self {
        Self::Lost(chain(what, error))
    }
}

fn chain(what: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// How much of an answer a report quotes, in bytes.
const QUOTED: usize = 160;

/// The beginning of a text, for a report.
pub(crate) fn quote(text: &[u8]) -> String {
    let cut = text.len() > QUOTED;
    let text = String::from_utf8_lossy(&text[..text.len().min(QUOTED)]);
    if cut { format!("{text}...") } else { text.into_owned() }
}

/// Returns the result of the response `text`, if it answers `id`.
pub(crate) fn check_response(text: &[u8], id: u64) -> Result<&[u8], Fault> {
    let (mut answered, mut result, mut error) = (None, None, None);
    for read in scan::members(text) {
        match read.map_err(|malformed| Fault::Wrong(format!("{malformed}: {}", quote(text))))? {
            (b"id", value) => answered = Some(value),
            (b"result", value) => result = Some(value),
            (b"error", value) => error = Some(value),
            _ => {}
        }
    }
    let same = answered.is_some_and(|raw| std::str::from_utf8(raw).is_ok_and(|raw| raw.parse() == Ok(id)));
    if !same {
        let answered = answered.map_or_else(|| "no id".to_owned(), quote);
        return Err(Fault::Wrong(format!("asked with id {id}, answered with {answered}: {}", quote(text))));
    }
    if let Some(error) = error {
        return Err(Fault::Failed(format!("the server answered with an error: {}", quote(error))));
    }
    result.ok_or_else(|| Fault::Wrong(format!("neither a result nor an error: {}", quote(text))))
}

/// Checks that `text` answers the call `id` with `prefix`, `unique` and `filler`, and nothing else.
pub(crate) fn check_echo(
    text: &[u8],
    id: u64,
    prefix: &str,
    unique: &[u8],
    filler: &[u8],
) -> Result<(), Fault> {
    let result = check_response(text, id)?;
    if member(result, "isError") == Some(b"true") {
        return Err(Fault::Failed(format!("the tool answered with an error: {}", quote(result))));
    }
    let raw = member(result, "content")
        .and_then(first_element)
        .and_then(|content| member(content, "text"))
        .and_then(string_content)
        .ok_or_else(|| Fault::Wrong(format!("no text content: {}", quote(result))))?;
    // The call's text needs no escapes; a server may still use some.
    let said: Cow<'_, [u8]> = if matches(raw, prefix, unique, filler) || !raw.contains(&b'\\') {
        Cow::Borrowed(raw)
    } else {
        let unescaped = serde_json::from_slice::<String>(&[b"\"", raw, b"\""].concat());
        Cow::Owned(unescaped.map(String::into_bytes).unwrap_or_default())
    };
    if matches(&said, prefix, unique, filler) {
        return Ok(());
    }
    let length = prefix.len() + unique.len() + filler.len();
    Err(Fault::Wrong(format!(
        "the text of call {} of {length} bytes came back as {} bytes: {}",
        String::from_utf8_lossy(unique),
        said.len(),
        quote(&said)
    )))
}

fn matches(said: &[u8], prefix: &str, unique: &[u8], filler: &[u8]) -> bool {
    let rest = said.strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_prefix(unique));
    rest == Some(filler)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), Fault> {
        check_echo(text.as_bytes(), 7, "Echo: ", b"u.1.", b"abc")
    }

    #[test]
    fn the_right_answer_is_right_in_any_order_and_with_escapes() {
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"Echo: u.1.abc"}]}}"#,
            r#" { "result" : { "content" : [ { "text" : "Echo: u.1.abc", "type": "text" } ], "isError": false }, "id" : 7 } "#,
            r#"{"id":7,"result":{"content":[{"type":"text","text":"Echo: u\u002e1.ab\u0063"}]}}"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_wrong_id_or_text_or_shape_is_wrong() {
        for text in [
            r#"{"id":8,"result":{"content":[{"text":"Echo: u.1.abc"}]}}"#,
            r#"{"id":"7","result":{"content":[{"text":"Echo: u.1.abc"}]}}"#,
            r#"{"result":{"content":[{"text":"Echo: u.1.abc"}]}}"#,
            r#"{"id":7,"result":{"content":[{"text":"Echo: u.1.abcd"}]}}"#,
            r#"{"id":7,"result":{"content":[{"text":"Echo: u.1.ab"}]}}"#,
            r#"{"id":7,"result":{"content":[{"text":"Echo: u.2.abc"}]}}"#,
            r#"{"id":7,"result":{"content":[]}}"#,
            r#"{"id":7}"#,
            r#"{"id":7,"result":{"content":[{"text":"Echo: u.1.abc"}]}"#,
            "",
        ] {
            assert!(matches!(check(text), Err(Fault::Wrong(_))), "{text}");
        }
    }

    #[test]
    fn an_error_is_a_failure_and_is_quoted() {
        let error = check(r#"{"id":7,"error":{"code":-32000,"message":"no"}}"#).unwrap_err();
        assert!(matches!(&error, Fault::Failed(why) if why.contains("-32000")));
        assert!(matches!(check(r#"{"id":7,"result":{"isError":true}}"#), Err(Fault::Failed(_))));
    }

    #[test]
    fn quotes_are_short() {
        assert_eq!(quote(&[b'a'; 1000]).len(), QUOTED + 3);
    }
}
