use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn params() -> ParamHeaders {
    let of = |kind: &str, label: &str| json!({ "type": kind, "x-mcp-header": label });
    let schema = json!({ "properties": {
        "region": of("string", "Region"),
        "priority": of("integer", "Priority"),
        "verbose": of("boolean", "Verbose"),
        "query": { "type": "string" },
        "filter": { "properties": { "id": of("string", "Filter-Id"), "a": { "properties": { "b": of("string", "B") } } } },
    } });
    ParamHeaders::of_schema(schema.to_string().as_bytes()).unwrap()
}

/// The headers for these arguments, sorted.
fn added(arguments: &str) -> Result<Vec<(String, String)>, Unmirrorable> {
    let mut headers = HeaderMap::new();
    params().add_headers(&mut headers, Some(arguments.as_bytes()))?;
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let mut all: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    all.sort();
    Ok(all)
}

fn passes(pairs: &[(&str, &[u8])], arguments: &str) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    match params().check(&headers, Some(arguments.as_bytes())) {
        Ok(()) => true,
        Err(refusal) => {
            assert_eq!((refusal.status.as_u16(), refusal.code.0), (400, -32020));
            false
        }
    }
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[test]
fn arguments_are_mirrored_by_their_kind() {
    let arguments = r#"{"query": "SELECT 1", "region": "us-west1", "priority": 42.0, "verbose": false,
        "filter": {"other": [1e999], "id": "é", "a": {"b": ""}}}"#;
    assert_eq!(
        added(arguments).unwrap(),
        pairs([
            ("mcp-param-b", ""),
            ("mcp-param-filter-id", "=?base64?w6k=?="),
            ("mcp-param-priority", "42"),
            ("mcp-param-region", "us-west1"),
            ("mcp-param-verbose", "false"),
        ])
    );
    assert_eq!(
        added(r#"{"\u0072egion": "\u0041", "priority": -7}"#).unwrap(),
        pairs([("mcp-param-priority", "-7"), ("mcp-param-region", "A"),])
    );
}

#[test]
fn null_and_absent_arguments_have_no_header() {
    for arguments in
        ["{}", r#"{"region": null, "filter": null}"#, r#"{"filter": {"id": null, "a": 1e999}}"#, "[]", "null"]
    {
        assert_eq!(added(arguments).unwrap(), [], "{arguments}");
        assert!(passes(&[], arguments), "{arguments}");
        assert!(!passes(&[("mcp-param-region", b"null")], arguments), "{arguments}");
    }
    assert!(params().check(&HeaderMap::new(), None).is_ok());

    let mut headers = HeaderMap::new();
    headers.insert("mcp-param-region", HeaderValue::from_static("left over"));
    headers.insert("mcp-param-else", HeaderValue::from_static("not ours"));
    params().add_headers(&mut headers, None).unwrap();
    assert!(!headers.contains_key("mcp-param-region") && headers.contains_key("mcp-param-else"));
}

#[test]
fn arguments_that_no_header_can_mirror_are_refused() {
    let header = HeaderName::from_static("mcp-param-region");
    for value in ["1.5", "9007199254740992", "1e999", "{}", "[]", r#""\ud800""#] {
        let arguments = format!(r#"{{"region": {value}}}"#);
        let expected = Unmirrorable::NotPrimitive { header: header.clone() };
        assert_eq!(added(&arguments), Err(expected), "{value}");
        assert!(!passes(&[("mcp-param-region", value.as_bytes())], &arguments), "{value}");
        assert!(!passes(&[], &arguments), "{value}");
    }
    for twice in [
        r#"{"region": "a", "region": "b"}"#,
        r#"{"region": "b", "region": null}"#,
        r#"{"region": null, "r\u0065gion": "b"}"#,
    ] {
        assert_eq!(added(twice), Err(Unmirrorable::Repeated { header: header.clone() }));
        assert!(!passes(&[("mcp-param-region", b"b")], twice));
    }
    for twice in [r#"{"filter": {"id": "b"}, "filter": {}}"#, r#"{"filter": 1, "filter": {"id": "b"}}"#] {
        assert!(matches!(added(twice), Err(Unmirrorable::Repeated { .. })), "{twice}");
        assert!(!passes(&[("mcp-param-filter-id", b"b")], twice), "{twice}");
    }
    assert_eq!(added("{\"region\""), Err(Unmirrorable::NotJson));
    assert!(!passes(&[], "{\"region\""));
}

#[test]
fn a_header_says_what_the_body_says() {
    let arguments = r#"{"region": "Hello", "priority": 42, "verbose": true}"#;
    let said = |region: &[u8], priority: &[u8], verbose: &[u8]| {
        let pairs =
            [("Mcp-Param-Region", region), ("mcp-param-PRIORITY", priority), ("mcp-param-verbose", verbose)];
        passes(&pairs, arguments)
    };
    assert!(said(b"Hello", b"42", b"true"));
    assert!(said(b" Hello ", b"42.0", b"=?base64?dHJ1ZQ==?="));
    assert!(said(b"=?base64?SGVsbG8=?=", b"4.2e1", b"true"));
    assert!(!said(b"hello", b"42", b"true"));
    assert!(!said(b"=?base64?SGVsbG8?=", b"42", b"true"));
    assert!(!said(b"=?base64?SGVs!!!bG8=?=", b"42", b"true"));
    assert!(!said(b"Hello\xff", b"42", b"true"));
    assert!(!said(b"Hello", b"43", b"true"));
    assert!(!said(b"Hello", b"042", b"true"));
    assert!(!said(b"Hello", b"42", b"True"));
    assert!(!said(b"Hello", b"42", b"1"));
    assert!(
        !passes(&[("mcp-param-priority", b"42"), ("mcp-param-verbose", b"true")], arguments),
        "one is missing"
    );
    let literal = r#"{"region": "=?base64?SGVsbG8="}"#;
    assert!(passes(&[("mcp-param-region", b"=?base64?SGVsbG8=")], literal));
    assert!(!passes(&[("mcp-param-region", b"a"), ("mcp-param-region", b"a")], r#"{"region": "a"}"#));
}

#[test]
fn headers_that_no_annotation_asks_for_are_ignored() {
    assert!(passes(&[("mcp-param-unknown", b"\xff")], "{}"));
    let none = ParamHeaders::of_schema(br#"{"type": "object"}"#).unwrap();
    assert!(none.is_empty());
    assert!(none.check(&HeaderMap::new(), Some(b"not even JSON")).is_ok());
}

#[test]
fn names_that_no_text_can_hold_do_not_matter() {
    assert!(passes(&[("mcp-param-region", b"a")], r#"{"\ud800": 1, "region": "a"}"#));
}

#[test]
fn a_refusal_does_not_repeat_values() {
    let mut headers = HeaderMap::new();
    headers.insert("mcp-param-region", HeaderValue::from_static("secret"));
    let refusal = params().check(&headers, Some(br#"{"region": "private"}"#)).unwrap_err();
    let text = format!("{refusal} {refusal:?}");
    assert!(text.contains("mcp-param-region") && !text.contains("secret") && !text.contains("private"));
}

fn argument() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

proptest! {
    #[test]
    fn headers_that_were_added_pass(region in argument(), priority in argument(), id in argument(), other in argument()) {
        let arguments = json!({ "region": region, "priority": priority, "filter": { "id": id }, "query": other });
        let arguments = arguments.to_string();
        let mut headers = HeaderMap::new();
        params().add_headers(&mut headers, Some(arguments.as_bytes())).unwrap();
        prop_assert_eq!(params().check(&headers, Some(arguments.as_bytes())), Ok(()));
        let mirrored = [&region, &priority, &id].into_iter().filter(|value| !value.is_null()).count();
        prop_assert_eq!(headers.len(), mirrored);
    }
}
