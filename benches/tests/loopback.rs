//! The load generator against the echo server and the floor, over real sockets and pipes.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

const ECHO: &str = env!("CARGO_BIN_EXE_crossway-echo");
const FLOOR: &str = env!("CARGO_BIN_EXE_crossway-floor");
const BARS: &str = env!("CARGO_BIN_EXE_crossway-bars");
const LOAD: &str = env!("CARGO_BIN_EXE_crossway-load");

/// A server that ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn load(arguments: &[&str]) -> Output {
    Command::new(LOAD).args(arguments).output().unwrap()
}

/// Runs the load generator and returns its report, after checking that all answers were right.
fn clean(arguments: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let output = load(&[&["--json", file.to_str().unwrap()], arguments].concat());
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("0 wrong, 0 failed, 0 lost"), "{said}");
    serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
}

const CALLS: [&str; 8] = ["--sessions", "3", "--concurrency", "2", "--calls", "60", "--warmup", "0"];

#[test]
fn streamable_http_answers_every_call_rightly_in_every_revision() {
    for answers in [&["streamable-http"][..], &["streamable-http", "--sse-answers", "--threads", "2"]] {
        let server = Server::start(ECHO, answers);
        for revision in ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] {
            let report = clean(&[&CALLS[..], &["--url", &server.url, "--revision", revision]].concat());
            assert_eq!(report["calls"], 60);
        }
        let pid = server.child.id().to_string();
        let report = clean(
            &[&CALLS[..], &["--url", &server.url, "--with-get-stream", "--threads", "2", "--pid", &pid]]
                .concat(),
        );
        assert_eq!(report["processes"]["memory"]["processes"], 1);
    }
}

#[test]
fn http_sse_answers_every_call_rightly() {
    let server = Server::start(ECHO, &["http-sse"]);
    let report = clean(
        &[&CALLS[..], &["--transport", "http-sse", "--url", &server.url, "--revision", "2024-11-05"]]
            .concat(),
    );
    assert_eq!(report["calls"], 60);
}

#[test]
fn stdio_answers_every_call_rightly_in_both_eras() {
    for revision in ["2025-11-25", "2026-07-28"] {
        let report = clean(
            &[&CALLS[..], &["--transport", "stdio", "--revision", revision, "--", ECHO, "stdio"]].concat(),
        );
        assert_eq!(report["calls"], 60);
        assert_eq!(report["processes"]["memory"]["processes"], 3);
    }
}

#[test]
fn texts_that_fill_every_pipe_and_buffer_come_back_whole() {
    let http = Server::start(ECHO, &["streamable-http"]);
    let sse = Server::start(ECHO, &["http-sse"]);
    let floor = Server::start(FLOOR, &["--", ECHO, "stdio"]);
    let work = ["--sessions", "2", "--concurrency", "4", "--calls", "16", "--warmup", "0"];
    for payload in ["65536", "3000000"] {
        let work = [&work[..], &["--payload", payload]].concat();
        clean(&[&work[..], &["--url", &http.url]].concat());
        clean(&[&work[..], &["--url", &floor.url]].concat());
        clean(&[&work[..], &["--transport", "http-sse", "--url", &sse.url]].concat());
        clean(&[&work[..], &["--transport", "stdio", "--", ECHO, "stdio"]].concat());
    }
}

#[test]
fn the_floor_answers_every_call_rightly_and_its_servers_are_not_counted() {
    let floor = Server::start(FLOOR, &["--", ECHO, "stdio"]);
    let pid = floor.child.id().to_string();
    let report = clean(
        &[&CALLS[..], &["--url", &floor.url, "--pid", &pid, "--exclude-name", "crossway-echo"]].concat(),
    );
    assert_eq!(report["processes"]["memory"]["processes"], 1);
    let report = clean(&[&CALLS[..], &["--url", &floor.url, "--pid", &pid]].concat());
    assert!(report["processes"]["memory"]["processes"].as_u64().unwrap() >= 4);
}

#[test]
fn idle_sessions_are_held_and_ended() {
    let http = Server::start(ECHO, &["streamable-http"]);
    let sse = Server::start(ECHO, &["http-sse"]);
    let pid = http.child.id().to_string();
    let idle = ["--idle", "--sessions", "100", "--hold", "0"];
    for extra in [&[][..], &["--with-get-stream"]] {
        let report = clean(&[&idle[..], &["--url", &http.url, "--pid", &pid], extra].concat());
        assert_eq!(report["sessions"], 100);
        assert_eq!(report["held"]["processes"], 1);
    }
    clean(&[&idle[..], &["--transport", "http-sse", "--url", &sse.url]].concat());
}

#[test]
fn sessions_are_set_up_and_ended_over_and_over() {
    let http = Server::start(ECHO, &["streamable-http"]);
    let sse = Server::start(ECHO, &["http-sse"]);
    let setups = ["--setup-rate", "--sessions", "4", "--duration", "0.2"];
    for extra in [&[][..], &["--fresh-connections"]] {
        let report = clean(&[&setups[..], &["--url", &http.url], extra].concat());
        assert!(report["sessions"].as_u64().unwrap() > 0);
    }
    clean(&[&setups[..], &["--transport", "http-sse", "--url", &sse.url]].concat());
    clean(&[&setups[..], &["--transport", "stdio", "--", ECHO, "stdio"]].concat());
}

#[test]
fn a_tool_that_answers_otherwise_is_counted_as_wrong() {
    let server = Server::start(ECHO, &["streamable-http"]);
    let output = load(&["--url", &server.url, "--calls", "3", "--warmup", "0", "--answer-prefix", "Echo: "]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("3 wrong, 0 failed, 0 lost") && said.contains("came back as"), "{said}");
}

#[test]
fn a_tool_that_is_not_there_is_counted_as_failed() {
    let server = Server::start(ECHO, &["streamable-http"]);
    let output = load(&["--url", &server.url, "--calls", "3", "--warmup", "0", "--tool", "nope"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("0 wrong, 3 failed, 0 lost") && said.contains("no such tool"), "{said}");
}

#[test]
fn a_server_that_is_not_there_is_said_so() {
    let cases: [(&[&str], &str); 4] = [
        (&["--url", "http://127.0.0.1:9/mcp"], "could not connect to 127.0.0.1:9"),
        (&["--transport", "stdio", "--", "/nonexistent/server"], "could not start \"/nonexistent/server\""),
        (&["--transport", "stdio", "--", "false"], "--show-stderr"),
        (&["--url", "https://127.0.0.1/mcp"], "plain http"),
    ];
    for (arguments, reason) in cases {
        let output = load(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_process_that_is_not_there_is_said_so() {
    let server = Server::start(ECHO, &["streamable-http"]);
    let output = load(&["--url", &server.url, "--pid", "4294967295", "--calls", "1", "--warmup", "0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no process has the id"));
}

/// Measures one row with a stand-in for crossway: the floor, behind a script that takes crossway's arguments.
fn bars(script: &str, row: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let crossway = folder.path().join("crossway");
    std::fs::write(&crossway, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&crossway, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Command::new(BARS)
        .args(["--rounds", "1", "--duration", "0.2", "--only", row, "--crossway"])
        .arg(&crossway)
        .output()
        .unwrap()
}

#[test]
fn the_table_of_bars_says_what_was_met() {
    let stand_in = format!("shift; exec {FLOOR} \"$@\"");
    let output = bars(&stand_in, "16m");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // The stand-in has no HTTP upstream, which the row needs as well.
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("4 right") && said.contains("HTTP to HTTP: "), "{said}");
    let output = bars(&stand_in, "8x4");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("<= 1.5 x floor") && !said.contains("wrong"), "{said}");
}

#[test]
fn a_crossway_that_does_not_start_fails_its_row_and_is_quoted() {
    let output = bars("echo no such option >&2; exit 2", "8x4");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("NO") && said.contains("no such option"), "{said}");
}
