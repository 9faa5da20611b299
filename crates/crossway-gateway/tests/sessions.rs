//! Sessions whose server goes away: the client is told, and begins a new one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::Duration;

use support::{CROSSWAY, Serving, read};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"}}}"#;
const SLOW: &str = r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"slow","arguments":{"ms":60,"steps":1000},"_meta":{"progressToken":8}}}"#;

fn get(bridge: &Serving, session: &str) -> TcpStream {
    use std::io::Write;
    let mut stream = TcpStream::connect(&bridge.address).unwrap();
    write!(
        stream,
        "GET /mcp HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: text/event-stream\r\n\
         Mcp-Session-Id: {session}\r\n\r\n",
        bridge.address
    )
    .unwrap();
    stream
}

/// Reads until a line has this in it, and gives all that was read.
fn until(stream: &mut BufReader<TcpStream>, wanted: &str) -> String {
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut all = String::new();
    while !all.contains(wanted) {
        assert!(stream.read_line(&mut all).unwrap() > 0, "no {wanted}: {all}");
    }
    all
}

fn children(of: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{of}/task")).unwrap();
    let children = tasks.flat_map(|task| std::fs::read_to_string(task.unwrap().path().join("children")));
    children.flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// "The server **MAY** terminate the session at any time, after which it **MUST** respond to requests containing that session ID
/// with HTTP 404 Not Found. When a client receives HTTP 404 [...] it **MUST** start a new session" (2025-11-25, basic/transports).
#[cfg(target_os = "linux")]
#[test]
fn a_session_ends_when_its_server_dies() {
    for listens in [false, true] {
        let bridge = Serving::start(&["bridge", "--", CROSSWAY, "demo", "--stdio", "--era", "legacy"]);
        let before = children(bridge.child.id());
        let session = bridge.open();
        assert!(bridge.post(CALL, Some(&session)).contains("hello"));
        let own: Vec<_> =
            children(bridge.child.id()).into_iter().filter(|pid| !before.contains(pid)).collect();
        assert!(!own.is_empty(), "a session has a process of its own");
        let standing = listens.then(|| get(&bridge, &session));
        let mut in_flight = BufReader::new(bridge.send(SLOW, Some(&session)));
        let head = until(&mut in_flight, "notifications/progress");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        for pid in own {
            assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        }
        until(&mut in_flight, "sent, unknown");
        if let Some(mut standing) = standing {
            standing.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            standing.read_to_end(&mut Vec::new()).unwrap();
        }
        let refused = bridge.post(CALL, Some(&session));
        assert!(refused.starts_with("HTTP/1.1 404"), "{refused}");
        let refused = read(get(&bridge, &session));
        assert!(refused.starts_with("HTTP/1.1 404"), "{refused}");
        let session = bridge.open();
        assert!(bridge.post(CALL, Some(&session)).contains("hello"));
    }
}
