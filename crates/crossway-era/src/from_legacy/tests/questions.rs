//! Server requests in the middle of a call.

use super::*;

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
        message(format!(r#"{{"jsonrpc":"2.0","id":"{id}","error":{{"code":-1,"message":"no"}}}}"#))
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

/// The params that a client of this revision gets for a server request.
fn asked(revision: &str, capabilities: &str, request: &str) -> Result<String, String> {
    let (mut session, _) = open(revision, capabilities);
    let mut call = call(&mut session, TOOL);
    let asks = format!(
        r#"{{"jsonrpc":"2.0","id":"c","result":{{"resultType":"input_required","inputRequests":{{"k":{request}}}}}}}"#
    );
    match call.handle_reply(message(&asks), ids()) {
        Step::Ask(asked) => Ok(String::from_utf8(asked[0].params().unwrap().to_vec()).unwrap()),
        Step::Done(answer) => Err(text(&answer)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sampling_with_tools_is_for_clients_that_said_so() {
    let with_tools = r#"{"method":"sampling/createMessage","params":{"messages":[],"tools":[]}}"#;
    let with_choice = r#"{"method":"sampling/createMessage","params":{"toolChoice":{"mode":"none"}}}"#;
    for request in [with_tools, with_choice] {
        assert!(asked("2025-11-25", r#"{"sampling":{"tools":{}}}"#, request).is_ok());
        assert!(asked("2025-11-25", r#"{"sampling":{}}"#, request).is_err());
        assert!(asked("2025-06-18", r#"{"sampling":{"tools":{}}}"#, request).is_err());
    }
}

#[test]
fn a_message_of_sampling_has_one_block_before_2025_11_25() {
    let request = r#"{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[{"type":"text","text":"\u0061"},{"type":"audio","data":""}],"x":1.0},{"content":{"type":"text","text":"b" },"role":"assistant"}],"maxTokens":1e2}}"#;
    let sampling = r#"{"sampling":{}}"#;
    let untouched = asked("2025-11-25", sampling, request).unwrap();
    assert!(request.contains(&untouched), "{untouched}");
    assert_eq!(
        asked("2025-06-18", sampling, request).unwrap(),
        r#"{"messages":[{"role":"user","content":{"type":"text","text":"\u0061"},"x":1.0},{"role":"user","content":{"type":"audio","data":""},"x":1.0},{"content":{"type":"text","text":"b" },"role":"assistant"}],"maxTokens":1e2}"#
    );
    let oldest = asked("2024-11-05", sampling, request).unwrap();
    assert!(oldest.contains("audio content is left out") && !oldest.contains(r#""data""#), "{oldest}");
    let single = r#"{"method":"sampling/createMessage","params":{"messages":[ {"role":"user","content":{"type":"text","text":"t"}}]}}"#;
    assert!(single.contains(&asked("2024-11-05", sampling, single).unwrap()));
    let tools = r#"{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}}"#;
    assert!(asked("2025-06-18", sampling, tools).is_err());
}

#[test]
fn titles_of_choices_stand_beside_their_values_before_2025_11_25() {
    let form = |field: &str| {
        format!(
            r#"{{"method":"elicitation/create","params":{{"message":"m","requestedSchema":{{"type":"object","properties":{{"z":{{"type":"string"}},"a":{field}}},"required":["a"]}}}}}}"#
        )
    };
    let titled = r#"{"type":"string","oneOf":[{"const":"r","title":"Red"},{"const":"b","title":"Blue \u00fc"}],"default":"r"}"#;
    let elicitation = r#"{"elicitation":{}}"#;
    let new = asked("2025-11-25", elicitation, &form(titled)).unwrap();
    assert!(form(titled).contains(&new), "{new}");
    assert_eq!(
        asked("2025-06-18", elicitation, &form(titled)).unwrap(),
        r#"{"message":"m","requestedSchema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string","default":"r","enum":["r","b"],"enumNames":["Red","Blue ü"]}},"required":["a"]}}"#
    );
    let several = r#"{"type":"array","items":{"type":"string","enum":["r"]}}"#;
    let refused = asked("2025-06-18", elicitation, &form(several)).unwrap_err();
    assert!(refused.contains("-32603") && refused.contains("revision does not have"), "{refused}");
    assert!(asked("2025-11-25", elicitation, &form(several)).is_ok());
}

#[test]
fn a_server_that_asks_for_nothing_ends_its_call() {
    let (mut session, _) = open("2025-11-25", "{}");
    let mut call = call(&mut session, TOOL);
    let nothing = r#"{"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required"}}"#;
    let Step::Done(answer) = call.handle_reply(message(nothing), ids()) else { panic!() };
    assert!(text(&answer).contains("does not say for what"));
}

#[test]
fn input_is_asked_for_by_three_methods_alone() {
    for (method, may) in [
        ("tools/call", true),
        ("prompts/get", true),
        ("resources/read", true),
        ("tools/list", false),
        ("completion/complete", false),
    ] {
        let (mut session, _) = open("2025-11-25", r#"{"roots":{},"elicitation":{}}"#);
        let mut call = call(&mut session, &TOOL.replace("tools/call", method));
        let is_asked = matches!(call.handle_reply(message(ASKS), ids()), Step::Ask(_));
        assert_eq!(is_asked, may, "{method}");
    }
}

#[test]
fn what_is_asked_for_a_call_that_ends_is_withdrawn() {
    let cancelled = |call: &mut Call| {
        let mut withdrawn = Vec::new();
        while let Some(notification) = call.poll_withdrawn() {
            assert!(notification.is_method("notifications/cancelled"));
            withdrawn.push(notification.cancelled_id().unwrap().to_string());
        }
        withdrawn
    };
    let (mut session, _) = open("2025-11-25", r#"{"roots":{},"elicitation":{}}"#);
    let mut one = call(&mut session, TOOL);
    one.handle_reply(message(ASKS), ids());
    one.handle_cancelled();
    assert_eq!(cancelled(&mut one), [r#""q1""#, r#""q2""#]);
    let mut two = call(&mut session, TOOL);
    two.handle_reply(message(ASKS), ids());
    let failed = r#"{"jsonrpc":"2.0","id":"q2","error":{"code":-1,"message":"no"}}"#;
    let Some(Step::Done(_)) = two.handle_response(&message(failed)) else { panic!() };
    assert_eq!(cancelled(&mut two), [r#""q1""#]);
    let late = r#"{"jsonrpc":"2.0","id":"q1","result":{"action":"accept"}}"#;
    assert!(two.handle_response(&message(late)).is_none());
}

#[test]
fn requests_that_a_modern_server_must_not_make_reach_nobody() {
    let (mut session, _) = open("2025-11-25", r#"{"roots":{}}"#);
    let mut call = call(&mut session, TOOL);
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
    assert!(matches!(call.handle_reply(message(request), ids()), Step::Nothing));
}

#[test]
fn a_state_that_was_put_in_on_the_way_comes_back_and_not_the_servers_own() {
    let mut call = call(&mut open("2025-11-25", r#"{"elicitation":{},"roots":{}}"#).0, TOOL);
    let mut asks = message(ASKS);
    asks.edit(Part::Result, &[], &[("requestState", br#""sealed""#)]).unwrap();
    let Step::Ask(_) = call.handle_reply(asks, ids()) else { panic!("it asks") };
    let mut again = None;
    for id in ["q1", "q2"] {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{{"action":"cancel"}}}}"#);
        again = call.handle_response(&message(&answer));
    }
    let Some(Step::Again(again)) = again else { panic!("it goes on: {again:?}") };
    assert_eq!(again.member(Part::Params, "requestState"), Some(&br#""sealed""#[..]));
}
