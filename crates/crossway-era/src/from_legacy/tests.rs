use crossway_proto::Limits;

use super::*;

const DISCOVERED: &str = r#"{"jsonrpc":"2.0","id":"x","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{},"completions":{},"extensions":{"a/b":{}}},"instructions":"be \u006bind","ttlMs":1,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1","x":1.0}}}}"#;

fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

fn text(message: &Message) -> String {
    String::from_utf8(message.to_bytes().to_vec()).unwrap()
}

fn initialize(revision: &str, capabilities: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{"protocolVersion":"{revision}","capabilities":{capabilities},"clientInfo":{{"name":"c","version":"2"}}}}}}"#
    )
}

/// A session that is open, and the answer to its `initialize`.
fn open(revision: &str, capabilities: &str) -> (Session, String) {
    let mut session = Session::new();
    let Taken::Discover(discover) = session.handle_message(message(&initialize(revision, capabilities)))
    else {
        panic!("initialize has to wait for discovery")
    };
    assert!(discover.is_method("server/discover"));
    assert_eq!(discover.meta_version().as_deref(), Some("2026-07-28"));
    let answer = session.handle_discovered(&message(DISCOVERED)).unwrap();
    (session, text(&answer))
}

fn answered(session: &mut Session, request: &str) -> String {
    match session.handle_message(message(request)) {
        Taken::Answered(answer) => text(&answer),
        other => panic!("{request}: {other:?}"),
    }
}

fn call(session: &mut Session, request: &str) -> Call {
    match session.handle_message(message(request)) {
        Taken::Call(call) => *call,
        other => panic!("{request}: {other:?}"),
    }
}

/// Ids of our own: q1, q2 and so on.
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
    session.handle_message(message(&initialize("2025-11-25", "{}")));
    let error = message(r#"{"jsonrpc":"2.0","id":"x","error":{"code":-32603,"message":"m","data":1.0}}"#);
    let answer = session.handle_discovered(&error).unwrap();
    assert_eq!(
        text(&answer),
        r#"{"jsonrpc":"2.0","id":"i","error":{"code":-32603,"message":"m","data":1.0}}"#
    );
    assert!(matches!(session.handle_message(message(&initialize("2025-11-25", "{}"))), Taken::Discover(_)));
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
        r#"{"jsonrpc":"2.0","id":1e0,"method":"tools/call","params":{"name":"n","arguments":{"x":1.50},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"2"},"progressToken":"p","traceparent":"t"}}}"#
    );
    let bare = text(&call(&mut session, r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#).request());
    assert!(bare.starts_with(r#"{"params":{"_meta":{"io.modelcontextprotocol/protocolVersion""#), "{bare}");
    let refused = answered(&mut session, r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","params":[]}"#);
    assert!(refused.contains("-32602"), "{refused}");
}

#[test]
fn the_log_level_goes_with_each_request_once_it_is_set() {
    let (mut session, _) = open("2025-11-25", "{}");
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    assert!(!text(&call(&mut session, list).request()).contains("logLevel"));
    let set = r#"{"jsonrpc":"2.0","id":3,"method":"logging/setLevel","params":{"level":"debug"}}"#;
    assert_eq!(answered(&mut session, set), r#"{"jsonrpc":"2.0","id":3,"result":{}}"#);
    let request = text(&call(&mut session, list).request());
    assert!(request.contains(r#""io.modelcontextprotocol/logLevel":"debug""#), "{request}");
    let bad = answered(&mut session, r#"{"jsonrpc":"2.0","id":3,"method":"logging/setLevel"}"#);
    assert!(bad.contains("-32602"), "{bad}");
}

#[test]
fn subscriptions_become_one_filter() {
    let (mut session, _) = open("2025-11-25", "{}");
    let lists = r#"{"promptsListChanged":true,"resourcesListChanged":true,"toolsListChanged":true}"#;
    assert_eq!(session.filter(), lists);
    for (method, uri) in
        [("subscribe", "file:///b"), ("subscribe", "file:///a"), ("unsubscribe", "file:///b")]
    {
        let request =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/{method}","params":{{"uri":"{uri}"}}}}"#);
        assert!(matches!(session.handle_message(message(&request)), Taken::Refiltered(_)));
    }
    assert_eq!(
        session.filter(),
        r#"{"promptsListChanged":true,"resourceSubscriptions":["file:///a"],"resourcesListChanged":true,"toolsListChanged":true}"#
    );
}

#[test]
fn notifications_of_sessions_are_taken_and_others_pass() {
    let (mut session, _) = open("2025-11-25", "{}");
    for method in ["notifications/initialized", "notifications/roots/list_changed"] {
        let notification = format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#);
        assert!(matches!(session.handle_message(message(&notification)), Taken::Nothing));
    }
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7.0}}"#;
    assert!(
        matches!(session.handle_message(message(cancelled)), Taken::Cancelled(id) if id.as_json() == b"7.0")
    );
    assert!(matches!(
        session.handle_message(message(r#"{"jsonrpc":"2.0","method":"x/y"}"#)),
        Taken::Notify(_)
    ));
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
    let unknown = r#"{"jsonrpc":"2.0","id":5,"result":{"resultType":"task"}}"#;
    let Step::Done(answer) = call.handle_reply(message(unknown), ids()) else { panic!() };
    assert!(text(&answer).contains("-32603"));
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
}

const TOOL: &str = r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":"n"}}"#;
const ASKS: &str = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","inputRequests":{"b":{"method":"roots/list"},"a":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{"z":1,"a":2}}}},"requestState":"s\u0074"}}"#;

#[test]
fn what_a_server_wants_to_know_is_asked_and_told_in_a_second_request() {
    let (mut session, _) = open("2025-11-25", r#"{"roots":{},"elicitation":{}}"#);
    let mut call = call(&mut session, TOOL);
    let Step::Ask(asked) = call.handle_reply(message(ASKS), ids()) else { panic!() };
    assert_eq!(
        asked.iter().map(text).collect::<Vec<_>>(),
        [
            r#"{"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"?","requestedSchema":{"z":1,"a":2}}}"#,
            r#"{"jsonrpc":"2.0","id":"q2","method":"roots/list"}"#,
        ]
    );
    assert!(call.awaits(&RequestId::from("q1")));
    assert!(call.handle_response(&message(r#"{"jsonrpc":"2.0","id":"q9","result":{}}"#)).is_none());
    assert!(call.handle_response(&message(r#"{"jsonrpc":"2.0","id":"q2","result":{"roots":[]}}"#)).is_none());
    let last = r#"{"jsonrpc":"2.0","id":"q1","result":{"action":"accept","content":{"n":1.0}}}"#;
    let Some(Step::Again(again)) = call.handle_response(&message(last)) else { panic!() };
    assert_ne!(again.id(), Some(RequestId::from("c")));
    let params = String::from_utf8(again.params().unwrap().to_vec()).unwrap();
    assert!(
        params.starts_with(
            r#"{"inputResponses":{"a":{"action":"accept","content":{"n":1.0}},"b":{"roots":[]}},"requestState":"s\u0074","#
        ),
        "{params}"
    );
    assert!(params.contains(r#""name":"n""#) && again.meta_version().is_some());
    let done = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"complete","content":[]}}}}"#,
        again.id().unwrap()
    );
    let Step::Done(answer) = call.handle_reply(message(&done), ids()) else { panic!() };
    assert_eq!(text(&answer), r#"{"jsonrpc":"2.0","id":"c","result":{"content":[]}}"#);
}

#[test]
fn a_second_round_forgets_the_state_of_the_first() {
    let (mut session, _) = open("2025-11-25", r#"{"roots":{},"elicitation":{}}"#);
    let mut call = call(&mut session, TOOL);
    call.handle_reply(message(ASKS), ids());
    let stateless = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}}"#;
    let Step::Ask(_) = call.handle_reply(message(stateless), ids()) else { panic!() };
    let response = message(r#"{"jsonrpc":"2.0","id":"q1","result":{"roots":[]}}"#);
    let Some(Step::Again(again)) = call.handle_response(&response) else { panic!() };
    assert!(again.member(Part::Params, "requestState").is_none());
}

#[test]
fn a_state_alone_is_sent_back_at_once() {
    let (mut session, _) = open("2025-11-25", "{}");
    let mut call = call(&mut session, TOOL);
    let waits = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","requestState":"s"}}"#;
    for _ in 0..crate::limits::ROUNDS {
        let Step::Again(again) = call.handle_reply(message(waits), ids()) else { panic!() };
        assert_eq!(again.member(Part::Params, "requestState"), Some(&br#""s""#[..]));
    }
    let Step::Done(answer) = call.handle_reply(message(waits), ids()) else { panic!() };
    assert!(text(&answer).contains("too much input"));
}

#[test]
fn a_client_is_asked_only_what_it_can_answer() {
    let by_url =
        r#"{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://h/"}}"#;
    let form = r#"{"method":"elicitation/create","params":{"message":"m"}}"#;
    for (revision, capabilities, request, can) in [
        ("2025-11-25", r#"{"elicitation":{}}"#, form, true),
        ("2025-11-25", r#"{"elicitation":{"url":{}}}"#, by_url, true),
        ("2025-11-25", r#"{"elicitation":{"url":{}}}"#, form, false),
        ("2025-11-25", r#"{"elicitation":{}}"#, by_url, false),
        ("2025-06-18", r#"{"elicitation":{"url":{}}}"#, by_url, false),
        ("2025-06-18", r#"{"elicitation":{}}"#, form, true),
        ("2025-03-26", r#"{"elicitation":{}}"#, form, false),
        ("2024-11-05", r#"{"sampling":{}}"#, r#"{"method":"sampling/createMessage","params":{}}"#, true),
        ("2025-11-25", "{}", r#"{"method":"roots/list"}"#, false),
        ("2025-11-25", "{}", r#"{"method":"tools/list"}"#, false),
    ] {
        let (mut session, _) = open(revision, capabilities);
        let mut call = call(&mut session, TOOL);
        let asks = format!(
            r#"{{"jsonrpc":"2.0","id":"c","result":{{"resultType":"input_required","inputRequests":{{"k":{request}}}}}}}"#
        );
        match call.handle_reply(message(&asks), ids()) {
            Step::Ask(asked) => {
                assert!(can, "{revision} {capabilities} {request}");
                let has_id = asked[0].member(Part::Params, "elicitationId").is_some();
                assert_eq!(has_id, request == by_url);
            }
            Step::Done(answer) => {
                assert!(!can && text(&answer).contains("-32603"), "{revision} {capabilities} {request}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_client_that_fails_to_ask_its_user_has_cancelled_and_other_failures_end_the_call() {
    let failed = |id: &str| {
        message(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","error":{{"code":-1,"message":"no"}}}}"#))
    };
    let (mut session, _) = open("2025-11-25", r#"{"roots":{},"elicitation":{}}"#);
    let mut one = call(&mut session, TOOL);
    one.handle_reply(message(ASKS), ids());
    assert!(one.handle_response(&failed("q1")).is_none());
    let Some(Step::Done(answer)) = one.handle_response(&failed("q2")) else { panic!() };
    assert!(text(&answer).contains(r#""clientError":{"code":-1,"message":"no"}"#), "{}", text(&answer));
    let mut two = call(&mut session, TOOL);
    two.handle_reply(message(ASKS), ids());
    two.handle_response(&message(r#"{"jsonrpc":"2.0","id":"q2","result":{"roots":[]}}"#));
    let Some(Step::Again(again)) = two.handle_response(&failed("q1")) else { panic!() };
    let params = String::from_utf8(again.params().unwrap().to_vec()).unwrap();
    assert!(params.contains(r#""a":{"action":"cancel"}"#), "{params}");
}

#[test]
fn content_that_a_revision_has_not_is_told_in_words() {
    let result = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"complete","content":[{"type":"text","text":"a \u0061udio" },{"type":"audio","data":"AA==","mimeType":"audio/wav"},{"type":"resource_link","uri":"file:///x","name":"x"}]}}"#;
    for (revision, left_out) in [("2024-11-05", 2), ("2025-03-26", 1), ("2025-06-18", 0)] {
        let (mut session, _) = open(revision, "{}");
        let mut call = call(&mut session, TOOL);
        let Step::Done(answer) = call.handle_reply(message(result), ids()) else { panic!() };
        let answer = text(&answer);
        assert_eq!(answer.matches("is left out").count(), left_out, "{answer}");
        assert!(answer.contains(r#"{"type":"text","text":"a \u0061udio" }"#), "{answer}");
        if left_out > 0 {
            assert!(answer.contains("resource_link content of file:///x is left out"), "{answer}");
        }
    }
    let (mut session, _) = open("2024-11-05", "{}");
    let mut call =
        call(&mut session, r#"{"jsonrpc":"2.0","id":"c","method":"prompts/get","params":{"name":"p"}}"#);
    let prompt = r#"{"jsonrpc":"2.0","id":"c","result":{"messages":[{"role":"user","content":{"type":"audio","data":"","mimeType":"m"}}]}}"#;
    let Step::Done(answer) = call.handle_reply(message(prompt), ids()) else { panic!() };
    assert!(text(&answer).contains(r#"{"role":"user","content":{"text":"[audio content is left out"#));
}

#[test]
fn the_stream_of_a_subscription_loses_its_id() {
    let mut listening = Listening::new();
    let acknowledged = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"},"notifications":{}}}"#;
    assert!(matches!(listening.handle_message(message(acknowledged)), Heard::Acknowledged));
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
        let Heard::Pass(message) = listening.handle_message(message(heard)) else { panic!() };
        assert_eq!(text(&message), passed);
    }
    let ended = r#"{"jsonrpc":"2.0","id":"l","result":{"resultType":"complete"}}"#;
    assert!(matches!(listening.handle_message(message(ended)), Heard::Ended));
}
