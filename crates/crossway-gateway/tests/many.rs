//! A bridge in front of several servers: merged at the root, each alone below its name, from a file that changes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use support::{CROSSWAY, INITIALIZE, Serving, run};

/// A file with the demo as `stdio` and at `url`.
fn file(dir: &tempfile::TempDir, servers: &str) -> String {
    let path = dir.path().join("servers.json");
    fs::write(&path, format!(r#"{{ "mcpServers": {{ {servers} }} }}"#)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn stdio(name: &str) -> String {
    format!(r#""{name}": {{ "command": "{CROSSWAY}", "args": ["demo", "--stdio", "--era", "legacy"] }}"#)
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;

fn list(serving: &Serving, path: &str) -> String {
    let session = serving.open_at(path);
    serving.post_at(path, LIST, Some(&session))
}

/// Asks again until it is so: servers start, and files are looked at each second.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn several_servers_are_merged_and_each_is_alone_below_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let modern = Serving::start(&["demo", "--era", "modern"]);
    let remote = Serving::start(&["demo"]);
    let servers = [
        stdio("local one"),
        format!(r#""remote": {{ "type": "sse", "url": "{}" }}"#, remote.url("/sse")),
        format!(r#""new": {{ "url": "{}" }}"#, modern.url("/mcp")),
        r#""dead": { "command": "/nonexistent/server" }"#.to_owned(),
        r#""off": { "command": "/nonexistent/server", "disabled": true }"#.to_owned(),
    ];
    let bridge = Serving::start(&["bridge", "--config", &file(&dir, &servers.join(", "))]);

    eventually("all living servers are in the list", || {
        let tools = list(&bridge, "/mcp");
        ["local_one__echo", "remote__echo", "new__echo"]
            .iter()
            .all(|name| tools.contains(&format!("\"{name}")))
    });
    let session = bridge.open();
    for name in ["remote__echo", "new__echo"] {
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":"é","method":"tools/call","params":{{"name":"{name}","arguments":{{"message":"to {name}"}}}}}}"#
        );
        let answer = bridge.post(&call, Some(&session));
        assert!(answer.contains(&format!("to {name}")) && answer.contains(r#""id":"é""#), "{answer}");
    }
    // Alone, a server has its own names, and so has a client of either era.
    for path in ["/local%20one/mcp", "/remote/mcp", "/new/mcp"] {
        let tools = list(&bridge, path);
        assert!(tools.contains(r#""name":"echo""#) && !tools.contains("__echo"), "{tools}");
    }
    let dead = bridge.post_at("/dead/mcp", INITIALIZE, None);
    assert!(dead.contains("can't be reached") || dead.contains("can't be started"), "{dead}");
    let nowhere = bridge.post_at("/off/mcp", INITIALIZE, None);
    assert!(nowhere.starts_with("HTTP/1.1 404"), "{nowhere}");
    let others = "/mcp, /dead/mcp, /local%20one/mcp, /new/mcp, /remote/mcp";
    assert!(nowhere.contains(others), "{nowhere}");
    let unknown = bridge.post(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nobody__echo","arguments":{}}}"#,
        Some(&session),
    );
    assert!(unknown.contains("-32602") && unknown.contains("Unknown tool"), "{unknown}");
    let unnamed = bridge.post(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nosuch","arguments":{}}}"#,
        Some(&session),
    );
    let told = r#"unknown tool \"nosuch\"; servers that have not told their tools yet: dead"#;
    assert!(unnamed.contains(told), "{unnamed}");
    // One slash behind a path is the same path.
    for path in ["/mcp/", "/remote/mcp/"] {
        assert!(bridge.post_at(path, INITIALIZE, None).starts_with("HTTP/1.1 200"), "{path}");
    }
    for path in ["/mcp//", "//mcp", "/mcp/x", "/remote/mcp//", "/remote//mcp"] {
        assert!(bridge.post_at(path, INITIALIZE, None).starts_with("HTTP/1.1 404"), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn a_server_that_answers_nothing_gets_no_calls_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Serving::start(&["demo", "--era", "legacy"]);
    let servers = file(&dir, &format!(r#""hangs": {{ "url": "{}" }}"#, demo.url("/mcp")));
    let bridge = Serving::start(&["bridge", "--timeout", "1", "--config", &servers]);
    eventually("the server is there", || list(&bridge, "/hangs/mcp").contains(r#""name":"echo""#));
    let session = bridge.open_at("/hangs/mcp");
    demo.signal("STOP");
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"m"}}}"#;
    eventually("calls fail at once", || {
        let answer = bridge.post_at("/hangs/mcp", call, Some(&session));
        // The signal may arrive after the first call.
        let is_other = answer.contains(r#""text":"m""#) || answer.contains("-31002");
        assert!(is_other || answer.contains("-31001") && answer.contains("retryAfterSeconds"), "{answer}");
        !is_other
    });
}

#[test]
fn a_changed_file_is_taken_up_and_a_broken_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, &stdio("one"));
    let bridge = Serving::start(&["bridge", "--config", &path]);
    eventually("the first server is there", || list(&bridge, "/mcp").contains("one__echo"));
    let session = bridge.open_at("/one/mcp");

    file(&dir, &[stdio("one"), stdio("two")].join(", "));
    eventually("the second server is there", || list(&bridge, "/mcp").contains("two__echo"));
    // What did not change goes on.
    assert!(bridge.post_at("/one/mcp", LIST, Some(&session)).contains(r#""name":"echo""#));

    fs::write(&path, "{ this is no JSON").unwrap();
    file(&dir, &stdio("two"));
    eventually("the first server is gone", || !list(&bridge, "/mcp").contains("one__echo"));
    assert!(list(&bridge, "/mcp").contains("two__echo"));
    assert!(bridge.post_at("/one/mcp", INITIALIZE, None).starts_with("HTTP/1.1 404"));
}

#[test]
fn urls_with_names_need_no_file() {
    let (one, two) = (Serving::start(&["demo"]), Serving::start(&["demo"]));
    let (one, two) = (format!("a={}", one.url("/mcp")), format!("b={}", two.url("/sse")));
    let demo = (Serving::start(&["demo"]), one, two);
    let upstream = format!("c={}", demo.0.url("/mcp"));
    let bridge = Serving::start(&["bridge", "--upstream", &upstream, "--upstream", &demo.1]);
    eventually("the living server is there", || list(&bridge, "/mcp").contains("c__echo"));
}

#[test]
fn a_file_that_can_t_be_used_ends_with_2_and_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "\n \"a\": {}");
    let output = run(&["bridge", "--config", &path]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("servers.json:2:7: the server \"a\" has neither"), "{said}");
}

#[test]
fn a_session_goes_on_in_another_process_with_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, &stdio("one"));
    let key = dir.path().join("key");
    fs::write(&key, crossway_seal::Keyring::generate().unwrap()).unwrap();
    let args = ["bridge", "--config", &path, "--session-key", key.to_str().unwrap()];
    let mut first = Serving::start(&args);
    let second = Serving::start(&args);
    let stranger = Serving::start(&["bridge", "--config", &path]);
    eventually("the first one's server is there", || list(&first, "/mcp").contains("one__echo"));
    eventually("the second one's server is there", || list(&second, "/mcp").contains("one__echo"));

    let session = first.open();
    let call = |serving: &Serving, text: &str| {
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"one__echo","arguments":{{"message":"{text}"}}}}}}"#
        );
        serving.post(&call, Some(&session))
    };
    assert!(call(&first, "here").contains("here"));
    assert!(call(&second, "there").contains("there"));
    first.child.kill().unwrap();
    assert!(call(&second, "still there").contains("still there"));
    assert!(call(&stranger, "nowhere").starts_with("HTTP/1.1 404"));
    // An id of one server's own sessions is none of the merged ones'.
    let own = second.open_at("/one/mcp");
    assert!(second.post(LIST, Some(&own)).starts_with("HTTP/1.1 404"));
    assert!(second.post_at("/one/mcp", LIST, Some(&session)).starts_with("HTTP/1.1 404"));
}
