//! Peers that send JSON as deep as messages may be, and objects with the same member twice: the machines put it into messages of their
//! own, where it is deeper, and never fail.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

use crossway_era::{from_legacy, to_legacy};
use crossway_proto::{Kind, Limits, Message, Part, RequestId};
use crossway_testkit::message;

/// The deepest value that the text can have in the place of `@`: with one level more, it is no message.
fn deepest(text: &str) -> (String, Message) {
    let value = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let is_message = |depth: &usize| {
        let text = text.replace('@', &value(*depth));
        Message::parse(text.into(), &Limits::default()).is_ok()
    };
    let depth = (100..Limits::DEPTH).rev().find(is_message).unwrap();
    (value(depth), message(text.replace('@', &value(depth))))
}

/// All that can follow on a message must be one that others can read, however deep.
fn assert_has(message: &Message, value: &str) {
    let unbounded = Limits::default().with(|limits| limits.depth = usize::MAX);
    let text = message.to_bytes();
    let read = Message::parse(text.clone(), &unbounded).unwrap();
    assert_eq!(read.kind(), message.kind());
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains(value), "{text}");
}

const OPENED: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"@}}}"#;

fn opened(text: &str) -> to_legacy::Session {
    to_legacy::Session::opened(&message(text)).unwrap()
}

fn modern(method: &str, rest: &str) -> Message {
    message(modern_text(method, rest))
}

fn modern_text(method: &str, rest: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"c","method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{"elicitation":{{"form":{{}},"url":{{}}}},"sampling":{{}},"roots":{{}}}}}},"name":"n"{rest}}}}}"#
    )
}

fn legacy_call() -> to_legacy::Call {
    opened(&OPENED.replace('@', "")).call(&modern("tools/call", "")).unwrap()
}

#[test]
fn the_server_info_of_a_legacy_server_may_be_as_deep_as_a_message() {
    let (value, answer) = deepest(&OPENED.replace('@', r#","x":@"#));
    let session = to_legacy::Session::opened(&answer).unwrap();
    assert_has(&session.discovered(&RequestId::from(1)), &value);
    let mut call = session.call(&modern("tools/call", "")).unwrap();
    let to_legacy::Step::Done(done) = call.handle_reply(message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#))
    else {
        panic!("it is answered")
    };
    assert_has(&done, &value);
}

#[test]
fn what_a_legacy_server_asks_may_be_as_deep_as_a_message() {
    for asked in [
        r#""method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}},"x":@}"#,
        r#""method":"sampling/createMessage","params":{"messages":[{"role":"user","content":@}],"maxTokens":1}"#,
        r#""method":"roots/list","params":{"_meta":{"x":@}}"#,
    ] {
        let (value, asked) = deepest(&format!(r#"{{"jsonrpc":"2.0","id":"q",{asked}}}"#));
        let mut call = legacy_call();
        let to_legacy::Step::Park(question) = call.handle_reply(asked) else { panic!("it parks") };
        assert_has(&call.input_required(&[question], "state"), &value);
    }
}

#[test]
fn what_a_modern_client_answers_may_be_as_deep_as_a_message_or_be_no_result() {
    for (answered, kind) in [
        (r#"{"action":"accept","content":{"x":@}}"#, Kind::Result),
        (r#"{"_meta":{"x":@}}"#, Kind::Result),
        // Within params nobody has looked for it.
        (r#"{"_meta":{},"_meta":{"x":@}}"#, Kind::Error),
        (r#"{"protocolVersion":1,"protocolVersion":@}"#, Kind::Error),
    ] {
        let mut call = legacy_call();
        let ask = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#;
        let to_legacy::Step::Park(question) = call.handle_reply(message(ask)) else { panic!("it parks") };
        let rest = format!(r#","inputResponses":{{"ask-1":{answered}}},"requestState":"s""#);
        let (value, second) = deepest(&modern_text("tools/call", &rest));
        let answers = call.handle_again(&second, &mut vec![question]);
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(answer.kind(), kind);
        assert_has(answer, if kind == Kind::Result { &value } else { "twice" });
    }
}

#[test]
fn the_errors_and_results_of_a_legacy_server_may_be_as_deep_as_a_message() {
    for answered in [
        r#""error":{"code":-32002,"message":"m","data":@}"#,
        r#""error":{"code":-32042,"message":"m","data":@}"#,
        r#""error":{"code":-32030,"message":"m","data":@}"#,
        r#""error":{"code":-1,"message":"m","data":@}"#,
        r#""result":{"content":[@]}"#,
        r#""result":{"structuredContent":@,"_meta":{"x":@}}"#,
    ] {
        let (value, answered) = deepest(&format!(r#"{{"jsonrpc":"2.0","id":"c",{answered}}}"#));
        let to_legacy::Step::Done(done) = legacy_call().handle_reply(answered) else {
            panic!("it is answered")
        };
        assert_has(&done, &value);
    }
    let url = r#""error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"u:1","message":"m"}],"x":@}}"#;
    let (_, answered) = deepest(&format!(r#"{{"jsonrpc":"2.0","id":"c",{url}}}"#));
    let mut call = legacy_call();
    let to_legacy::Step::ElicitUrls(questions) = call.handle_reply(answered) else { panic!("it asks") };
    assert_has(&call.input_required(&questions, "s"), "u:1");
}

/// The session of a legacy client, and a call of it.
fn modern_call(call: &str) -> from_legacy::Call {
    let initialize = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{"sampling":{},"elicitation":{},"roots":{}},"clientInfo":{"name":"c","version":"1"}}}"#;
    let mut session = from_legacy::Session::new();
    let from_legacy::ClientAction::Discover(discover) = session.handle_message(message(initialize)) else {
        panic!("it discovers")
    };
    let id = discover.id().unwrap();
    let discovered = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#;
    session.handle_discovered(&Message::result_of(&id, discovered.as_bytes()).unwrap()).unwrap();
    match session.handle_message(message(call)) {
        from_legacy::ClientAction::Call(call) => call,
        other => panic!("{other:?}"),
    }
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"n"@}}"#;

fn asked(call: &mut from_legacy::Call, asks: Message) -> Vec<Message> {
    match call.handle_reply(asks, || RequestId::from("q")) {
        from_legacy::Step::Ask(asked) => asked,
        other => panic!("{other:?}"),
    }
}

const ASKS: &str = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1@}}},"requestState":"s"}}"#;

#[test]
fn what_a_modern_server_asks_and_keeps_may_be_as_deep_as_a_message() {
    let (value, asks) = deepest(&ASKS.replace('@', r#","x":@"#));
    let mut call = modern_call(&CALL.replace('@', ""));
    assert_has(&asked(&mut call, asks)[0], &value);
    // What it keeps goes back.
    let asks = ASKS.replace('@', "").replace(r#""requestState":"s""#, r#""requestState":@"#);
    let (value, asks) = deepest(&asks);
    let mut call = modern_call(&CALL.replace('@', ""));
    asked(&mut call, asks);
    let answer = message(r#"{"jsonrpc":"2.0","id":"q","result":{}}"#);
    let Some(from_legacy::Step::Again(again)) = call.handle_response(&answer) else {
        panic!("it calls again")
    };
    assert_has(&again, &value);
}

#[test]
fn what_a_legacy_client_answers_may_be_as_deep_as_a_message() {
    for (answered, is_error) in
        [(r#""result":{"x":@}"#, false), (r#""error":{"code":-1,"message":"no","data":@}"#, true)]
    {
        let (value, answer) = deepest(&format!(r#"{{"jsonrpc":"2.0","id":"q",{answered}}}"#));
        let mut call = modern_call(&CALL.replace('@', ""));
        asked(&mut call, message(ASKS.replace('@', "")));
        match call.handle_response(&answer).unwrap() {
            from_legacy::Step::Again(again) if !is_error => assert_has(&again, &value),
            from_legacy::Step::Done(done) if is_error => {
                assert_has(&done, &value);
                // Every byte of it is the client's.
                let error = String::from_utf8(answer.error().unwrap().to_vec()).unwrap();
                assert_has(&done, &format!(r#""clientError":{error}"#));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_legacy_client_and_its_calls_may_be_as_deep_as_a_message() {
    let initialize = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"sampling":{"x":@},"experimental":{"x":@}},"clientInfo":{"name":"c","version":"1","x":@}}}"#;
    let (value, initialize) = deepest(initialize);
    let mut session = from_legacy::Session::new();
    let from_legacy::ClientAction::Discover(discover) = session.handle_message(initialize) else {
        panic!("it discovers")
    };
    assert_has(&discover, &value);
    let discovered = r#"{"jsonrpc":"2.0","id":"crossway-1","result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"x":1}},"_meta":{"io.modelcontextprotocol/serverInfo":{"x":@}}}}"#;
    let (value, discovered) = deepest(discovered);
    let mut discovered = discovered;
    discovered.set_id(&discover.id().unwrap());
    let answer = session.handle_discovered(&discovered).unwrap();
    assert_eq!(answer.kind(), Kind::Result);
    assert_has(&answer, &value);
    let (value, call) = deepest(&CALL.replace('@', r#","arguments":@"#));
    let from_legacy::ClientAction::Call(call) = session.handle_message(call) else { panic!("it calls") };
    assert_has(&call.request(), &value);
    assert!(call.request().member(Part::Meta, "io.modelcontextprotocol/clientInfo").is_some());
}

#[test]
fn the_errors_and_results_of_a_modern_server_may_be_as_deep_as_a_message() {
    for answered in [
        r#""error":{"code":-32602,"message":"m","data":@}"#,
        r#""error":{"code":-32020,"message":"m","data":@}"#,
        r#""error":{"code":-32021,"message":"m","data":@}"#,
        r#""result":{"resultType":"complete","content":[],"structuredContent":@}"#,
        r#""result":{"resultType":"complete","content":[{"type":"audio","data":"x"},{"type":"text","text":"t","x":@}]}"#,
    ] {
        let (value, answered) = deepest(&format!(r#"{{"jsonrpc":"2.0","id":"c",{answered}}}"#));
        let mut call = modern_call(&CALL.replace('@', ""));
        match call.handle_reply(answered, || RequestId::from("q")) {
            from_legacy::Step::Done(done) => assert_has(&done, &value),
            other => panic!("{other:?}"),
        }
    }
}
