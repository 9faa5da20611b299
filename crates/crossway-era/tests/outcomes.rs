//! Each error that the machines make as the answer to a call says what is known of the call.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

use crossway_era::{SubscriptionFilter, from_legacy, to_legacy};
use crossway_proto::{ErrorObject, Message, RequestId};
use crossway_testkit::message;
use serde_json::Value;

fn outcome(answer: &Message) -> String {
    let error: Value = serde_json::from_slice(answer.error().unwrap()).unwrap();
    error["data"]["outcome"].as_str().unwrap_or_else(|| panic!("{error} has no outcome")).to_owned()
}

fn outcome_of(error: &ErrorObject) -> String {
    outcome(&Message::error_of(Some(&RequestId::from(1)), error))
}

const NOT_SENT: &str = "not sent";
const UNKNOWN: &str = "sent, unknown";
const ANSWERED: &str = "answered with an error";

fn initialize(client: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{"sampling":{{}}}},"clientInfo":{{"name":"{client}","version":"1"}}}}}}"#
    )
}

/// A legacy client's session, open.
fn open() -> from_legacy::Session {
    let mut session = from_legacy::Session::new();
    let from_legacy::ClientAction::Discover(discover) = session.handle_message(message(initialize("c")))
    else {
        panic!("it discovers")
    };
    let discovered = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"logging":{},"resources":{"subscribe":true}}}"#;
    session
        .handle_discovered(&Message::result_of(&discover.id().unwrap(), discovered.as_bytes()).unwrap())
        .unwrap();
    session
}

fn request(method: &str, params: &str) -> Message {
    message(format!(r#"{{"jsonrpc":"2.0","id":"c","method":"{method}","params":{params}}}"#))
}

#[test]
fn what_a_legacy_client_is_refused_at_once_was_not_sent() {
    let refused = |session: &mut from_legacy::Session, request: Message| {
        let text = format!("{request:?}");
        match session.handle_message(request) {
            from_legacy::ClientAction::Answered(answer) => assert_eq!(outcome(&answer), NOT_SENT, "{text}"),
            other => panic!("{other:?}"),
        }
    };
    let mut fresh = from_legacy::Session::new();
    refused(&mut fresh, request("tools/list", "{}"));
    refused(&mut fresh, message(initialize(&"c".repeat(1 << 20))));
    let mut session = open();
    let long = format!(r#"{{"uri":"{}"}}"#, "u".repeat(1 << 20));
    for (method, params) in [
        ("logging/setLevel", r#"{"level":"loud"}"#),
        ("resources/subscribe", "{}"),
        ("resources/subscribe", &long),
        ("tasks/list", "{}"),
        ("server/discover", "{}"),
        ("tools/call", "[]"),
    ] {
        refused(&mut session, request(method, params));
    }
    for number in 0.. {
        match session.handle_message(request("resources/subscribe", &format!(r#"{{"uri":"u:{number}"}}"#))) {
            from_legacy::ClientAction::Answered(answer) => {
                assert_eq!(outcome(&answer), NOT_SENT);
                break;
            }
            _ => assert!(number < 100_000, "there is a bound"),
        }
    }
}

#[test]
fn what_a_modern_server_answers_a_legacy_client_in_vain_is_answered_with_an_error() {
    let mut session = from_legacy::Session::new();
    let from_legacy::ClientAction::Discover(discover) = session.handle_message(message(initialize("c")))
    else {
        panic!("it discovers")
    };
    let useless = Message::result_of(&discover.id().unwrap(), b"{}").unwrap();
    assert_eq!(outcome(&session.handle_discovered(&useless).unwrap()), ANSWERED);

    let call = |method: &str| match open().handle_message(request(method, r#"{"name":"n"}"#)) {
        from_legacy::ClientAction::Call(call) => call,
        other => panic!("{other:?}"),
    };
    for (method, result) in [
        ("tools/call", r#""resultType":"other""#),
        ("tools/call", r#""resultType":"input_required""#),
        ("tools/call", r#""resultType":"input_required","inputRequests":5"#),
        (
            "tools/call",
            r#""resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create"}}"#,
        ),
        ("tools/list", r#""resultType":"input_required","requestState":"s""#),
    ] {
        let answer = message(format!(r#"{{"jsonrpc":"2.0","id":"c","result":{{{result}}}}}"#));
        match call(method).handle_reply(answer, || RequestId::from("q")) {
            from_legacy::Step::Done(done) => assert_eq!(outcome(&done), ANSWERED, "{result}"),
            other => panic!("{other:?}"),
        }
    }
    let mut call = call("tools/call");
    let asks = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{}}}}}"#;
    assert!(matches!(call.handle_reply(message(asks), || RequestId::from("q")), from_legacy::Step::Ask(_)));
    let refused = message(r#"{"jsonrpc":"2.0","id":"q","error":{"code":-1,"message":"no","data":1.50}}"#);
    let Some(from_legacy::Step::Done(done)) = call.handle_response(&refused) else { panic!("it ends") };
    assert_eq!(outcome(&done), ANSWERED);
    let text = String::from_utf8(done.to_bytes().to_vec()).unwrap();
    assert!(text.contains(r#""clientError":{"code":-1,"message":"no","data":1.50}"#), "{text}");
}

fn modern(version: &str, capabilities: &str, method: &str, rest: &str) -> Message {
    message(format!(
        r#"{{"jsonrpc":"2.0","id":"c","method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{capabilities}{rest}}},"name":"n"}}}}"#
    ))
}

fn legacy_server() -> to_legacy::Session {
    let opened = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;
    to_legacy::Session::opened(&message(opened)).unwrap()
}

#[test]
fn what_a_modern_client_is_refused_at_once_was_not_sent() {
    let long = format!(r#","io.modelcontextprotocol/clientInfo":{{"name":"{}"}}"#, "c".repeat(1 << 20));
    for refused in [
        request("tools/list", "{}"),
        modern("2025-11-25", "{}", "tools/list", ""),
        modern("2026-07-28", "5", "tools/list", ""),
        modern("2026-07-28", "{}", "tools/list", &long),
    ] {
        assert_eq!(outcome_of(&to_legacy::check(&refused).unwrap_err()), NOT_SENT);
    }
    for refused in [
        modern("2026-07-28", "{}", "tasks/list", ""),
        modern("2026-07-28", "{}", "tools/list", r#","io.modelcontextprotocol/logLevel":"loud""#),
        request("tools/list", "[]"),
    ] {
        assert_eq!(outcome_of(&legacy_server().call(&refused).unwrap_err()), NOT_SENT);
    }
    let filter = request("subscriptions/listen", r#"{"notifications":5}"#);
    assert_eq!(outcome_of(&SubscriptionFilter::of(&filter).unwrap_err()), NOT_SENT);
    let declined = request("tools/call", r#"{"inputResponses":{"a":{"action":"decline"}}}"#);
    assert_eq!(outcome(&to_legacy::url_elicitation_refused(&declined).unwrap()), NOT_SENT);
}

#[test]
fn a_legacy_server_that_asks_a_client_that_can_not_be_asked_has_seen_the_call() {
    let call = || legacy_server().call(&modern("2026-07-28", r#"{"roots":{}}"#, "tools/call", "")).unwrap();
    let asks = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#;
    let to_legacy::Step::Refuse(answer, _) = call().handle_reply(message(asks)) else {
        panic!("it is refused")
    };
    assert_eq!(outcome(&answer), UNKNOWN);
    let urls = r#"{"jsonrpc":"2.0","id":"c","error":{"code":-32042,"message":"m","data":{"elicitations":[{"url":"u:1","message":"m"}]}}}"#;
    let to_legacy::Step::Done(answer) = call().handle_reply(message(urls)) else { panic!("it ends") };
    assert_eq!(outcome(&answer), ANSWERED);
}
