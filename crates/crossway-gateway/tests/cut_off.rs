//! Calls that are in flight when the time to drain is over: each client is told the outcome, on every face and before every server, at the
//! end and when a changed config takes a server away.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use support::tenants::{ALICE, by, eventually, sha256};
use support::{CROSSWAY, INITIALIZE, Serving, read};

const ARGUMENTS: &str = r#"{"steps":2,"ms":60000}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// A demo server whose input is written to a file as well, so that a test sees which calls have reached it.
struct Demo {
    folder: tempfile::TempDir,
    era: &'static str,
}

impl Demo {
    fn new(era: &'static str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), era }
    }

    fn input(&self) -> PathBuf {
        self.folder.path().join("input")
    }

    fn script(&self) -> String {
        format!("tee -a '{}' | '{CROSSWAY}' demo --stdio --era {}", self.input().display(), self.era)
    }

    fn bridged(&self) -> Serving {
        Serving::start(&["bridge", "--drain", "0.2", "--", "sh", "-c", &self.script()])
    }

    /// Writes a config that has this server, with a variable of its own.
    fn config(&self, variable: &str) -> PathBuf {
        let path = self.folder.path().join("crossway.yaml");
        let text = format!(
            "identity: {{ proof: api-keys, keys: [{{ sha256: \"{}\", subject: alice, groups: [acme] }}] }}\n\
             limits: {{ drain: 1s }}\nopenapi: {{}}\ntenants: {{ acme: {{ groups: [acme] }} }}\n\
             upstreams:\n  demo: {{ command: sh, args: [-c, {}], env: {{ A: {variable} }}, scope: tenant }}\n\
             grants:\n  - {{ tenant: acme, upstream: demo, tools: ['*'] }}\n",
            sha256(ALICE),
            serde_json::json!(self.script())
        );
        fs::write(&path, text).unwrap();
        path
    }

    fn served(&self) -> Serving {
        Serving::start(&["serve", "--config", self.config("a").to_str().unwrap()])
    }

    /// Waits until so many calls have reached it.
    fn has_had(&self, calls: usize) {
        eventually("the calls have reached the server", || {
            let input = fs::read_to_string(self.input()).unwrap_or_default();
            input.matches(r#""method":"tools/call""#).count() >= calls
        });
    }
}

fn call(tool: &str, meta: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{ARGUMENTS}{meta}}}}}"#
    )
}

fn legacy(serving: &Serving, path: &str, tool: &str) -> TcpStream {
    let session = by(ALICE).open(serving, path);
    send(serving, path, &format!("Mcp-Session-Id: {session}\r\n"), &call(tool, ""))
}

fn send(serving: &Serving, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Accept: application/json, text/event-stream\r\nAuthorization: Bearer {ALICE}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        serving.address,
        body.len()
    )
    .unwrap();
    stream
}

fn modern(serving: &Serving, path: &str, tool: &str) -> TcpStream {
    let headers =
        format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n");
    let meta = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"0"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
    send(serving, path, &headers, &call(tool, meta))
}

fn openapi(serving: &Serving, path: &str) -> TcpStream {
    send(serving, path, "", ARGUMENTS)
}

/// A call over HTTP+SSE: the stream that its answer comes on.
fn http_sse(serving: &Serving, below: &str, tool: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    write!(
        stream,
        "GET {below}/sse HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {ALICE}\r\n\r\n",
        serving.address
    )
    .unwrap();
    let mut stream = BufReader::new(stream);
    let mut line_with = |text: &str| {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(stream.read_line(&mut line).unwrap() > 0);
        }
        line
    };
    let line = line_with("data: ");
    let endpoint = format!("{below}/{}", line.trim_start_matches("data: ").trim());
    let post = |body: &str| {
        let answer = by(ALICE).post(serving, &endpoint, body);
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    };
    post(INITIALIZE);
    line_with("protocolVersion");
    post(INITIALIZED);
    post(&call(tool, ""));
    stream
}

fn to_end(mut stream: BufReader<TcpStream>) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    rest
}

/// Makes a call on each face, ends the gateway, and looks at what the clients are told.
fn all_are_told(demo: &Demo, mut serving: Serving, below: &str, tool: &str) {
    let path = format!("{below}/mcp");
    let legacy = legacy(&serving, &path, tool);
    let modern = modern(&serving, &path, tool);
    let http_sse = http_sse(&serving, below, tool);
    let openapi = openapi(&serving, if tool == "slow" && below.is_empty() { "/slow" } else { "/demo/slow" });
    demo.has_had(4);
    serving.signal("TERM");
    let error = r#""id":7,"error":{"code":-31002,"message":"the bridge is closing","data":{"outcome":"sent, unknown"}}"#;
    let (legacy, modern, http_sse, openapi) = (read(legacy), read(modern), to_end(http_sse), read(openapi));
    assert!(legacy.starts_with("HTTP/1.1 200") && legacy.contains(error), "{legacy}");
    assert!(modern.starts_with("HTTP/1.1 503") && modern.contains(error), "{modern}");
    assert!(http_sse.contains(error), "{http_sse}");
    assert!(openapi.starts_with("HTTP/1.1 503"), "{openapi}");
    assert!(
        openapi.contains(r#"{"detail":{"message":"the bridge is closing","outcome":"sent, unknown"}}"#),
        "{openapi}"
    );
    for answer in [modern, openapi] {
        assert!(!answer.contains("retry-after"), "it may have run: {answer}");
    }
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_bridge_before_a_legacy_server_tells_the_outcome_of_calls_that_it_cuts_off() {
    let demo = Demo::new("legacy");
    all_are_told(&demo, demo.bridged(), "", "slow");
}

#[test]
fn a_bridge_before_a_modern_server_tells_the_outcome_of_calls_that_it_cuts_off() {
    let demo = Demo::new("modern");
    all_are_told(&demo, demo.bridged(), "", "slow");
}

#[test]
fn serve_tells_the_outcome_of_calls_that_it_cuts_off() {
    for era in ["legacy", "modern"] {
        let demo = Demo::new(era);
        all_are_told(&demo, demo.served(), "", "demo__slow");
    }
}

#[test]
fn serve_tells_it_where_a_server_is_alone_too() {
    let demo = Demo::new("modern");
    all_are_told(&demo, demo.served(), "/demo", "slow");
}

/// Streams that have begun end with the error as their last event.
#[test]
fn a_stream_that_is_cut_off_ends_with_the_outcome() {
    let demo = Demo::new("modern");
    let mut serving = demo.bridged();
    let session = serving.open();
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"slow","arguments":{},"_meta":{{"progressToken":"p"}}}}}}"#,
        r#"{"steps":600,"ms":100}"#
    );
    let mut stream = BufReader::new(serving.send(&call, Some(&session)));
    let mut line = String::new();
    while !line.contains("notifications/progress") {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0);
    }
    serving.signal("TERM");
    let rest = to_end(stream);
    assert!(rest.contains(r#""id":7,"error":{"code":-31002"#), "{rest}");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_changed_config_that_takes_a_server_away_tells_the_outcome_of_calls_that_outlast_the_drain_time() {
    let demo = Demo::new("modern");
    let serving = demo.served();
    let legacy = legacy(&serving, "/demo/mcp", "slow");
    let modern = modern(&serving, "/demo/mcp", "slow");
    let http_sse = http_sse(&serving, "/demo", "slow");
    let openapi = openapi(&serving, "/demo/slow");
    demo.has_had(4);
    demo.config("b");
    serving.signal("HUP");
    for answer in [read(legacy), read(modern), to_end(http_sse), read(openapi)] {
        assert!(answer.contains("sent, unknown"), "{answer}");
    }
    // The changed one is there.
    let session = by(ALICE).open(&serving, "/demo/mcp");
    let echo = r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"echo","arguments":{"message":"still"}}}"#;
    assert!(by(ALICE).within(&session).post(&serving, "/demo/mcp", echo).contains("still"));
}
