//! One good server among bad ones: what the bad ones do is told to those who call them, and to nobody else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{CROSSWAY, Serving};

/// Says what the process of a bad server does.
const MODE: &str = "CROSSWAY_TEST_FAULT";

/// The bad servers: what each does, and what its calls are told.
const FAULTS: [(&str, &str); 8] = [
    ("dies", "\"outcome\":\"sent, unknown\""),
    ("lies", "\"outcome\":\"sent, unknown\""),
    ("silent", "\"outcome\":\"sent, unknown\""),
    ("flaps", "\"outcome\":"),
    ("mute", "\"outcome\":"),
    ("garbage", "\"outcome\":"),
    ("floods", "\"text\":\"flooded\""),
    ("dead", "\"outcome\":\"not sent\""),
];

/// The process of a bad server, which this program is with a mode. The bridge skips the lines that the test harness prints before.
#[test]
#[ignore = "a program that the tests start"]
fn a_bad_server() {
    let Ok(mode) = std::env::var(MODE) else { return };
    match mode.as_str() {
        "mute" => loop {
            std::thread::park();
        },
        "garbage" => while writeln!(std::io::stdout(), "{{ no JSON").is_ok() {},
        "flaps" => std::process::exit(7),
        _ => serve(&mode),
    }
    std::process::exit(0);
}

fn serve(mode: &str) {
    let say = |message: Value| drop(writeln!(std::io::stdout(), "{message}"));
    for line in std::io::stdin().lock().lines() {
        let Ok(request) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
        let Some(id) = request.get("id") else {
            if mode == "floods" && request["method"] == "notifications/initialized" {
                std::thread::spawn(|| {
                    let change = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
                    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
                    while writeln!(std::io::stdout(), "{change}\n{log}").is_ok() {}
                });
            }
            continue;
        };
        match (request["method"].as_str().unwrap_or_default(), mode) {
            ("initialize", _) => say(json!({ "jsonrpc": "2.0", "id": id, "result": {
                "protocolVersion": "2025-06-18", "capabilities": { "tools": { "listChanged": true } },
                "serverInfo": { "name": mode, "version": "0" },
            } })),
            ("tools/list", _) => say(json!({ "jsonrpc": "2.0", "id": id, "result": {
                "tools": [{ "name": "t", "inputSchema": { "type": "object" } }],
            } })),
            ("tools/call", "dies") => std::process::exit(3),
            ("tools/call", "lies") => say(json!({ "jsonrpc": "2.0", "id": 424_242, "result": {} })),
            ("tools/call", "silent") => {}
            ("tools/call", _) => say(json!({ "jsonrpc": "2.0", "id": id, "result": {
                "content": [{ "type": "text", "text": "flooded" }],
            } })),
            _ => say(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no" } })),
        }
    }
}

fn call(name: &str, message: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": message, "method": "tools/call",
        "params": { "name": name, "arguments": { "message": message } } })
    .to_string()
}

#[test]
fn bad_servers_harm_themselves_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("servers.json");
    let this = std::env::current_exe().unwrap();
    let mut servers =
        json!({ "good": { "command": CROSSWAY, "args": ["demo", "--stdio", "--era", "legacy"] } });
    for (mode, _) in FAULTS {
        servers[mode] = match mode {
            "dead" => json!({ "command": "/nonexistent/server" }),
            _ => {
                json!({ "command": this, "args": ["a_bad_server", "--exact", "--ignored", "--nocapture"], "env": { MODE: mode } })
            }
        };
    }
    fs::write(&path, json!({ "mcpServers": servers }).to_string()).unwrap();
    let bridge = Serving::start(&["bridge", "--timeout", "2", "--config", path.to_str().unwrap()]);
    let session = bridge.open();
    let list = || bridge.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, Some(&session));
    let deadline = Instant::now() + Duration::from_secs(60);
    // Those that answer are listed, the others are missing.
    while !["good__echo", "dies__t", "lies__t", "silent__t", "floods__t"]
        .iter()
        .all(|name| list().contains(name))
    {
        assert!(Instant::now() < deadline, "{}", list());
    }
    assert!(["mute__", "garbage__", "dead__"].iter().all(|name| !list().contains(name)), "{}", list());

    std::thread::scope(|scope| {
        // The bad ones are called all the while.
        for (mode, told) in FAULTS {
            let (bridge, session) = (&bridge, &session);
            scope.spawn(move || {
                let answer = bridge.post(&call(&format!("{mode}__t"), mode), Some(session));
                assert!(answer.contains(told), "{mode}: {answer}");
                assert!(answer.contains(&format!("\"id\":\"{mode}\"")), "{mode}: {answer}");
            });
        }
        for client in 0..4 {
            let bridge = &bridge;
            scope.spawn(move || {
                let session = bridge.open();
                for number in 0..50 {
                    let text = format!("{client}-{number}");
                    let answer = bridge.post(&call("good__echo", &text), Some(&session));
                    assert!(answer.matches(&text).count() >= 2, "asked {text}: {answer}");
                }
            });
        }
    });
    // A server that died is there again for the next call.
    assert!(bridge.post(&call("dies__t", "again"), Some(&session)).contains("sent, unknown"));
    assert!(bridge.post(&call("good__echo", "last"), Some(&session)).contains("last"));
}
