//! The log of a process: where nobody reads it, at the end, and what it says of servers.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use support::{CROSSWAY, Serving, run};

const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}"#;

/// A bridge before a server that says more on its standard error, before it serves, than a pipe and all room for lines take. Nobody
/// reads the bridge's log.
fn stalled() -> Serving {
    let server =
        format!("yes \"$(printf '%01000d' 0)\" | head -c 5000000 >&2; exec '{CROSSWAY}' demo --stdio");
    let mut bridge = Command::new(CROSSWAY);
    bridge.args(["bridge", "--log", "info", "--listen", "127.0.0.1:0", "--", "sh", "-c", &server]);
    Serving::spawn(bridge.stderr(Stdio::piped()))
}

#[test]
fn calls_go_on_when_nobody_reads_the_log_and_it_tells_how_much_it_lacks() {
    let mut bridge = stalled();
    let session = bridge.open();
    for _ in 0..10 {
        let answer = bridge.post(LIST, Some(&session));
        assert!(answer.contains(r#""name":"echo""#), "{answer}");
    }
    let log = BufReader::new(bridge.child.stderr.take().unwrap());
    let line = log.lines().map(Result::unwrap).find(|line| line.contains("lines of the log were dropped"));
    let line = line.expect("the log says what it lacks");
    let dropped: u64 = line.rsplit_once("lines=").unwrap().1.parse().unwrap();
    assert!(line.contains("ERROR") && dropped > 1000, "{line}");
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let mut bridge = stalled();
    let session = bridge.open();
    assert!(bridge.post(LIST, Some(&session)).contains(r#""name":"echo""#));
    bridge.signal("TERM");
    assert_eq!(bridge.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_last_words_of_a_process_come_last_and_whole() {
    let server = "for n in 1 2 3 4 5 6 7 8 9; do echo dying word $n >&2; done; exit 3";
    for format in ["text", "json"] {
        let ended = run(&[
            "bridge",
            "--listen",
            "127.0.0.1:0",
            "--log",
            "info",
            "--log-format",
            format,
            "--",
            "sh",
            "-c",
            server,
        ]);
        let said = String::from_utf8(ended.stderr).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        let (last, before) = lines.split_last().unwrap();
        assert!(last.starts_with("crossway: the MCP server can't be started"), "{said}");
        let first = before.iter().position(|line| line.contains("dying word 1")).expect("it is logged");
        for (line, number) in before[first..].iter().zip(1..10) {
            assert!(line.contains(&format!("dying word {number}")), "{said}");
        }
        assert_eq!(ended.status.code(), Some(1));
    }
}

#[test]
fn which_era_a_slow_server_speaks_is_told_once_it_is_known() {
    // It takes longer than it is waited for at first.
    let server = format!("sleep 2.5; exec '{CROSSWAY}' demo --stdio");
    let mut bridge = Command::new(CROSSWAY);
    bridge.args(["bridge", "--log", "info", "--listen", "127.0.0.1:0", "--", "sh", "-c", &server]);
    let mut bridge = Serving::spawn(bridge.stderr(Stdio::piped()));
    let log = BufReader::new(bridge.child.stderr.take().unwrap());
    let told = log.lines().map(Result::unwrap).filter(|line| line.contains("the MCP server is"));
    let told: Vec<String> = told.take(2).collect();
    assert!(told[0].contains("has said nothing yet") && !told[0].contains("speaks"), "{told:?}");
    assert!(
        told[1].contains("the MCP server is there") && told[1].contains("speaks=\"2026-07-28\""),
        "{told:?}"
    );
}
