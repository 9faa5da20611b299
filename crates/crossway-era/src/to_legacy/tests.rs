mod url_elicitation;

use crossway_testkit::{message, text};

use super::*;
use crate::SubscriptionFilter;

const OPENED: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{},"tasks":{},"extensions":{"x":{}}},"serverInfo":{"name":"s","version":"1.0"},"instructions":"do \u0061"}}"#;

fn session() -> Session {
    Session::opened(&message(OPENED)).unwrap()
}

/// A modern request; `rest` follows the metadata that each has.
fn modern(method: &str, capabilities: &str, rest: &str) -> Message {
    message(format!(
        r#"{{"jsonrpc":"2.0","id":"c","method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities},"io.modelcontextprotocol/clientInfo":{{"name":"c"}},"progressToken":"p","k":1.0}}{rest}}}}}"#
    ))
}

fn error_of(error: ErrorObject) -> String {
    text(&crate::messages::error_of(&RequestId::from(1), &error))
}

fn call(method: &str, capabilities: &str) -> Call {
    session().call(&modern(method, capabilities, r#","name":"n""#)).unwrap()
}

#[test]
fn a_session_is_opened_for_what_its_clients_can_be_asked() {
    let asks =
        ClientFeatures::of(&modern("tools/list", r#"{"sampling":{},"extensions":{"x":{}},"roots":{}}"#, ""));
    let opening = text(&Session::opening(&asks));
    assert!(
        opening.contains(r#""protocolVersion":"2025-11-25","capabilities":{"roots":{},"sampling":{}}"#),
        "{opening}"
    );
    assert!(ClientFeatures::of(&modern("tools/list", r#"{"extensions":{}}"#, "")).is_empty());
    assert_eq!(session().revision(), Revision::V2025_06_18);
}

#[test]
fn clients_that_can_be_asked_the_same_are_told_apart_by_nothing_else() {
    let asks = |capabilities: &str| ClientFeatures::of(&modern("tools/list", capabilities, ""));
    let plain = asks(r#"{"roots":{},"sampling":{"tools":{}},"elicitation":{"url":{}}}"#);
    assert_eq!(plain.as_json(), r#"{"elicitation":{"url":{}},"roots":{},"sampling":{"tools":{}}}"#);
    let own = asks(
        r#"{"sampling":{"tools":{"a":1},"b":{}},"elicitation":{"url":{"c":2},"form":1},"roots":{"listChanged":true,"d":[3]}}"#,
    );
    assert_eq!(own, plain);
    assert!(asks(r#"{"roots":true,"sampling":[]}"#).is_empty());
}

#[test]
fn a_request_says_what_each_modern_one_has_to_say() {
    let request = |version: &str, rest: &str| {
        message(format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"{rest}}}}}}}"#
        ))
    };
    let capable = r#","io.modelcontextprotocol/clientCapabilities":{}"#;
    assert_eq!(check(&request("2026-07-28", capable)), Ok(()));
    for version in ["2025-11-25", "2099-01-01"] {
        let refused = check(&request(version, capable)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::UNSUPPORTED_PROTOCOL_VERSION);
        let data = format!(r#"{{"outcome":"not sent","requested":"{version}","supported":["2026-07-28"]}}"#);
        assert!(error_of(refused).contains(&data));
    }
    let info = format!(r#"{capable},"io.modelcontextprotocol/clientInfo":{{"name":"{}"}}"#, "x".repeat(5000));
    for rest in ["", r#","io.modelcontextprotocol/clientCapabilities":null"#, &info] {
        assert_eq!(
            check(&request("2026-07-28", rest)).unwrap_err().code,
            ErrorCode::INVALID_PARAMS,
            "{rest}"
        );
    }
    let bare = message(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    assert_eq!(check(&bare).unwrap_err().code, ErrorCode::INVALID_PARAMS);
}

#[test]
fn a_tool_is_called_as_if_nobody_had_asked_for_a_task() {
    let request = modern("tools/call", "{}", r#","name":"n","task":{"ttl":1},"arguments":{"task":"t"}"#);
    let sent = text(&session().call(&request).unwrap().request());
    assert!(!sent.contains("ttl") && sent.contains(r#""arguments":{"task":"t"}"#), "{sent}");
}

#[test]
fn what_is_no_request_is_no_call_and_its_answer_is_under_no_id_of_ours() {
    let notification = message(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"n"}}"#);
    assert_eq!(session().call(&notification).unwrap_err().code, ErrorCode::INVALID_REQUEST);
    for answer in [pong(&notification), refuse(&notification), unanswered(&notification)] {
        assert!(answer.error().is_some() && answer.id().is_none());
    }
}

#[test]
fn what_opens_no_session_says_why() {
    for (answer, why) in [
        (r#"{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"m"}}"#, "the server refuses a session: m"),
        (
            r#"{"jsonrpc":"2.0","id":0,"result":{}}"#,
            "the server's answer to initialize has no protocolVersion",
        ),
        (
            r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2026-07-28","capabilities":{},"serverInfo":{}}}"#,
            "the server speaks revision \"2026-07-28\", which is not known",
        ),
    ] {
        assert_eq!(Session::opened(&message(answer)).unwrap_err().to_string(), why);
    }
    // What servers say goes into logs.
    for answer in [
        r#"{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"EVIL"}}"#,
        r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"EVIL","capabilities":{},"serverInfo":{}}}"#,
    ] {
        let answer = answer.replace("EVIL", &(r"\n\u001b[2J\u202e".to_owned() + &"x".repeat(100_000)));
        let why = Session::opened(&message(&answer)).unwrap_err().to_string();
        assert!(why.contains(r"\n\u001b[2J\u202exx") && why.contains("xx [cut]"), "{why}");
        assert!(why.len() < 300 && !why.contains(crossway_proto::is_misread), "{why:?}");
    }
}

#[test]
fn discovery_is_answered_from_the_handshake() {
    assert_eq!(
        text(&session().discovered(&RequestId::from("d"))),
        r#"{"jsonrpc":"2.0","id":"d","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"logging":{},"resources":{"subscribe":true},"tools":{"listChanged":true}},"instructions":"do \u0061","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1.0"}}}}"#
    );
}

#[test]
fn what_is_null_is_no_capability_and_no_level() {
    let opened = OPENED.replace(r#""logging":{}"#, r#""logging":null,"prompts":{"listChanged":null}"#);
    let session = Session::opened(&message(&opened)).unwrap();
    assert!(!session.can("logging"));
    let discovered = text(&session.discovered(&RequestId::from("d")));
    let capabilities =
        r#""capabilities":{"prompts":{},"resources":{"subscribe":true},"tools":{"listChanged":true}}"#;
    assert!(discovered.contains(capabilities), "{discovered}");
    let request = modern("tools/call", "{}", r#","name":"n""#);
    let request = text(&request).replace(r#""k":1.0"#, r#""io.modelcontextprotocol/logLevel":null"#);
    let call = session.call(&message(&request)).unwrap();
    assert!(call.level().is_none());
}

#[test]
fn a_request_loses_what_is_modern_and_nothing_else() {
    let request = modern(
        "tools/call",
        "{}",
        r#","name":"n","arguments":{"x":1.50},"inputResponses":{},"requestState":"s""#,
    );
    assert_eq!(
        text(&session().call(&request).unwrap().request()),
        r#"{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"_meta":{"progressToken":"p","k":1.0},"name":"n","arguments":{"x":1.50}}}"#
    );
}

#[test]
fn a_result_says_that_it_is_complete_and_for_how_long_it_holds() {
    for (method, head) in [
        ("tools/call", r#""resultType":"complete","#),
        ("tools/list", r#""resultType":"complete","ttlMs":0,"cacheScope":"private","#),
    ] {
        let result = r#"{"jsonrpc":"2.0","id":"c","result":{"x":1.0,"_meta":{"k":1}}}"#;
        let Step::Done(answer) = call(method, "{}").handle_reply(message(result)) else { panic!() };
        assert_eq!(
            text(&answer),
            format!(
                r#"{{"jsonrpc":"2.0","id":"c","result":{{{head}"x":1.0,"_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"s","version":"1.0"}},"k":1}}}}}}"#
            )
        );
    }
}

#[test]
fn retired_codes_are_replaced_and_told_in_the_data() {
    for (code, wanted) in [(-32042, -32603), (-32050, -32603), (-32020, -32603)] {
        let error =
            format!(r#"{{"jsonrpc":"2.0","id":"c","error":{{"code":{code},"message":"m","data":1.0}}}}"#);
        let Step::Done(answer) = call("resources/read", "{}").handle_reply(message(&error)) else { panic!() };
        assert_eq!(
            text(&answer),
            format!(
                r#"{{"jsonrpc":"2.0","id":"c","error":{{"code":{wanted},"message":"m","data":{{"code":{code},"data":1.0}}}}}}"#
            )
        );
    }
    let missing = r#"{"jsonrpc":"2.0","id":"c","error":{"code":-32002,"message":"m","data":{"uri":"u"}}}"#;
    let Step::Done(answer) = call("resources/read", "{}").handle_reply(message(missing)) else { panic!() };
    assert_eq!(text(&answer), missing.replace("-32002", "-32602"));
    let unknown =
        r#"{"jsonrpc":"2.0","id":"c","error":{"code":-32601,"message":"Unknown tool: t","data":{"x":1}}}"#;
    for (method, wanted) in [("tools/call", -32602), ("prompts/get", -32602), ("completion/complete", -32601)]
    {
        let Step::Done(answer) = call(method, "{}").handle_reply(message(unknown)) else { panic!() };
        assert_eq!(text(&answer), unknown.replace("-32601", &wanted.to_string()), "{method}");
    }
    let error = r#"{"jsonrpc":"2.0","id":"c","error":{"code":-32000,"message":"m","x":1}}"#;
    let Step::Done(answer) = call("tools/call", "{}").handle_reply(message(error)) else { panic!() };
    assert_eq!(text(&answer), error);
}

#[test]
fn log_messages_are_for_those_who_asked_for_their_level() {
    let log = |level: &str| {
        message(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":1}}}}"#
        ))
    };
    let mut quiet = call("tools/call", "{}");
    assert!(matches!(quiet.handle_reply(log("emergency")), Step::Nothing));
    let asking = message(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","_meta":{"io.modelcontextprotocol/logLevel":"warning"}}}"#,
    );
    let mut asking = session().call(&asking).unwrap();
    assert_eq!(asking.level().unwrap().as_str(), "warning");
    let unknown = message(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","_meta":{"io.modelcontextprotocol/logLevel":"loud"}}}"#,
    );
    assert_eq!(session().call(&unknown).unwrap_err().code, ErrorCode::INVALID_PARAMS);
    assert!(matches!(asking.handle_reply(log("info")), Step::Nothing));
    assert!(matches!(asking.handle_reply(log("error")), Step::Pass(_)));
}

#[test]
fn a_ping_is_answered_and_changes_go_to_those_who_listen() {
    let mut call = call("tools/call", "{}");
    let ping = message(r#"{"jsonrpc":"2.0","id":9.0,"method":"ping"}"#);
    let Step::Reply(pong) = call.handle_reply(ping) else { panic!() };
    assert_eq!(text(&pong), r#"{"jsonrpc":"2.0","id":9.0,"result":{}}"#);
    let change = message(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    assert!(matches!(call.handle_reply(change), Step::Announce(_)));
}

const ASKS: &str =
    r#"{"jsonrpc":"2.0","id":7.0,"method":"elicitation/create","params":{"message":"?","n":1.0}}"#;

#[test]
fn a_question_parks_the_call_and_its_answer_goes_to_the_server() {
    let mut call = call("tools/call", r#"{"elicitation":{}}"#);
    let Step::Park(question) = call.handle_reply(message(ASKS)) else { panic!() };
    let mut questions = vec![question];
    assert_eq!(
        text(&call.input_required(&questions, "sealed")),
        r#"{"jsonrpc":"2.0","id":"c","result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1.0"}},"resultType":"input_required","inputRequests":{"ask-1":{"method":"elicitation/create","params":{"message":"?","n":1.0}}},"requestState":"sealed"}}"#
    );
    let again = r#"{"jsonrpc":"2.0","id":"c2","method":"tools/call","params":{"inputResponses":{"ask-1":{"action":"accept","content":{"x":1.0}}},"requestState":"sealed","name":"n","_meta":{"progressToken":"p2"}}}"#;
    let again = message(again);
    assert!(call.is_repeated_by(&again));
    let answers = call.handle_again(&again, &mut questions);
    assert!(questions.is_empty());
    assert_eq!(
        text(&answers[0]),
        r#"{"jsonrpc":"2.0","id":7.0,"result":{"action":"accept","content":{"x":1.0}}}"#
    );
    // From here on, messages carry the id and token of the second request.
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}"#;
    let Step::Pass(progress) = call.handle_reply(message(progress)) else { panic!() };
    assert_eq!(progress.progress_token(), Some(RequestId::from("p2")));
    let Step::Done(done) = call.handle_reply(message(r#"{"jsonrpc":"2.0","id":"c","result":{}}"#)) else {
        panic!()
    };
    assert_eq!(done.id(), Some(RequestId::from("c2")));
}

#[test]
fn a_second_request_whose_name_was_changed_on_its_way_is_known_again() {
    let again = |name: &str| {
        message(format!(
            r#"{{"jsonrpc":"2.0","id":"c2","method":"tools/call","params":{{"requestState":"s","name":"{name}"}}}}"#
        ))
    };
    let call = call("tools/call", r#"{"elicitation":{}}"#);
    let mut merged = again("server__n");
    assert!(!call.is_repeated_by(&merged));
    merged.set_name("n");
    assert!(call.is_repeated_by(&merged));
}

#[test]
fn a_server_is_answered_with_content_that_its_revision_has() {
    let asks = r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}"#;
    let audio = r#"{"type":"audio","data":"AA==","mimeType":"audio/wav"}"#;
    let said = r#"{"type":"text","text":"so"}"#;
    for (version, content, wanted) in [
        ("2024-11-05", audio.to_owned(), "[audio content is left out"),
        ("2024-11-05", format!("[{audio}]"), "[audio content is left out"),
        ("2025-06-18", format!("[{audio}]"), r#""content":{"type":"audio""#),
        ("2025-06-18", format!("[{said},{audio}]"), r#""text":"so\n[audio content is left out]""#),
        ("2025-11-25", format!("[{said},{audio}]"), r#""content":[{"type":"text""#),
        ("2024-11-05", said.to_owned(), r#"{"role":"assistant","content":{"type":"text","text":"so"}}"#),
    ] {
        let session = Session::opened(&message(OPENED.replace("2025-06-18", version))).unwrap();
        let mut call = session.call(&modern("tools/call", r#"{"sampling":{}}"#, r#","name":"n""#)).unwrap();
        let Step::Park(question) = call.handle_reply(message(asks)) else { panic!() };
        let again = format!(
            r#"{{"jsonrpc":"2.0","id":"c2","method":"tools/call","params":{{"inputResponses":{{"ask-1":{{"role":"assistant","content":{content}}}}},"requestState":"s","name":"n"}}}}"#
        );
        let answers = call.handle_again(&message(&again), &mut vec![question]);
        assert!(text(&answers[0]).contains(wanted), "{version}: {}", text(&answers[0]));
    }
}

#[test]
fn a_second_request_says_anew_what_it_wants_to_hear() {
    let logs = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#;
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}"#;
    let request = modern("tools/call", r#"{"elicitation":{}}"#, "");
    let mut call = session().call(&request).unwrap();
    assert!(matches!(call.handle_reply(message(progress)), Step::Pass(_)));
    let again = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/logLevel":"info"}}}"#;
    call.handle_again(&message(again), &mut Vec::new());
    assert!(matches!(call.handle_reply(message(progress)), Step::Nothing));
    assert!(matches!(call.handle_reply(message(logs)), Step::Pass(_)));
    let again = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call"}"#;
    call.handle_again(&message(again), &mut Vec::new());
    assert!(matches!(call.handle_reply(message(logs)), Step::Nothing));
}

#[test]
fn progress_under_a_foreign_token_is_for_nobody() {
    let foreign =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"q","progress":1}}"#;
    assert!(matches!(call("tools/call", "{}").handle_reply(message(foreign)), Step::Nothing));
}

#[test]
fn requests_that_modern_revisions_have_not_never_reach_the_session() {
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    ] {
        let error = session().call(&modern(method, "{}", "")).unwrap_err();
        assert_eq!(error.code, ErrorCode::METHOD_NOT_FOUND, "{method}");
    }
    assert!(session().call(&modern("vendor/own", "{}", "")).is_ok());
}

#[test]
fn another_request_is_no_repetition() {
    let call = call("tools/call", r#"{"elicitation":{}}"#);
    for (method, params, is_same) in [
        ("tools/call", r#"{"name":"n"}"#, true),
        ("tools/call", r#"{"name":"m"}"#, false),
        ("tools/call", r#"{"name":"n","arguments":{}}"#, false),
        ("prompts/get", r#"{"name":"n"}"#, false),
    ] {
        let again = message(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#));
        assert_eq!(call.is_repeated_by(&again), is_same, "{method} {params}");
    }
}

#[test]
fn a_second_request_answers_what_it_answers_and_is_asked_the_rest_once_more() {
    let mut call = call("tools/call", r#"{"elicitation":{},"roots":{}}"#);
    let roots = r#"{"jsonrpc":"2.0","id":8,"method":"roots/list","params":{"_meta":{"progressToken":1}}}"#;
    let mut questions = Vec::new();
    for asks in [ASKS, roots] {
        let Step::Park(question) = call.handle_reply(message(asks)) else { panic!() };
        questions.push(question);
    }
    let asked = text(&call.input_required(&questions, "s"));
    assert!(asked.contains(r#""ask-2":{"method":"roots/list","params":{"_meta":{}}}"#), "{asked}");
    for (responses, answered, left) in [
        ("{}", 0, 2),
        (r#"{"other":{}}"#, 0, 2),
        (r#"{"ask-1":"no object"}"#, 0, 2),
        (r#"{"ask-2":{"roots":[]},"ask-9":{}}"#, 1, 1),
        (r#"{"ask-2":{"roots":[]},"ask-1":{"action":"cancel"}}"#, 1, 0),
    ] {
        let again = message(format!(
            r#"{{"jsonrpc":"2.0","id":"c2","method":"tools/call","params":{{"name":"n","inputResponses":{responses}}}}}"#
        ));
        assert_eq!(call.handle_again(&again, &mut questions).len(), answered, "{responses}");
        assert_eq!(questions.len(), left, "{responses}");
    }
    let Step::Park(question) = call.handle_reply(message(ASKS)) else { panic!() };
    assert!(text(&question.unanswered()).contains(r#""id":7.0,"error""#));
}

#[test]
fn a_client_that_can_t_be_asked_is_told_what_it_takes() {
    for (capabilities, asks, required) in [
        ("{}", ASKS, r#"{"elicitation":{"form":{}}}"#),
        (r#"{"elicitation":{"url":{}}}"#, ASKS, r#"{"elicitation":{"form":{}}}"#),
        ("{}", r#"{"jsonrpc":"2.0","id":7.0,"method":"roots/list"}"#, r#"{"roots":{}}"#),
        (
            r#"{"sampling":{}}"#,
            r#"{"jsonrpc":"2.0","id":7.0,"method":"sampling/createMessage","params":{"tools":[]}}"#,
            r#"{"sampling":{"tools":{}}}"#,
        ),
        (
            "{}",
            r#"{"jsonrpc":"2.0","id":7.0,"method":"sampling/createMessage","params":{}}"#,
            r#"{"sampling":{}}"#,
        ),
    ] {
        let Step::Refuse(to_client, to_server) = call("tools/call", capabilities).handle_reply(message(asks))
        else {
            panic!("{capabilities} {asks}")
        };
        let to_client = text(&to_client);
        assert!(to_client.contains(&format!(r#""requiredCapabilities":{required}}}"#)), "{to_client}");
        assert!(to_client.contains("-32021") && text(&to_server).contains(r#""id":7.0,"error""#));
    }
    // The specification allows no server requests during this method.
    let mut list = call("tools/list", r#"{"roots":{}}"#);
    let roots = message(r#"{"jsonrpc":"2.0","id":7.0,"method":"roots/list"}"#);
    assert!(matches!(list.handle_reply(roots), Step::Reply(_)));
}

#[test]
fn who_listens_hears_what_was_asked_for_under_the_own_id() {
    let request = message(
        r#"{"jsonrpc":"2.0","id":1.0,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["file:///a","file:///c/"]}}}"#,
    );
    let listener =
        Listener::new(request.id().unwrap(), SubscriptionFilter::of(&request).unwrap(), &session());
    assert_eq!(
        text(&listener.acknowledged().unwrap()),
        r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1.0},"notifications":{"resourceSubscriptions":["file:///a","file:///c/"],"toolsListChanged":true}}}"#
    );
    for (method, params, heard) in [
        ("notifications/tools/list_changed", "", true),
        ("notifications/prompts/list_changed", "", false),
        ("notifications/resources/updated", r#","params":{"uri":"file:///a"}"#, true),
        ("notifications/resources/updated", r#","params":{"uri":"file:///a/b"}"#, true),
        ("notifications/resources/updated", r#","params":{"uri":"file:///ab"}"#, false),
        ("notifications/resources/updated", r##","params":{"uri":"file:///a#b"}"##, true),
        ("notifications/resources/updated", r#","params":{"uri":"file:///a?b"}"#, true),
        ("notifications/resources/updated", r#","params":{"uri":"file:///c/"}"#, true),
        ("notifications/resources/updated", r#","params":{"uri":"file:///c/d"}"#, true),
        ("notifications/resources/updated", r#","params":{"uri":"file:///c"}"#, false),
    ] {
        let change = message(format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#));
        let told = listener.handle_change(&change);
        assert_eq!(told.is_some(), heard, "{method} {params}");
        assert!(told.is_none_or(|told| told.subscription_id().unwrap().as_json() == b"1.0"));
    }
    assert_eq!(
        text(&listener.ended()),
        r#"{"jsonrpc":"2.0","id":1.0,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1.0}}}"#
    );
}
