//! Features that a revision lacks are not sent to its clients.

use super::*;

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
fn content_whose_type_is_written_with_escapes_is_known_for_what_it_is() {
    let result = r#"{"jsonrpc":"2.0","id":"c","result":{"content":[{"type":"\u0061udio","data":""},{"type":"text","text":"\u0061"}]}}"#;
    let (mut session, _) = open("2024-11-05", "{}");
    let Step::Done(answer) = call(&mut session, TOOL).handle_reply(message(result), ids()) else { panic!() };
    let answer = text(&answer);
    assert!(answer.contains("audio content is left out"), "{answer}");
    assert!(answer.contains(r#"{"type":"text","text":"\u0061"}"#), "{answer}");
}

#[test]
fn a_server_hears_of_capabilities_that_the_clients_revision_has() {
    let said = r#"{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}},"tasks":{},"extensions":{"a/b":{}}}"#;
    for (revision, heard) in [
        ("2024-11-05", r#"{"roots":{},"sampling":{}}"#),
        ("2025-03-26", r#"{"roots":{},"sampling":{}}"#),
        ("2025-06-18", r#"{"elicitation":{},"roots":{},"sampling":{}}"#),
        ("2025-11-25", r#"{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{"tools":{}}}"#),
    ] {
        let (mut session, _) = open(revision, said);
        let request = call(&mut session, TOOL).request();
        assert_eq!(
            request.member(Part::Meta, keys::CLIENT_CAPABILITIES),
            Some(heard.as_bytes()),
            "{revision}"
        );
    }
}

#[test]
fn structured_content_that_is_no_object_is_told_as_text_where_nothing_else_is_said() {
    for (result, wanted) in [
        (
            r#"{"content":[],"structuredContent":[1.0, 2]}"#,
            r#"{"content":[{"text":"[1.0, 2]","type":"text"}]}"#,
        ),
        (r#"{"structuredContent":null}"#, r#"{"content":[{"text":"null","type":"text"}]}"#),
        (
            r#"{"content":[{"type":"text","text":"[1]"}],"structuredContent":[1],"resultType":"complete"}"#,
            r#"{"content":[{"type":"text","text":"[1]"}]}"#,
        ),
        (
            r#"{"content":[],"structuredContent":{ "a":1.0}}"#,
            r#"{"content":[],"structuredContent":{ "a":1.0}}"#,
        ),
    ] {
        let (mut session, _) = open("2025-11-25", "{}");
        let mut call = call(&mut session, TOOL);
        let result = format!(r#"{{"jsonrpc":"2.0","id":"c","result":{result}}}"#);
        let Step::Done(answer) = call.handle_reply(message(&result), ids()) else { panic!() };
        assert_eq!(text(&answer), format!(r#"{{"jsonrpc":"2.0","id":"c","result":{wanted}}}"#));
    }
}

#[test]
fn a_list_of_tools_loses_the_output_schemas_that_describe_no_object() {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let kept = r#"{"name":"a","inputSchema":{"type":"object","properties":{"outputSchema":{"type":"string"}}},"outputSchema":{"x":1.0, "type" : "object"}}"#;
    let lost = r#"{"name":"b","outputSchema":{"type":"array"},"description":"\u0064"}"#;
    let unclear = r#"{"outputSchema" : {"anyOf":[{"type":"object"}]},"name":"c"}"#;
    let (mut session, _) = open("2025-11-25", "{}");
    let mut one = call(&mut session, list);
    let result =
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{kept}, {lost},{unclear}],"ttlMs":1}}}}"#);
    let Step::Done(answer) = one.handle_reply(message(&result), ids()) else { panic!() };
    assert_eq!(
        text(&answer),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{kept},{{"name":"b","description":"\u0064"}},{{"name":"c"}}]}}}}"#
        )
    );
    let mut two = call(&mut session, list);
    let result = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[ {kept} ]}}}}"#);
    let Step::Done(answer) = two.handle_reply(message(&result), ids()) else { panic!() };
    assert_eq!(text(&answer), result, "nothing is touched without need");
}

#[test]
fn what_a_translation_of_the_same_process_put_on_is_taken_off() {
    use crossway_proto::Part;

    for (result, wanted) in [
        (r#"{"content":[]}"#, r#"{"content":[]}"#),
        (r#"{"_meta":{"k":1},"content":[]}"#, r#"{"_meta":{"k":1},"content":[]}"#),
    ] {
        let mut answer = message(format!(r#"{{"jsonrpc":"2.0","id":"c","result":{result}}}"#));
        // Edited as `to_legacy` does, and not read again since.
        let put: [(&str, &[u8]); 3] =
            [("resultType", br#""complete""#), ("ttlMs", b"0"), ("cacheScope", br#""private""#)];
        answer.edit(Part::Result, &[], &put).unwrap();
        answer.edit(Part::Meta, &[], &[(crate::keys::SERVER_INFO, b"{}")]).unwrap();
        let (mut session, _) = open("2025-11-25", "{}");
        let Step::Done(answer) = call(&mut session, TOOL).handle_reply(answer, ids()) else { panic!() };
        assert_eq!(text(&answer), format!(r#"{{"jsonrpc":"2.0","id":"c","result":{wanted}}}"#));
    }
}

#[test]
fn a_client_s_own_values_make_nothing_of_what_it_can_be_asked() {
    let long = "x".repeat(1 << 20);
    let said = format!(
        r#"{{"roots":{{"listChanged":true,"mine":"{long}"}},"sampling":{{"context":{{"a":"{long}"}},"tools":true,"b":1}},"elicitation":{{"url":{{}},"c":{{}}}},"experimental":{{"d":1.0}}}}"#
    );
    let (mut session, _) = open("2025-11-25", &said);
    let request = call(&mut session, TOOL).request();
    let heard =
        br#"{"experimental":{"d":1.0},"elicitation":{"url":{}},"roots":{},"sampling":{"context":{}}}"#;
    assert_eq!(request.member(Part::Meta, keys::CLIENT_CAPABILITIES), Some(&heard[..]));
}

#[test]
fn a_client_says_no_more_of_itself_than_is_kept() {
    let long = "x".repeat(5000);
    for (what, capabilities, info) in [
        ("capabilities are", format!(r#"{{"experimental":{{"a":"{long}"}}}}"#), r#"{"name":"c"}"#.to_owned()),
        ("clientInfo is", "{}".to_owned(), format!(r#"{{"name":"{long}"}}"#)),
    ] {
        let request = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"clientInfo":{info}}}}}"#
        );
        let refused = answered(&mut Session::new(), &request);
        assert!(refused.contains("-32602") && refused.contains(what), "{refused}");
    }
    let (mut session, _) = open("2025-11-25", "{}");
    let uri = "u".repeat(9000);
    let subscribe =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{{"uri":"{uri}"}}}}"#);
    let refused = answered(&mut session, &subscribe);
    assert!(refused.contains("-32602"), "{refused}");
}

#[test]
fn a_tool_is_called_as_if_nobody_had_asked_for_a_task() {
    let (mut session, _) = open("2025-11-25", r#"{"tasks":{}}"#);
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","task":{"ttl":1},"arguments":{"task":"t"}}}"#;
    let sent = text(&call(&mut session, request).request());
    assert!(!sent.contains("ttl") && sent.contains(r#""arguments":{"task":"t"}"#), "{sent}");
    assert!(sent.contains("protocolVersion"), "{sent}");
}
