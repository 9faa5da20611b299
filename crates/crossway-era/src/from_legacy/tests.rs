use crossway_testkit::{message, text};

use super::*;

mod interleaving;
mod questions;
mod revisions;

const TOOL: &str = r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"n"}}"#;
const ASKS: &str = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","inputRequests":{"b":{"method":"roots/list"},"a":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{"z":1,"a":2}}}},"requestState":"s\u0074"}}"#;

const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{},"completions":{},"extensions":{"a/b":{}}},"instructions":"be \u006bind","ttlMs":1,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1","x":1.0}}}"#;

fn initialize(revision: &str, capabilities: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"{revision}","capabilities":{capabilities},"clientInfo":{{"name":"c","version":"2"}}}}}}"#
    )
}

/// The server's answer to `server/discover`.
fn discovered(discover: &Message) -> Message {
    Message::result_of(&discover.id().unwrap(), DISCOVERED.as_bytes()).unwrap()
}

/// An open session, and the answer to its `initialize`.
fn open(revision: &str, capabilities: &str) -> (Session, String) {
    let mut session = Session::new();
    let ClientAction::Discover(discover) =
        session.handle_message(message(initialize(revision, capabilities)))
    else {
        panic!("initialize has to wait for discovery")
    };
    assert!(discover.is_method("server/discover"));
    assert_eq!(discover.meta_version().as_deref(), Some("2026-07-28"));
    let answer = session.handle_discovered(&discovered(&discover)).unwrap();
    (session, text(&answer))
}

fn answered(session: &mut Session, request: &str) -> String {
    match session.handle_message(message(request)) {
        ClientAction::Answered(answer) => text(&answer),
        other => panic!("{request}: {other:?}"),
    }
}

fn call(session: &mut Session, request: &str) -> Call {
    match session.handle_message(message(request)) {
        ClientAction::Call(call) => call,
        other => panic!("{request}: {other:?}"),
    }
}

/// Our own ids: q1, q2 and so on.
fn ids() -> impl FnMut() -> RequestId {
    let mut next = 0;
    move || {
        next += 1;
        RequestId::from(format!("q{next}").as_str())
    }
}

#[test]
fn initialize_is_answered_from_discovery() {
    let (session, answer) = open("2025-06-18", "{}");
    assert_eq!(
        answer,
        r#"{"jsonrpc":"2.0","id":"i","result":{"protocolVersion":"2025-06-18","capabilities":{"completions":{},"logging":{},"resources":{"subscribe":true},"tools":{"listChanged":true}},"serverInfo":{"name":"s","version":"1","x":1.0},"instructions":"be \u006bind"}}"#
    );
    assert_eq!(session.revision(), Some(Revision::V2025_06_18));
}

#[test]
fn a_client_is_offered_the_revision_that_it_asked_for_if_that_is_a_legacy_one() {
    for (asked, offered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        assert!(open(asked, "{}").1.contains(&format!(r#""protocolVersion":"{offered}""#)), "{asked}");
    }
    assert!(!open("2024-11-05", "{}").1.contains("completions"));
}

#[test]
fn an_error_of_discovery_is_the_answer_and_the_client_may_try_again() {
    let mut session = Session::new();
    for (error, passed) in [
        (r#"{"code":-32603,"message":"m","data":1.0}"#, r#"{"code":-32603,"message":"m","data":1.0}"#),
        // Codes that legacy clients don't know are replaced here too.
        (
            r#"{"code":-32022,"message":"m","data":{"supported":[]}}"#,
            r#"{"code":-32603,"message":"m","data":{"code":-32022,"data":{"supported":[]}}}"#,
        ),
        (r#"{"code":-32602,"message":"m"}"#, r#"{"code":-32602,"message":"m"}"#),
    ] {
        let discover = asks_for_discovery(&mut session, "i");
        let error = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, discover.id().unwrap());
        let answer = session.handle_discovered(&message(&error)).unwrap();
        assert_eq!(text(&answer), format!(r#"{{"jsonrpc":"2.0","id":"i","error":{passed}}}"#));
        assert_eq!(session.revision(), None);
    }
    asks_for_discovery(&mut session, "i");
}

/// Sends `initialize` with this id.
fn asks_for_discovery(session: &mut Session, id: &str) -> Message {
    let request = initialize("2025-11-25", "{}").replace(r#""id":"i""#, &format!(r#""id":"{id}""#));
    match session.handle_message(message(&request)) {
        ClientAction::Discover(discover) => discover,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_initializes_again_gets_the_answer_to_its_last_attempt() {
    let mut session = Session::new();
    let first = asks_for_discovery(&mut session, "first");
    let second = asks_for_discovery(&mut session, "second");
    assert!(session.handle_discovered(&discovered(&first)).is_none());
    let answer = session.handle_discovered(&discovered(&second)).unwrap();
    assert_eq!(answer.id(), Some(RequestId::from("second")));
    assert!(session.handle_discovered(&discovered(&second)).is_none());
}

#[test]
fn a_server_without_the_revision_that_is_spoken_is_told_apart() {
    let mut session = Session::new();
    let discover = asks_for_discovery(&mut session, "i");
    let newer = DISCOVERED.replace(r#"["2026-07-28"]"#, r#"["2027-01-01"]"#);
    let answer = Message::result_of(&discover.id().unwrap(), newer.as_bytes()).unwrap();
    let answer = text(&session.handle_discovered(&answer).unwrap());
    assert!(answer.contains("-32603") && answer.contains("no revision"), "{answer}");
    assert_eq!(session.revision(), None);
}

#[test]
fn before_initialize_only_ping_is_answered() {
    let mut session = Session::new();
    let ping = answered(&mut session, r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#);
    assert_eq!(ping, r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#);
    let early = answered(&mut session, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert!(early.contains("-32600") && early.contains("send initialize first"), "{early}");
}

#[test]
fn each_request_says_who_asks_and_keeps_what_it_says_itself() {
    let (mut session, _) = open("2025-11-25", r#"{"sampling":{},"tasks":{"list":{}}}"#);
    let request = r#"{"jsonrpc":"2.0","id":1e0,"method":"tools/call","params":{"name":"n","arguments":{"x":1.50},"_meta":{"progressToken":"p","traceparent":"t"}}}"#;
    assert_eq!(
        text(&call(&mut session, request).request()),
        r#"{"jsonrpc":"2.0","id":1e0,"method":"tools/call","params":{"name":"n","arguments":{"x":1.50},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"2"},"io.modelcontextprotocol/logLevel":"info","progressToken":"p","traceparent":"t"}}}"#
    );
    let bare = text(&call(&mut session, r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#).request());
    assert!(bare.starts_with(r#"{"params":{"_meta":{"io.modelcontextprotocol/protocolVersion""#), "{bare}");
    let refused = answered(&mut session, r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","params":[]}"#);
    assert!(refused.contains("-32602"), "{refused}");
}

#[test]
fn the_log_level_goes_with_each_request_and_is_info_until_it_is_set() {
    let (mut session, _) = open("2025-11-25", "{}");
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let request = text(&call(&mut session, list).request());
    assert!(request.contains(r#""io.modelcontextprotocol/logLevel":"info""#), "{request}");
    let set = r#"{"jsonrpc":"2.0","id":3,"method":"logging/setLevel","params":{"level":"debug"}}"#;
    assert_eq!(answered(&mut session, set), r#"{"jsonrpc":"2.0","id":3,"result":{}}"#);
    let request = text(&call(&mut session, list).request());
    assert!(request.contains(r#""io.modelcontextprotocol/logLevel":"debug""#), "{request}");
    for params in ["{}", r#"{"level":"loud"}"#, r#"{"level":4}"#, r#"{"level":"DEBUG"}"#] {
        let bad = set.replace(r#"{"level":"debug"}"#, params);
        let refused = answered(&mut session, &bad);
        assert!(refused.contains("-32602"), "{bad}: {refused}");
    }
    // An invalid level would make the server refuse all later requests.
    let request = text(&call(&mut session, list).request());
    assert!(request.contains(r#""io.modelcontextprotocol/logLevel":"debug""#), "{request}");
}

#[test]
fn subscriptions_become_one_filter() {
    let (mut session, _) = open("2025-11-25", "{}");
    let filter = |session: &Session| String::from_utf8(session.filter().unwrap().to_vec()).unwrap();
    // Only the changes that the server declared.
    assert_eq!(filter(&session), r#"{"toolsListChanged":true}"#);
    for (method, uri) in
        [("subscribe", "file:///b"), ("subscribe", "file:///a"), ("unsubscribe", "file:///b")]
    {
        let request =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/{method}","params":{{"uri":"{uri}"}}}}"#);
        assert!(matches!(session.handle_message(message(&request)), ClientAction::Refiltered(_)));
    }
    assert_eq!(filter(&session), r#"{"resourceSubscriptions":["file:///a"],"toolsListChanged":true}"#);
}

#[test]
fn a_server_that_tells_of_nothing_is_not_listened_to() {
    let mut session = Session::new();
    let discover = asks_for_discovery(&mut session, "i");
    let plain = br#"{"capabilities":{"tools":{},"resources":{"subscribe":false}}}"#;
    session.handle_discovered(&Message::result_of(&discover.id().unwrap(), plain).unwrap()).unwrap();
    assert_eq!(session.filter(), None);
    let list = call(&mut session, r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#);
    assert!(list.request().member(Part::Meta, keys::LOG_LEVEL).is_none(), "it has no logging");
    for (method, params) in [
        ("resources/subscribe", r#"{"uri":"u"}"#),
        ("resources/unsubscribe", r#"{"uri":"u"}"#),
        ("logging/setLevel", r#"{"level":"info"}"#),
        ("subscriptions/listen", r#"{"notifications":{}}"#),
        ("server/discover", "{}"),
        ("tasks/list", "{}"),
    ] {
        let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let refused = answered(&mut session, &request);
        assert!(refused.contains("-32601"), "{method}: {refused}");
    }
}

#[test]
fn notifications_of_sessions_are_taken_and_others_pass() {
    let (mut session, _) = open("2025-11-25", "{}");
    for method in ["notifications/initialized", "notifications/roots/list_changed"] {
        let notification = format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#);
        assert!(matches!(session.handle_message(message(&notification)), ClientAction::Nothing));
    }
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7.0}}"#;
    assert!(
        matches!(session.handle_message(message(cancelled)), ClientAction::Cancelled(id) if id.as_json() == b"7.0")
    );
    assert!(matches!(
        session.handle_message(message(r#"{"jsonrpc":"2.0","method":"x/y"}"#)),
        ClientAction::Notify(_)
    ));
}

#[test]
fn what_is_of_subscriptions_or_withdraws_questions_does_not_come_by_a_call() {
    let (mut session, _) = open("2025-11-25", "{}");
    let mut call = call(&mut session, r#"{"jsonrpc":"2.0","id":5,"method":"tools/list"}"#);
    for (method, params, is_passed) in [
        ("notifications/cancelled", r#"{"requestId":"crossway-ask-1"}"#, false),
        ("notifications/tools/list_changed", "{}", false),
        ("notifications/prompts/list_changed", "{}", false),
        ("notifications/resources/list_changed", "{}", false),
        ("notifications/resources/updated", r#"{"uri":"u:other"}"#, false),
        ("notifications/subscriptions/acknowledged", r#"{"notifications":{}}"#, false),
        ("notifications/progress", r#"{"progressToken":1,"progress":1}"#, true),
        ("notifications/message", r#"{"level":"info","data":"x"}"#, true),
        ("notifications/x", "{}", true),
    ] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        let step = call.handle_reply(message(&text), ids());
        assert_eq!(matches!(step, Step::Pass(_)), is_passed, "{method}");
        assert_eq!(matches!(step, Step::Nothing), !is_passed, "{method}");
    }
}

#[test]
fn results_lose_what_is_modern_and_nothing_else() {
    let (mut session, _) = open("2025-11-25", "{}");
    let mut call = call(&mut session, r#"{"jsonrpc":"2.0","id":5,"method":"tools/list"}"#);
    let result = r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"a" }],"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"},"k":1.0}}}"#;
    let Step::Done(answer) = call.handle_reply(message(result), ids()) else { panic!() };
    assert_eq!(
        text(&answer),
        r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[{"name":"a" }],"_meta":{"k":1.0}}}"#
    );
    let bare = r#"{"jsonrpc":"2.0","id":5,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}},"tools":[],"ttlMs":0}}"#;
    let Step::Done(answer) = call.handle_reply(message(bare), ids()) else { panic!() };
    assert_eq!(text(&answer), r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[]}}"#);
    for legacy in [r#"{ "tools" :[], "_meta":{}}"#, "[1]", r#"{"_meta":7}"#] {
        let result = format!(r#"{{"jsonrpc":"2.0","id":5,"result":{legacy}}}"#);
        let Step::Done(answer) = call.handle_reply(message(&result), ids()) else { panic!() };
        assert_eq!(text(&answer), result);
    }
    let unknown = r#"{"jsonrpc":"2.0","id":5,"result":{"resultType":"task"}}"#;
    let Step::Done(answer) = call.handle_reply(message(unknown), ids()) else { panic!() };
    assert!(text(&answer).contains("-32603"));
    let escaped = r#"{"jsonrpc":"2.0","id":5,"result":{"resultType":"c\u006fmplete","tools":[]}}"#;
    let Step::Done(answer) = call.handle_reply(message(escaped), ids()) else { panic!() };
    assert_eq!(text(&answer), r#"{"jsonrpc":"2.0","id":5,"result":{"tools":[]}}"#);
}

#[test]
fn errors_have_codes_that_legacy_clients_know() {
    for (method, code, wanted) in [
        ("resources/read", -32602, r#"{"code":-32002,"message":"m","data":{"x":1.0}}"#),
        ("tools/call", -32602, r#"{"code":-32602,"message":"m","data":{"x":1.0}}"#),
        ("tools/call", -32021, r#"{"code":-32600,"message":"m","data":{"code":-32021,"data":{"x":1.0}}}"#),
        ("tools/call", -32022, r#"{"code":-32603,"message":"m","data":{"code":-32022,"data":{"x":1.0}}}"#),
        ("tools/call", -32020, r#"{"code":-32603,"message":"m","data":{"code":-32020,"data":{"x":1.0}}}"#),
        ("tools/call", 7, r#"{"code":7,"message":"m","data":{"x":1.0}}"#),
    ] {
        let (mut session, _) = open("2025-11-25", "{}");
        let request = format!(r#"{{"jsonrpc":"2.0","id":5,"method":"{method}","params":{{"uri":"u"}}}}"#);
        let mut call = call(&mut session, &request);
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":5,"error":{{"code":{code},"message":"m","data":{{"x":1.0}}}}}}"#
        );
        let Step::Done(answer) = call.handle_reply(message(&error), ids()) else { panic!() };
        assert_eq!(
            text(&answer),
            format!(r#"{{"jsonrpc":"2.0","id":5,"error":{wanted}}}"#),
            "{method} {code}"
        );
    }
    // Without a URI, -32602 does not mean that a resource was not found.
    let (mut session, _) = open("2025-11-25", "{}");
    let mut call = call(&mut session, r#"{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{}}"#);
    let error = r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"m"}}"#;
    let Step::Done(answer) = call.handle_reply(message(error), ids()) else { panic!() };
    assert_eq!(text(&answer), error);
}

#[test]
fn the_stream_of_a_subscription_loses_its_id() {
    let mut listening = Listening::new();
    let acknowledged = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"},"notifications":{}}}"#;
    assert!(matches!(listening.handle_message(message(acknowledged)), ListenEvent::Acknowledged));
    assert!(listening.is_acknowledged());
    for (heard, passed) in [
        (
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u","_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u"}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"k":1,"io.modelcontextprotocol/subscriptionId":"l"}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"k":1}}}"#,
        ),
    ] {
        let ListenEvent::Pass(message) = listening.handle_message(message(heard)) else { panic!() };
        assert_eq!(text(&message), passed);
    }
    // A server may send either, or both, when it ends the subscription.
    for ended in [
        r#"{"jsonrpc":"2.0","id":"l","result":{"resultType":"complete"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#,
    ] {
        assert!(matches!(listening.handle_message(message(ended)), ListenEvent::Ended), "{ended}");
    }
}

#[test]
fn what_was_put_on_a_legacy_servers_result_is_taken_off_for_a_legacy_client() {
    let info = Bytes::from_static(br#"{"name":"s"}"#);
    let meta = Bytes::from_static(br#"{"io.modelcontextprotocol/serverInfo":{"name":"s"}}"#);
    let both = (info, meta);
    for (result, seen) in [
        (r#"{"content":[]}"#, r#"{"content":[]}"#),
        (r#"{ "content":[], "_meta":{"k":1.0} }"#, r#"{ "content":[], "_meta":{"k":1.0} }"#),
        // Modern members may also come from a legacy server; a legacy client has no use for them.
        (r#"{"content":[],"_meta":{}}"#, r#"{"content":[]}"#),
        (
            r#"{"content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"q"}}}"#,
            r#"{"content":[]}"#,
        ),
        (
            r#"{ "_meta":{ "io.modelcontextprotocol/subscriptionId":1 }, "content":[] }"#,
            r#"{ "content":[] }"#,
        ),
        (r#"{"content":[],"resultType":"table"}"#, r#"{"content":[]}"#),
        (r#"{"resultType":"input_required","content":[]}"#, r#"{"content":[]}"#),
    ] {
        for method in ["tools/call", "resources/read"] {
            let mut session = open("2025-11-25", "{}").0;
            let mut call = call(&mut session, &TOOL.replace("tools/call", method));
            let mut answer = message(format!(r#"{{"jsonrpc":"2.0","id":"c","result":{result}}}"#));
            crate::to_legacy::results::complete(&mut answer, method, &both);
            let Step::Done(answer) = call.handle_reply(answer, ids()) else { panic!("{result}: not done") };
            assert_eq!(text(&answer), format!(r#"{{"jsonrpc":"2.0","id":"c","result":{seen}}}"#), "{method}");
        }
    }
}
