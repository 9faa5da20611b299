//! Fuzzes headers that mirror the body.

use bytes::Bytes;
use crossway_proto::http_rules::mirror::{self, ParamHeaders, Unmirrorable};
use crossway_proto::http_rules::names::{MCP_METHOD, MCP_NAME};
use crossway_proto::{ErrorCode, Limits, Message};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use super::super::input::Input;
use super::{check_refusal, header_map};

/// Checks that any header value is decoded or refused, and that any text is encoded so that it decodes to itself.
pub(super) fn value(text: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(text)
        && let Ok(decoded) = mirror::decode(&value)
    {
        reads_back(&decoded);
    }
    reads_back(&String::from_utf8_lossy(text));
}

fn reads_back(text: &str) {
    let encoded = mirror::encode(text);
    assert!(encoded.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~')));
    assert!(!encoded.as_bytes().starts_with(b" ") && !encoded.as_bytes().ends_with(b" "));
    assert_eq!(mirror::decode(&encoded).as_deref(), Ok(text));
}

/// Checks that a server matches a client's headers to their method and name, and to no others.
pub(super) fn name(method: &[u8], name: &[u8]) {
    let (method, name) = (String::from_utf8_lossy(method), String::from_utf8_lossy(name));
    let mut headers = HeaderMap::new();
    match mirror::add_headers(&mut headers, &method, Some(&name)) {
        Err(Unmirrorable::Method) => {
            assert!(method.is_empty() || method.bytes().any(|byte| !byte.is_ascii_graphic()));
        }
        Err(error) => panic!("{error}"),
        Ok(()) => {
            let check = |method: &str, name| mirror::check_request(&headers, method, name);
            assert_eq!(check(&method, Some(&name)), Ok(()));
            assert_eq!(mirror::check_notification(&headers, &method), Ok(()));
            refused(check(&format!("{method}x"), Some(&name)));
            assert_eq!(headers.contains_key(&MCP_NAME), mirror::name_member(&method).is_some());
            if headers.contains_key(&MCP_NAME) {
                refused(check(&method, None));
                refused(check(&method, Some(&format!("{name} "))));
            }
        }
    }
    if let Some(member) = mirror::name_member(&method) {
        let params = serde_json::json!({ member: name }).to_string();
        let message = Message::notification_of(&method, Some(params.as_bytes()));
        let message = message.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(mirror::mirrored_name(&message).as_deref(), Some(&*name));
    }
}

/// Checks parameter headers for a tool's schema, a call's arguments, and headers that the request already has, a line each.
pub(super) fn params(mut input: Input<'_>) {
    let (schema, arguments) = (input.line(), input.line());
    let arguments = Some(arguments).filter(|arguments| !arguments.is_empty());
    let before = header_map(&mut input);
    let Ok(params) = ParamHeaders::of_schema(schema) else { return };
    assert_eq!(params.is_empty(), params.iter().next().is_none());
    if let Err(refusal) = params.check(&before, arguments) {
        check_refusal(&refusal);
    }
    let mut headers = before;
    match params.add_headers(&mut headers, arguments) {
        Ok(()) => {
            assert_eq!(params.check(&headers, arguments), Ok(()), "what was added does not match");
            says_the_same(&params, &headers, arguments);
        }
        Err(Unmirrorable::TooLong { .. }) => {}
        Err(_) => refused(params.check(&HeaderMap::new(), arguments)),
    }
}

/// Checks that the headers have the values that `serde_json` finds at the paths.
fn says_the_same(params: &ParamHeaders, headers: &HeaderMap, arguments: Option<&[u8]>) {
    let Ok(arguments) = serde_json::from_slice::<Value>(arguments.unwrap_or(b"null")) else { return };
    for param in params.iter() {
        let found = param.path.iter().try_fold(&arguments, |value, name| value.get(name.as_str()));
        let said = headers
            .get(&param.header)
            .map(|said| mirror::decode(said).unwrap_or_else(|error| panic!("{error}")));
        match (found, said.as_deref()) {
            (None | Some(Value::Null), None) => {}
            (Some(Value::String(text)), Some(said)) => assert_eq!(said, text),
            (Some(Value::Bool(truth)), Some(said)) => assert_eq!(said, truth.to_string()),
            (Some(Value::Number(number)), Some(said)) => {
                assert!(said.parse::<i64>().is_ok_and(|said| said.abs() < 1 << 53));
                assert_eq!(said.parse().ok(), number.as_f64());
            }
            (found, said) => panic!("{found:?} is mirrored as {said:?}"),
        }
    }
}

/// Checks headers that we did not write.
pub(super) fn checks(headers: &HeaderMap) {
    for (method, name) in
        [("tools/call", Some("echo")), ("tools/call", None), ("resources/read", Some("\u{e9}")), ("", None)]
    {
        if let Err(refusal) = mirror::check_request(headers, method, name) {
            check_refusal(&refusal);
        } else {
            assert!(headers.get_all(&MCP_METHOD).iter().count() == 1);
        }
        if let Err(refusal) = mirror::check_notification(headers, method) {
            check_refusal(&refusal);
        }
    }
    assert!(mirror::param_headers(headers).all(|(name, _)| headers.contains_key(name)));
    // A header's value may also be posted as a body.
    for value in headers.values() {
        if let Ok(message) = Message::parse(Bytes::copy_from_slice(value.as_bytes()), &Limits::default()) {
            let _ = mirror::mirrored_name(&message);
        }
    }
}

fn refused(outcome: Result<(), crossway_proto::http_rules::Refusal>) {
    let Err(refusal) = outcome else { panic!("what does not match is not refused") };
    check_refusal(&refusal);
    assert_eq!((refusal.status, refusal.code), (StatusCode::BAD_REQUEST, ErrorCode::HEADER_MISMATCH));
}
