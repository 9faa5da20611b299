//! Converts a tool result into an HTTP response.

use std::borrow::Cow;

use bytes::Bytes;
use crossway_proto::Message;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::limits::{DEPTH, FAILURE_BYTES};
use super::problem::Problem;
use super::{Body, Form};

/// A JSON response with this status. Upstream data goes into the body only, never into a header.
pub(crate) fn json(status: StatusCode, text: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A `CallToolResult` (2026-07-28, server/tools, Tool Result), or another kind of result in its place.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "resultType", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Vec<Content<'a>>,
    #[serde(rename = "structuredContent", borrow, default)]
    structured: Option<&'a RawValue>,
    #[serde(rename = "isError", default)]
    is_error: Option<bool>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
    #[serde(rename = "mimeType", borrow, default)]
    media: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    resource: Option<Resource<'a>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(rename = "mimeType", borrow, default)]
    media: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    blob: Option<Cow<'a, str>>,
}

/// Converts a tool result into the JSON value of the response.
///
/// | the result has | the value |
/// |---|---|
/// | structured content, of a tool with an output schema, and at most texts besides | the structured content |
/// | one text | the JSON that it contains, if it is valid JSON; else the text |
/// | one image | a `data:` URL |
/// | one audio, or an image whose media type is not an image's | a list of one `data:` URL |
/// | one embedded resource | its text like a text, else like an image or audio |
/// | a resource link | `name: URI` as text |
/// | several of those | a list of them |
/// | only structured content | the structured content |
/// | nothing | an empty list |
///
/// # Errors
///
/// When the result is a tool error (`isError`), asks for input, or can't be read.
pub(crate) fn of_result(result: &Message, form: Form, most: usize) -> Result<Bytes, Problem> {
    let unreadable = || {
        let why = "the MCP server's answer is not valid: its result can't be read";
        Problem::new(StatusCode::FAILED_DEPENDENCY, why)
    };
    let said: Said<'_> =
        result.result().and_then(|json| serde_json::from_slice(json).ok()).ok_or_else(unreadable)?;
    match said.kind.as_deref() {
        None | Some("complete") => {}
        Some("input_required") => return Err(question()),
        Some(_) => return Err(unreadable()),
    }
    if said.is_error == Some(true) {
        return Err(failed(&said));
    }
    let mut out = Vec::new();
    write(&said, form, &mut out).map_err(|_| unreadable())?;
    if out.len() > most {
        let why = format!("the tool's answer has more than {most} bytes");
        return Err(Problem::new(StatusCode::FAILED_DEPENDENCY, why));
    }
    Ok(Bytes::from(out))
}

/// The error for a result that asks for input. Callers of an operation can't be asked: calls declare no client capabilities, and a server
/// that asks all the same gets no answer.
fn question() -> Problem {
    let why = "the tool has to ask something before it can go on, and callers of this API can't be asked; \
               use it over MCP, with a client that can be";
    Problem::new(StatusCode::FAILED_DEPENDENCY, why)
}

/// The error for a result with `isError`, with the tool's own message.
///
/// Such a result does not say which kind of error it is. SDKs also report invalid arguments this way, each in its own words: those become
/// 422, since the caller can correct them. All else is 424.
fn failed(said: &Said<'_>) -> Problem {
    let texts = said.content.iter().filter_map(|content| content.text.as_deref());
    let mut text = String::new();
    for part in texts.filter(|part| !part.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(part);
    }
    if text.is_empty() {
        text.push_str("the tool has failed, and does not say why");
    }
    if text.len() > FAILURE_BYTES {
        let end = (0..=FAILURE_BYTES).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push_str(" [cut]");
    }
    let is_about_arguments = ["MCP error -32602:", "Input validation error:"];
    let status = if is_about_arguments.iter().any(|words| text.starts_with(words)) {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::FAILED_DEPENDENCY
    };
    Problem::new(status, text).with_outcome(crossway_service::Outcome::Answered)
}

fn write(said: &Said<'_>, form: Form, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let has_texts_alone = said.content.iter().all(|content| content.kind == "text");
    let structured = said.structured.map(|structured| form.of(structured)).transpose()?;
    match structured {
        Some(structured) if form.is_declared() && has_texts_alone || said.content.is_empty() => {
            out.extend_from_slice(structured.get().as_bytes());
            return Ok(());
        }
        _ => {}
    }
    // Beside images, the structured content is the list's first item, and replaces the texts, which repeat it.
    let structured = structured.filter(|_| form.is_declared());
    let told = said.content.iter().filter(|content| structured.is_none() || content.kind != "text");
    let told: Vec<_> = told.collect();
    if let ([only], None) = (&told[..], structured)
        && !is_data(only)
    {
        return write_content(only, out);
    }
    out.push(b'[');
    if let Some(structured) = structured {
        out.extend_from_slice(structured.get().as_bytes());
    }
    for (index, content) in told.iter().enumerate() {
        if index > 0 || structured.is_some() {
            out.push(b',');
        }
        write_content(content, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Whether a content becomes a `data:` URL that is not an image. Open WebUI extracts images wherever they are in an answer, but other data
/// only from a list: by itself it would reach the model as megabytes of text.
fn is_data(content: &Content<'_>) -> bool {
    let media = match (&*content.kind, &content.resource) {
        ("image" | "audio", _) => content.media.as_deref(),
        ("resource", Some(Resource { text: None, blob: Some(_), media, .. })) => media.as_deref(),
        _ => return false,
    };
    !media.is_some_and(|media| is_media(media) && media.starts_with("image/"))
}

fn write_content(content: &Content<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match (&*content.kind, &content.resource) {
        ("text", _) => write_text(content.text.as_deref().unwrap_or_default(), out),
        ("image" | "audio", _) => {
            write_data(content.media.as_deref(), content.data.as_deref().unwrap_or_default(), out)
        }
        ("resource", Some(resource)) => match (&resource.text, &resource.blob) {
            (Some(text), _) => write_text(text, out),
            (None, Some(blob)) => write_data(resource.media.as_deref(), blob, out),
            (None, None) => write_string(resource.uri.as_deref().unwrap_or_default(), out),
        },
        ("resource_link", _) => {
            let uri = content.uri.as_deref().unwrap_or_default();
            match content.name.as_deref() {
                Some(name) if !name.is_empty() => write_string(&format!("{name}: {uri}"), out),
                _ => write_string(uri, out),
            }
        }
        (kind, _) => write_string(&format!("content of the type {kind} can't be told here"), out),
    }
}

/// Writes a text: byte for byte if it is valid JSON, else as a JSON string.
fn write_text(text: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    if is_shallow(text)
        && let Ok(json) = serde_json::from_str::<&RawValue>(text)
    {
        out.extend_from_slice(json.get().as_bytes());
        return Ok(());
    }
    write_string(text, out)
}

fn write_data(media: Option<&str>, data: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let media = media.filter(|media| is_media(media)).unwrap_or("application/octet-stream");
    write_string(&format!("data:{media};base64,{data}"), out)
}

/// Whether a media type is safe in a `data:` URL: delimiters in it would be read as part of the data.
fn is_media(media: &str) -> bool {
    !media.is_empty() && media.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+-._;= ".contains(&byte))
}

fn write_string(text: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    serde_json::to_writer(out, text)
}

/// Whether a JSON text is nested no deeper than readers accept; a deeper one would make the whole answer unreadable.
fn is_shallow(text: &str) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > DEPTH {
                    return false;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use crossway_proto::RequestId;
    use serde_json::{Value, json};

    use super::*;

    fn told_as(form: Form, result: &Value) -> Result<String, Problem> {
        let message = Message::result_of(&RequestId::from(1), result.to_string().as_bytes()).unwrap();
        of_result(&message, form, 1 << 20).map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    fn told(content: &Value) -> String {
        told_as(Form::Content, &json!({ "resultType": "complete", "content": content })).unwrap()
    }

    fn text(text: &str) -> Value {
        json!({ "type": "text", "text": text })
    }

    #[test]
    fn one_text_is_what_it_says() {
        assert_eq!(told(&json!([text("hello \"you\"")])), r#""hello \"you\"""#);
        assert_eq!(
            told(&json!([text("{\"b\": 1.50, \"a\":12345678901234567890123}")])),
            "{\"b\": 1.50, \"a\":12345678901234567890123}"
        );
        assert_eq!(told(&json!([text("5")])), "5");
        assert_eq!(told(&json!([text("NaN")])), "\"NaN\"");
        assert_eq!(told(&json!([text("")])), "\"\"");
    }

    #[test]
    fn several_are_a_list_and_none_an_empty_one() {
        assert_eq!(told(&json!([text("a"), text("[1]")])), r#"["a",[1]]"#);
        assert_eq!(told(&json!([])), "[]");
    }

    #[test]
    fn what_is_no_text_is_told_as_text() {
        let image = json!({ "type": "image", "mimeType": "image/png", "data": "AAAA" });
        let odd = json!({ "type": "image", "mimeType": "text/html,<b>", "data": "AAAA" });
        let link = json!({ "type": "resource_link", "uri": "file:///a", "name": "a" });
        let embedded = json!({ "type": "resource", "resource": { "uri": "x:y", "text": "{\"a\":1}" } });
        let blob =
            json!({ "type": "resource", "resource": { "uri": "x:y", "blob": "BBBB", "mimeType": "a/b" } });
        assert_eq!(told(&json!([image])), r#""data:image/png;base64,AAAA""#);
        assert_eq!(told(&json!([odd])), r#"["data:application/octet-stream;base64,AAAA"]"#);
        assert_eq!(
            told(&json!([link, embedded, blob])),
            r#"["a: file:///a",{"a":1},"data:a/b;base64,BBBB"]"#
        );
    }

    #[test]
    fn data_that_is_no_picture_is_an_item_of_a_list_also_if_it_is_alone() {
        let sound = json!({ "type": "audio", "mimeType": "audio/wav", "data": "AAAA" });
        assert_eq!(told(&json!([sound])), r#"["data:audio/wav;base64,AAAA"]"#);
        let blob = |media: &str| json!({ "type": "resource", "resource": { "uri": "x:y", "blob": "BBBB", "mimeType": media } });
        assert_eq!(told(&json!([blob("a/b")])), r#"["data:a/b;base64,BBBB"]"#);
        assert_eq!(told(&json!([blob("image/png")])), r#""data:image/png;base64,BBBB""#);
    }

    #[test]
    fn a_failure_says_all_that_the_tool_says_of_it_within_bounds() {
        let told = |content: Value| {
            let problem =
                told_as(Form::Content, &json!({ "isError": true, "content": content })).unwrap_err();
            format!("{problem:?}")
        };
        let picture = json!({ "type": "image", "mimeType": "image/png", "data": "AAAA" });
        let all = told(json!([text("it failed"), picture, text(""), text("since it is late")]));
        assert!(all.contains(r#""it failed\nsince it is late""#), "{all}");
        let long = told(json!([text(&"é".repeat(FAILURE_BYTES))]));
        assert!(long.contains("é [cut]") && long.len() < FAILURE_BYTES + 1000);
    }

    #[test]
    fn json_in_a_text_that_nobody_could_read_stays_a_text() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert_eq!(told(&json!([text(&deep)])), format!("\"{deep}\""));
    }

    #[test]
    fn structured_content_is_the_answer_of_tools_that_declare_it() {
        let result = json!({ "content": [text("{\"a\": 1}")], "structuredContent": { "a": 1 } });
        assert_eq!(told_as(Form::Structured, &result).unwrap(), r#"{"a":1}"#);
        assert_eq!(told_as(Form::Content, &result).unwrap(), r#"{"a": 1}"#);
        let wrapped = json!({ "content": [text("5")], "structuredContent": { "result": 5 } });
        assert_eq!(told_as(Form::Wrapped, &wrapped).unwrap(), "5");
        let none = json!({ "content": [text("null")], "structuredContent": { "result": null } });
        assert_eq!(told_as(Form::Wrapped, &none).unwrap(), "null");
        let other = json!({ "content": [], "structuredContent": { "a": 1 } });
        assert_eq!(told_as(Form::Wrapped, &other).unwrap(), r#"{"a":1}"#);
        let only = json!({ "content": [], "structuredContent": { "a": 1 } });
        assert_eq!(told_as(Form::Content, &only).unwrap(), r#"{"a":1}"#);
        let picture = json!({ "type": "image", "mimeType": "image/png", "data": "AAAA" });
        let both = json!({ "content": [text("1"), picture], "structuredContent": { "a": 1 } });
        assert_eq!(told_as(Form::Structured, &both).unwrap(), r#"[{"a":1},"data:image/png;base64,AAAA"]"#);
    }

    #[test]
    fn a_failure_is_never_an_answer() {
        let status = |result: Value| told_as(Form::Content, &result).unwrap_err().status.as_u16();
        assert_eq!(status(json!({ "isError": true, "content": [text("no")] })), 424);
        assert_eq!(status(json!({ "isError": true, "content": [] })), 424);
        let arguments = "MCP error -32602: Input validation error: Invalid arguments for tool echo";
        assert_eq!(status(json!({ "isError": true, "content": [text(arguments)] })), 422);
        assert_eq!(status(json!({ "resultType": "input_required", "inputRequests": {} })), 424);
        assert_eq!(status(json!({ "resultType": "task", "taskId": "1" })), 424);
        assert_eq!(status(json!({ "content": 5 })), 424);
        assert_eq!(status(json!({ "content": [text(&"a".repeat(2 << 20))] })), 424);
    }
}
