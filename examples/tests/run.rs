//! Runs each example to its end, and looks at what it says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

fn run(program: &str) -> String {
    let output = Command::new(program).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn own_upstream_answers() {
    let said = run(env!("CARGO_BIN_EXE_own_upstream"));
    assert!(said.contains(r#"{"content":[{"text":"HELLO","type":"text"}]}"#), "{said}");
}

#[test]
fn layer_sees_the_call_and_hands_all_of_its_reply_on() {
    let said = run(env!("CARGO_BIN_EXE_layer"));
    assert!(said.contains("tools/call was answered within"), "{said}");
    assert!(said.contains("notifications/progress") && said.contains("HELLO"), "{said}");
}

#[test]
fn openapi_goes_both_ways() {
    let said = run(env!("CARGO_BIN_EXE_openapi"));
    assert!(said.contains("the tool answers") && said.contains(r#""text":"card 7""#), "{said}");
    assert!(said.contains(r#""/getCard":{"post""#), "{said}");
}

#[test]
fn axum_bridge_lists_the_tools_of_a_stdio_server() {
    let said = run(env!("CARGO_BIN_EXE_axum_bridge"));
    assert!(said.contains(r#"/tools/mcp has the tools ["shout"]"#), "{said}");
}

#[test]
fn streamable_client_calls_a_server_of_either_era() {
    let said = run(env!("CARGO_BIN_EXE_streamable_client"));
    for era in ["the server is Legacy", "the server is Modern"] {
        let (_, of_era) = said.split_once(era).unwrap();
        assert!(of_era.contains(r#""name":"shout""#), "{said}");
        assert!(of_era.contains("notifications/progress") && of_era.contains("HELLO"), "{said}");
    }
}

#[test]
fn rmcp_http_sse_calls_a_tool() {
    let said = run(env!("CARGO_BIN_EXE_rmcp_http_sse"));
    assert!(said.contains("HELLO"), "{said}");
}

#[test]
fn router_calls_the_server_that_a_name_says() {
    let said = run(env!("CARGO_BIN_EXE_router"));
    assert!(said.contains(r#"the tools are ["one__shout", "two__shout"]"#), "{said}");
    assert!(said.contains("two__shout answers") && said.contains("HELLO"), "{said}");
    assert!(said.contains(r#"without the first they are ["two__shout"]"#), "{said}");
}

#[test]
fn naming_puts_the_server_last_and_tells_of_clashes() {
    let said = run(env!("CARGO_BIN_EXE_naming"));
    assert!(said.contains(r#"the tools are ["shout_at_one", "shout_at_two"]"#), "{said}");
    assert!(said.contains("shout_at_two answers") && said.contains("HELLO"), "{said}");
    assert!(said.contains("one and two both have shout"), "{said}");
}

#[test]
fn era_translates_a_session_and_a_question() {
    let said = run(env!("CARGO_BIN_EXE_era"));
    assert!(
        said.contains(r#"to the client: {"jsonrpc":"2.0","id":"question","method":"elicitation/create""#)
    );
    assert!(
        said.contains(r#""inputResponses":{"who":{"action":"accept","content":{"name":"Ada"}}}"#),
        "{said}"
    );
    let answer = r#"to the client: {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"Hello, Ada"}]}}"#;
    assert!(said.ends_with(&format!("{answer}\n")), "{said}");
}

#[test]
fn tenants_see_what_is_theirs_and_send_their_own_tokens() {
    let said = run(env!("CARGO_BIN_EXE_tenants"));
    for line in [
        "alice  notes__whoami       true   alice-at-notes",
        "bob    notes__whoami       false  there is no such tool",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
#[cfg(unix)]
fn unix_socket_serves_a_child() {
    let said = run(env!("CARGO_BIN_EXE_unix_socket"));
    assert!(said.contains(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#) && said.contains("Left"), "{said}");
}
