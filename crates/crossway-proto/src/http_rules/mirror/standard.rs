//! The headers `Mcp-Method` and `Mcp-Name`.
//!
//! 2026-07-28, basic/transports/streamable-http, "Standard Request Headers".

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use super::super::names::{MCP_METHOD, MCP_NAME};
use super::super::{Refusal, single};
use super::{Unmirrorable, bounded, decode};
use crate::Message;

/// The member of `params` that `Mcp-Name` mirrors, for the methods that have one.
///
/// Those of the tasks extension (`io.modelcontextprotocol/tasks`) are among them, with their `taskId`.
#[must_use]
pub fn name_member(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

/// What `Mcp-Name` mirrors of this message: the text of [`name_member`] in its `params`.
///
/// ```
/// use bytes::Bytes;
/// use crossway_proto::{Limits, Message, http_rules::mirror};
///
/// let text = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t-1"}}"#;
/// let message = Message::parse(Bytes::from_static(text), &Limits::default())?;
/// assert_eq!(mirror::mirrored_name(&message).as_deref(), Some("t-1"));
/// # Ok::<(), crossway_proto::ParseError>(())
/// ```
#[must_use]
pub fn mirrored_name(message: &Message) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Task<'a> {
        #[serde(rename = "taskId", borrow)]
        id: Cow<'a, str>,
    }
    match name_member(&message.method()?)? {
        "taskId" => serde_json::from_slice::<Task<'_>>(message.params()?).ok().map(|task| task.id),
        _ => message.name(),
    }
}

/// Adds `Mcp-Method` and, where the method has one, `Mcp-Name` to a request or a notification.
///
/// `name` is its [`mirrored_name`].
///
/// # Errors
///
/// When the method can't stand in a header, or the name is too long for one.
pub fn add_headers(headers: &mut HeaderMap, method: &str, name: Option<&str>) -> Result<(), Unmirrorable> {
    let is_token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(method).ok().filter(|_| is_token).ok_or(Unmirrorable::Method)?;
    headers.insert(&MCP_METHOD, value);
    if name_member(method).is_some()
        && let Some(name) = name
    {
        headers.insert(&MCP_NAME, bounded(&MCP_NAME, name)?);
    }
    Ok(())
}

/// Checks that `Mcp-Method` and, where the method has one, `Mcp-Name` say what a request's body says.
///
/// `name` is its [`mirrored_name`]; a body without one has no `Mcp-Name` either.
///
/// # Errors
///
/// 400 with -32020 when a header is missing, there twice, not to be read, or says something else.
pub fn check_request(headers: &HeaderMap, method: &str, name: Option<&str>) -> Result<(), Refusal> {
    let refuse = |message: &'static str| Err(Refusal::header_mismatch(message));
    match single::text(headers, &MCP_METHOD) {
        Ok(Some(value)) if value == method => {}
        Ok(None) => return refuse("the request needs an Mcp-Method header"),
        _ => return refuse("the Mcp-Method header differs from the body's method"),
    }
    if name_member(method).is_none() {
        return Ok(());
    }
    match (single::value(headers, &MCP_NAME), name) {
        (Ok(None), None) => Ok(()),
        (Ok(None), Some(_)) => refuse("the request needs an Mcp-Name header"),
        (Ok(Some(value)), name) => match decode(value) {
            Ok(value) if name == Some(value.as_ref()) => Ok(()),
            Ok(_) => refuse("the Mcp-Name header differs from what the body names"),
            Err(error) => Err(Refusal::header_mismatch(format!("the Mcp-Name header has {error}"))),
        },
        (Err(_), _) => refuse("the request has several Mcp-Name headers"),
    }
}

/// Checks that `Mcp-Method`, if a notification has it, says what the body says.
///
/// "header requirements for notification POSTs are not defined by this revision", so it may be missing.
///
/// # Errors
///
/// As [`check_request`].
pub fn check_notification(headers: &HeaderMap, method: &str) -> Result<(), Refusal> {
    match single::text(headers, &MCP_METHOD) {
        Ok(value) if value.is_none_or(|value| value == method) => Ok(()),
        _ => Err(Refusal::header_mismatch("the Mcp-Method header differs from the body's method")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn check(pairs: &[(&'static str, &'static [u8])], method: &str, name: Option<&str>) -> bool {
        match check_request(&headers(pairs), method, name) {
            Ok(()) => true,
            Err(refusal) => {
                assert_eq!((refusal.status.as_u16(), refusal.code.0), (400, -32020));
                false
            }
        }
    }

    #[test]
    fn headers_that_say_what_the_body_says_pass() {
        assert!(check(&[("mcp-method", b"tools/list")], "tools/list", None));
        assert!(check(&[("MCP-METHOD", b"tools/list")], "tools/list", None));
        let call: &[_] = &[("mcp-method", &b"tools/call"[..]), ("mcp-name", b"  echo  ")];
        assert!(check(call, "tools/call", Some("echo")));
        let read: &[_] =
            &[("mcp-method", &b"resources/read"[..]), ("mcp-name", b"=?base64?ZmlsZTovLy/DqQ==?=")];
        assert!(check(read, "resources/read", Some("file:///é")));
        assert!(check(&[("mcp-method", b"tools/list"), ("mcp-name", b"ignored")], "tools/list", None));
        assert!(check(&[("mcp-method", b"tools/call")], "tools/call", None), "left to who reads the params");
        assert!(check(&[("mcp-method", b"tasks/get"), ("mcp-name", b"t-1")], "tasks/get", Some("t-1")));
    }

    #[test]
    fn missing_differing_unreadable_and_repeated_headers_are_refused() {
        assert!(!check(&[], "tools/list", None));
        assert!(!check(&[("mcp-method", b"prompts/list")], "tools/list", None));
        assert!(!check(&[("mcp-method", b"TOOLS/LIST")], "tools/list", None));
        assert!(!check(&[("mcp-method", b"tools/list\xff")], "tools/list", None));
        assert!(!check(&[("mcp-method", b"tools/list"), ("mcp-method", b"tools/list")], "tools/list", None));
        let bad: [&[&[u8]]; 6] =
            [&[], &[b"Echo"], &[b"echo\xff"], &[b"=?base64?ZWNobw?="], &[b""], &[b"echo", b"echo"]];
        for names in bad {
            let mut pairs = vec![("mcp-method", &b"tools/call"[..])];
            pairs.extend(names.iter().map(|name| ("mcp-name", *name)));
            assert!(!check(&pairs, "tools/call", Some("echo")), "{names:?}");
        }
        assert!(!check(&[("mcp-method", b"tools/call"), ("mcp-name", b"echo")], "tools/call", None));
    }

    #[test]
    fn the_name_is_what_each_method_mirrors() {
        let name = |method: &str, params: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            let message = Message::parse(text.into(), &crate::Limits::default()).unwrap();
            mirrored_name(&message).map(Cow::into_owned)
        };
        let params = r#"{"name":"n","uri":"u","taskId":"\u0074"}"#;
        for (method, expected) in [
            ("tools/call", Some("n")),
            ("prompts/get", Some("n")),
            ("resources/read", Some("u")),
            ("tasks/cancel", Some("t")),
            ("tools/list", None),
        ] {
            assert_eq!(name(method, params).as_deref(), expected, "{method}");
            assert_eq!(name(method, "{}"), None, "{method}");
        }
        assert_eq!(name("tools/call", r#"{"name":1}"#), None);
        assert_eq!(name("tasks/get", r#"{"taskId":1}"#), None);
    }

    #[test]
    fn a_refusal_does_not_repeat_what_the_header_said() {
        let headers = headers(&[("mcp-method", b"tools/call"), ("mcp-name", b"secret")]);
        let refusal = check_request(&headers, "tools/call", Some("private")).unwrap_err();
        assert!(!format!("{refusal:?}").contains("secret") && !format!("{refusal:?}").contains("private"));
    }

    #[test]
    fn a_notification_may_lack_the_header_but_not_differ() {
        let method = "notifications/cancelled";
        assert!(check_notification(&headers(&[]), method).is_ok());
        assert!(check_notification(&headers(&[("mcp-method", b"notifications/cancelled")]), method).is_ok());
        assert!(check_notification(&headers(&[("mcp-method", b"tools/call")]), method).is_err());
    }

    #[test]
    fn a_method_that_no_header_can_hold_is_refused() {
        for method in ["", "a b", "tools/\u{e9}", "a\nb"] {
            assert_eq!(
                add_headers(&mut HeaderMap::new(), method, None),
                Err(Unmirrorable::Method),
                "{method:?}"
            );
        }
        let long = "x".repeat(super::super::MIRRORED_BYTES + 1);
        let error = add_headers(&mut HeaderMap::new(), "tools/call", Some(&long)).unwrap_err();
        assert_eq!(error, Unmirrorable::TooLong { header: MCP_NAME.clone() });
    }

    proptest! {
        #[test]
        fn headers_that_were_added_pass(
            method in prop::sample::select(vec!["tools/call", "resources/read", "prompts/get", "tools/list", "tasks/get"]),
            name in any::<Option<String>>(),
        ) {
            let mut headers = HeaderMap::new();
            add_headers(&mut headers, method, name.as_deref()).unwrap();
            prop_assert_eq!(check_request(&headers, method, name.as_deref()), Ok(()));
            prop_assert_eq!(headers.contains_key(&MCP_NAME), name.is_some() && method != "tools/list");
        }
    }
}
