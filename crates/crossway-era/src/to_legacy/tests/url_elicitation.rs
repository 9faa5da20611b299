//! Servers that refuse until their user has been to a URL (-32042).

use super::*;

const VISITS: &str = r#"{"jsonrpc":"2.0","id":"c","error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a/?e=\u0031","message":"A"},{"elicitationId":"f","url":"https://b","message":"B"}]}}}"#;

#[test]
fn a_client_is_asked_to_visit_the_urls_without_which_a_server_refuses() {
    let mut call = call("tools/call", r#"{"elicitation":{"url":{}}}"#);
    let Step::ElicitUrls(questions) = call.handle_reply(message(VISITS)) else { panic!() };
    assert_eq!(
        text(&call.input_required(&questions, "sealed")),
        r#"{"jsonrpc":"2.0","id":"c","result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1.0"}},"resultType":"input_required","inputRequests":{"ask-1":{"method":"elicitation/create","params":{"mode":"url","url":"https://a/?e=\u0031","message":"A"}},"ask-2":{"method":"elicitation/create","params":{"mode":"url","url":"https://b","message":"B"}}},"requestState":"sealed"}}"#
    );
}

#[test]
fn a_client_that_visits_no_urls_is_told_what_it_takes() {
    for capabilities in ["{}", r#"{"elicitation":{}}"#, r#"{"elicitation":{"form":{}}}"#] {
        let step = call("prompts/get", capabilities).handle_reply(message(VISITS));
        let Step::Done(answer) = step else { panic!("{capabilities}") };
        let answer = text(&answer);
        assert!(answer.contains(r#""code":-32021"#), "{answer}");
        assert!(answer.contains(r#""requiredCapabilities":{"elicitation":{"url":{}}}"#), "{answer}");
    }
}

#[test]
fn urls_that_can_t_be_asked_for_are_an_error_like_others() {
    let all = r#"{"elicitation":{"url":{}}}"#;
    let many = format!("[{}]", vec![r#"{"url":"u","message":"m"}"#; 65].join(","));
    for elicitations in
        ["[]", "null", r#"[{"url":1,"message":"m"}]"#, r#"[{"mode":"form","url":"u","message":"m"}]"#, &many]
    {
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":"c","error":{{"code":-32042,"message":"m","data":{{"elicitations":{elicitations}}}}}}}"#
        );
        let Step::Done(answer) = call("tools/call", all).handle_reply(message(&error)) else { panic!() };
        assert!(text(&answer).contains(r#""code":-32603"#), "{}", text(&answer));
    }
    // "Servers **MUST NOT** send `InputRequiredResult` responses on any other client requests" (2026-07-28, basic/patterns/mrtr).
    let Step::Done(answer) = call("tools/list", all).handle_reply(message(VISITS)) else { panic!() };
    assert!(text(&answer).contains(r#""code":-32603"#));
}

#[test]
fn a_user_who_won_t_visit_a_url_ends_the_call() {
    for (responses, is_refused) in [
        (r#"{"ask-1":{"action":"accept"}}"#, false),
        (r#"{"ask-1":{"action":"accept"},"ask-2":{"action":"decline"}}"#, true),
        (r#"{"ask-1":{"action":"cancel"}}"#, true),
        // The server then says what it still needs.
        ("{}", false),
        ("[]", false),
    ] {
        let second = message(format!(
            r#"{{"jsonrpc":"2.0","id":"c2","method":"tools/call","params":{{"name":"n","inputResponses":{responses}}}}}"#
        ));
        let refused = url_elicitation_refused(&second);
        assert_eq!(refused.is_some(), is_refused, "{responses}");
        assert!(refused.is_none_or(|refused| refused.id() == second.id()));
    }
}

#[test]
fn a_url_of_a_question_has_no_id_either() {
    let asks = r#"{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"mode":"url","elicitationId":"e","url":"u","message":"m"}}"#;
    let mut call = call("tools/call", r#"{"elicitation":{"url":{}}}"#);
    let Step::Park(question) = call.handle_reply(message(asks)) else { panic!() };
    let asked = text(&call.input_required(&[question], "s"));
    assert!(asked.contains(r#""params":{"mode":"url","url":"u","message":"m"}"#), "{asked}");
}
