//! What is a message, what is none, and that nothing but a splice changes one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use crossway_proto::{
    Ambiguous, ErrorCode, ErrorObject, Incoming, Kind, Limits, Message, ParseError, Part, RequestId,
};
use crossway_testkit::corpus;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
}

#[test]
fn odd_requests_come_out_as_they_went_in() {
    for text in corpus::ODD_REQUESTS {
        let mut message = parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(message.kind(), Kind::Request);
        assert_eq!(message.to_bytes(), *text);
        let id = message.id().unwrap();
        message.set_id(&RequestId::from(4_294_967_297));
        assert_ne!(message.to_bytes(), *text);
        assert_eq!(message.len(), message.to_bytes().len());
        assert_eq!(message.chunks().collect::<Vec<_>>().concat(), message.to_bytes());
        message.set_id(&id);
        assert_eq!(message.to_bytes(), *text, "the id that came is put back byte for byte");
    }
}

#[test]
fn odd_results_come_out_as_they_went_in() {
    for result in corpus::ODD_RESULTS {
        let text = format!(r#"{{"result":{result},"id":"a", "jsonrpc":"2.0"}}"#);
        let message = parse(&text).unwrap();
        assert_eq!((message.kind(), message.result()), (Kind::Result, Some(result.as_bytes())));
        assert_eq!(message.to_bytes(), text);
    }
}

#[test]
fn what_is_no_message_is_refused_with_a_reason() {
    for (what, text) in corpus::NOT_MESSAGES {
        let error = Message::parse(Bytes::from_static(text), &Limits::default()).expect_err(what);
        assert!([ErrorCode::PARSE_ERROR, ErrorCode::INVALID_REQUEST].contains(&error.code()), "{what}");
    }
}

#[test]
fn members_are_found_where_they_count_and_nowhere_else() {
    let message = parse(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"no","_meta":{"progressToken":9}},
           "name":"yes","uri":"u","_meta":{"progressToken":"t","io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
    )
    .unwrap();
    assert_eq!(message.name().as_deref(), Some("yes"));
    assert_eq!(message.progress_token(), Some(RequestId::from("t")));
    assert_eq!(message.meta_version().as_deref(), Some("2026-07-28"));
    let message =
        parse(r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"name":"n","uri":"u:\u002f"}}"#)
            .unwrap();
    assert_eq!(message.name().as_deref(), Some("u:/"));
    let escaped =
        parse(r#"{"jsonrpc":"2.0","id":1,"meth\u006fd":"to\u006fls/call","p\u0061rams":{"n\u0061me":"x"}}"#)
            .unwrap();
    assert!(escaped.is_method("tools/call"));
    assert_eq!(escaped.name().as_deref(), Some("x"));
}

#[test]
fn a_method_is_itself_alone_however_long_it_is() {
    let long = "a/method-of-more-than-sixteen-bytes";
    let methods: Vec<&str> = (1..=long.len()).map(|length| &long[..length]).collect();
    for method in &methods {
        let message = parse(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#)).unwrap();
        assert_eq!(message.method().as_deref(), Some(*method));
        for other in &methods {
            assert_eq!(message.is_method(other), method == other, "{method} {other}");
        }
        for at in 0..method.len() {
            let changed = format!("{}_{}", &method[..at], &method[at + 1..]);
            assert!(!message.is_method(&changed), "{method} {changed}");
        }
    }
}

#[test]
fn several_spans_are_spliced_at_once() {
    let mut message =
        parse(r#"{"jsonrpc":"2.0","params":{"_meta":{"progressToken":1}},"method":"m","id":"a"}"#).unwrap();
    message.set_id(&RequestId::from(10));
    message.set_progress_token(&RequestId::from("token"));
    assert_eq!(
        message.to_bytes(),
        r#"{"jsonrpc":"2.0","params":{"_meta":{"progressToken":"token"}},"method":"m","id":10}"#
    );
    assert_eq!((message.id(), message.progress_token()), (Some(10.into()), Some("token".into())));
}

#[test]
fn bounds_hold_and_what_reaches_them_passes() {
    let limits = Limits::default().with(|limits| {
        (limits.message_bytes, limits.depth, limits.id_bytes, limits.batch_messages) = (200, 10, 8, 2);
    });
    let check = |text: String| Message::parse(Bytes::from(text), &limits);
    assert!(check(corpus::nested(10)).is_ok());
    assert_eq!(check(corpus::nested(11)).unwrap_err(), ParseError::TooDeep { limit: 10 });
    let shallow = |depth, text: &'static str| {
        Message::parse(Bytes::from(text), &limits.with(|limits| limits.depth = depth))
    };
    for (depth, text) in [
        (1, r#"{"jsonrpc":"2.0","method":"m"}"#),
        (2, r#"{"jsonrpc":"2.0","method":"m","params":{}}"#),
        (2, r#"{"jsonrpc":"2.0","method":"m","params":[]}"#),
        (3, r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":{}}}"#),
        (3, r#"{"jsonrpc":"2.0","method":"m","params":{"_meta":[]}}"#),
        (4, r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":{}}}}"#),
    ] {
        assert!(shallow(depth, text).is_ok(), "{text}");
        assert_eq!(shallow(depth - 1, text), Err(ParseError::TooDeep { limit: depth - 1 }), "{text}");
    }
    assert!(check(format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#, "a".repeat(6))).is_ok());
    assert!(check(format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#, "a".repeat(7))).is_err());
    assert_eq!(check(corpus::call_with_text(1, 200)).unwrap_err(), ParseError::TooLong { limit: 200 });
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
    assert!(Incoming::parse(Bytes::from(format!("[{ping},{ping}]")), &limits).is_ok());
    assert!(Incoming::parse(Bytes::from(format!("[{ping},{ping},{ping}]")), &limits).is_err());
    // A bound on depth is a bound on the stack too.
    let deep = "[".repeat(1_000_000);
    assert!(
        Message::parse(Bytes::from(format!(r#"{{"jsonrpc":"2.0","a":{deep}"#)), &Limits::default()).is_err()
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_message() {
    let message = parse("\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"m\"}").unwrap();
    assert_eq!(message.to_bytes(), r#"{"jsonrpc":"2.0","method":"m"}"#);
    let twice = Bytes::from("\u{feff}\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
    assert!(Message::parse(twice.clone(), &Limits::default()).is_err());
    assert!(Incoming::parse(twice, &Limits::default()).is_err());
}

#[test]
fn what_is_no_id_is_not_replaced_by_one() {
    let id = RequestId::from(7);
    let text =
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":{}},"requestId":[1]}}"#;
    let mut request = parse(text).unwrap();
    request.set_progress_token(&id);
    request.set_cancelled_id(&id);
    assert_eq!((request.progress_token(), request.cancelled_id()), (None, None));
    assert_eq!(request.to_bytes(), text);
    let mut error = parse(r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#).unwrap();
    error.set_id(&id);
    assert_eq!(error.id(), Some(id), "a null id is a place for one");
}

#[test]
fn a_batch_is_taken_apart() {
    let text = r#" [ {"jsonrpc":"2.0","id":1,"method":"a"} ,{"jsonrpc":"2.0","method":"b"}] "#;
    let Incoming::Batch(messages) = Incoming::parse(Bytes::from(text), &Limits::default()).unwrap() else {
        panic!("no batch");
    };
    assert_eq!(messages[0].to_bytes(), r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#);
    assert_eq!(messages[1].kind(), Kind::Notification);
    for bad in ["[]", "[1]", "[{}]", "[{},", "[] x"] {
        assert!(Incoming::parse(Bytes::from(bad), &Limits::default()).is_err(), "{bad}");
    }
}

#[test]
fn messages_of_our_own_are_written_as_json_rpc_has_them() {
    let error =
        ErrorObject::new(ErrorCode::PARSE_ERROR, "it says \"no\"").with_data(&serde_json::json!({"a": 1}));
    assert_eq!(
        Message::error_of(None, &error).to_bytes(),
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"it says \"no\"","data":{"a":1}}}"#
    );
    assert!(Message::result_of(&RequestId::from(1), b"{").is_err());
}

#[test]
fn debug_shows_no_payload() {
    let message = parse(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"secret":"hunter2"}}"#).unwrap();
    assert!(!format!("{message:?}").contains("hunter2"));
}

/// Any JSON value, as text in odd spacing.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    leaf.prop_recursive(4, 64, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(" ,\t"))),
            prop::collection::vec((any::<String>(), inner), 0..5).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(k, v)| format!("{} :\n{v}", serde_json::Value::from(k)))
                    .collect();
                format!("{{ {} }}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn the_scan_agrees_with_serde_json_on_valid_text(value in json()) {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{value}}}"#);
        let message = parse(&text).unwrap();
        prop_assert_eq!(message.result().unwrap(), value.as_bytes());
        prop_assert_eq!(message.to_bytes(), text);
    }

    #[test]
    fn the_scan_agrees_with_serde_json_on_damaged_text(value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"p":{value}}}}}"#).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let reference = std::str::from_utf8(&text).is_ok()
            && serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
        match Message::parse(Bytes::from(text.clone()), &Limits::default()) {
            Ok(_) => prop_assert!(reference, "accepted what is no JSON: {}", String::from_utf8_lossy(&text)),
            Err(ParseError::NotUtf8 | ParseError::NotJson { .. }) => {
                prop_assert!(!reference, "refused valid JSON: {}", String::from_utf8_lossy(&text));
            }
            Err(_) => {}
        }
    }
}

#[test]
fn what_decisions_look_at_is_found_without_a_walk_and_twice_is_told() {
    let capabilities =
        r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{}}},"arguments":{"a":1}}"#;
    for (params, arguments, state) in [
        ("{}", Ok(None), Ok(None)),
        (r#"{"name":"n","arguments":{"arguments":1}}"#, Ok(Some(r#"{"arguments":1}"#)), Ok(None)),
        (r#"{"argument\u0073": [1] ,"requestState":"s"}"#, Ok(Some("[1]")), Ok(Some("\"s\""))),
        (r#"{"arguments":1,"requestState":"s","argument\u0073":1}"#, Err(Ambiguous), Ok(Some("\"s\""))),
        (r#"{"requestState":"s","requestState":"s"}"#, Ok(None), Err(Ambiguous)),
        (r#"{"_meta":{"arguments":1,"requestState":1}}"#, Ok(None), Ok(None)),
        (capabilities, Ok(Some(r#"{"a":1}"#)), Ok(None)),
        (r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#, Ok(None), Ok(None)),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        assert_eq!(message.arguments(), arguments.map(|json| json.map(str::as_bytes)), "{params}");
        assert_eq!(
            message.request_state(),
            state.map(|json: Option<&str>| json.map(str::as_bytes)),
            "{params}"
        );
        let said = message.member(Part::Meta, "io.modelcontextprotocol/clientCapabilities");
        assert_eq!(message.client_capabilities(), said.filter(|json| *json != b"{}"), "{params}");
    }
}
