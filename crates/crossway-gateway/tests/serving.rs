//! The binary at work: bridges over each transport, sessions, and the end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{CROSSWAY, INITIALIZE, Serving, read};

const ECHO: &str = r#"{"jsonrpc":"2.0","id":"é 1.0","method":"tools/call","params":{"name":"echo","arguments":{"message":"over \u0041"}}}"#;

fn echoes(serving: &Serving) {
    let session = serving.open();
    let answer = serving.post(ECHO, Some(&session));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""id":"é 1.0""#), "{answer}");
    assert!(answer.contains("over A"), "{answer}");
}

#[test]
fn a_stdio_server_is_served_over_streamable_http() {
    echoes(&Serving::start(&["bridge", "--", CROSSWAY, "demo", "--stdio"]));
}

#[test]
fn the_transport_of_a_url_is_found_out() {
    let demo = Serving::start(&["demo"]);
    for path in ["/mcp", "/sse"] {
        echoes(&Serving::start(&["bridge", "--upstream", &demo.url(path)]));
    }
    echoes(&Serving::start(&["bridge", "--upstream", &demo.url("/sse"), "--upstream-transport", "http-sse"]));
}

#[test]
fn where_nothing_is_a_bridge_says_where_something_is() {
    let bridge = Serving::start(&["bridge", "--", CROSSWAY, "demo", "--stdio"]);
    let mut stream = std::net::TcpStream::connect(&bridge.address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", bridge.address).unwrap();
    let answer = read(stream);
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains("at /mcp, HTTP+SSE at /sse, OpenAPI at /openapi.json"), "{answer}");
}

#[test]
fn a_url_is_a_stdio_server_until_its_input_is_closed() {
    let demo = Serving::start(&["demo"]);
    for path in ["/mcp", "/sse"] {
        let mut client = Command::new(CROSSWAY)
            .args(["stdio", &demo.url(path), "--log", "warn"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = client.stdin.take().unwrap();
        let mut stdout = BufReader::new(client.stdout.take().unwrap());
        writeln!(stdin, "{INITIALIZE}").unwrap();
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        assert!(answer.contains(r#""id":1,"result""#), "{answer}");
        writeln!(stdin, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#).unwrap();
        writeln!(stdin, "this is no message").unwrap();
        writeln!(stdin, "{ECHO}").unwrap();
        drop(stdin);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert!(rest.contains(r#""code":-32700"#) && rest.contains("over A"), "{rest}");
        assert!(client.wait().unwrap().success());
    }
}

/// A modern request over HTTP; `rest` stands behind its metadata.
fn modern(serving: &Serving, method: &str, name: Option<&str>, rest: &str) -> String {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1.0,"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{"elicitation":{{}}}}}}{rest}}}}}"#
    );
    let name = name.map(|name| format!("Mcp-Name: {name}\r\n")).unwrap_or_default();
    let mut stream = std::net::TcpStream::connect(&serving.address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\nAccept: */*\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}Content-Length: {}\r\n\r\n{body}",
        serving.address,
        body.len()
    )
    .unwrap();
    read(stream)
}

#[test]
fn a_legacy_server_answers_modern_clients() {
    let demo = Serving::start(&["demo", "--era", "legacy"]);
    let sse = demo.url("/sse");
    for args in [
        &["bridge", "--", CROSSWAY, "demo", "--stdio", "--era", "legacy"][..],
        &["bridge", "--upstream", &sse],
    ] {
        let bridge = Serving::start(args);
        let discovered = modern(&bridge, "server/discover", None, "");
        assert!(discovered.starts_with("HTTP/1.1 200"), "{discovered}");
        assert!(discovered.contains(r#""supportedVersions":["2026-07-28"]"#), "{discovered}");
        let echoed = modern(
            &bridge,
            "tools/call",
            Some("echo"),
            r#","name":"echo","arguments":{"message":"over \u0041"}"#,
        );
        assert!(echoed.contains("over A") && echoed.contains(r#""id":1.0"#), "{echoed}");
        assert!(echoed.contains(r#""resultType":"complete""#), "{echoed}");
        let asked = modern(&bridge, "tools/call", Some("ask"), r#","name":"ask","arguments":{}"#);
        assert!(asked.contains(r#""resultType":"input_required""#), "{asked}");
        echoes(&bridge);
    }
}

#[test]
fn a_modern_server_answers_legacy_clients() {
    let demo = Serving::start(&["demo", "--era", "modern"]);
    // A server of modern revisions alone has neither sessions nor HTTP+SSE.
    for (method, path, status) in
        [("GET", "/mcp", "HTTP/1.1 405"), ("DELETE", "/mcp", "HTTP/1.1 405"), ("GET", "/sse", "HTTP/1.1 404")]
    {
        let answer = of_page(&demo, &format!("{method} {path}"), "http://127.0.0.1", "", "");
        assert!(answer.starts_with(status), "{answer}");
    }
    for args in [
        &["bridge", "--", CROSSWAY, "demo", "--stdio", "--era", "modern"][..],
        &["bridge", "--upstream", &demo.url("/mcp")],
    ] {
        let bridge = Serving::start(args);
        echoes(&bridge);
        let discovered = modern(&bridge, "server/discover", None, "");
        assert!(discovered.starts_with("HTTP/1.1 200"), "{discovered}");
    }
}

/// A request of a page's, and the head of the answer.
fn of_page(bridge: &Serving, start: &str, origin: &str, more: &str, body: &str) -> String {
    let mut stream = std::net::TcpStream::connect(&bridge.address).unwrap();
    write!(
        stream,
        "{start} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nOrigin: {origin}\r\n\
         {more}Content-Length: {}\r\n\r\n{body}",
        bridge.address,
        body.len()
    )
    .unwrap();
    // A stream of events has no end.
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.by_ref().take_while(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

#[test]
fn pages_that_may_call_are_told_so_on_all_faces_of_a_bridge() {
    let page = "https://app.example";
    let bridge = Serving::start(&["bridge", "--allow-origin", page, "--", CROSSWAY, "demo", "--stdio"]);
    let own = format!("http://localhost:{}", bridge.address.rsplit(':').next().unwrap());
    let json = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
    let asked = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n";
    for origin in [page, &own] {
        let allowed = format!("access-control-allow-origin: {origin}\n");
        for (start, more, body, status) in [
            ("OPTIONS /mcp", asked, "", "204"),
            ("OPTIONS /sse", asked, "", "204"),
            ("OPTIONS /message", asked, "", "204"),
            ("OPTIONS /echo", asked, "", "204"),
            ("POST /mcp", json, INITIALIZE, "200"),
            ("POST /mcp", json, "{", "400"),
            ("GET /sse", "", "", "200"),
            ("POST /message?sessionId=1", json, "{}", "404"),
            ("PUT /mcp", "", "", "405"),
            ("GET /nowhere/mcp", "", "", "404"),
            ("GET /openapi.json", "", "", "200"),
        ] {
            let head = of_page(&bridge, start, origin, more, body);
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{start}: {head}");
            assert_eq!(head.matches(&allowed).count(), 1, "{start}: {head}");
            assert_eq!(head.matches("vary: Origin\n").count(), 1, "{start}: {head}");
            assert!(!head.contains("allow-credentials"), "{start}: {head}");
            let foreign = of_page(&bridge, start, "https://evil.example", more, body);
            assert!(foreign.starts_with("HTTP/1.1 403"), "{start}: {foreign}");
            assert!(!foreign.contains("access-control"), "{start}: {foreign}");
        }
    }
}

#[test]
fn paths_that_are_nothing_say_where_the_faces_are() {
    let demo = Serving::start(&["demo"]);
    let mut stream = std::net::TcpStream::connect(&demo.address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", demo.address).unwrap();
    let answer = read(stream);
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("Streamable HTTP is at /mcp"), "{answer}");
}

/// A call that takes so many steps of so many milliseconds, and is in flight.
#[cfg(unix)]
fn in_flight(bridge: &Serving, steps: u32, ms: u32) -> BufReader<std::net::TcpStream> {
    let session = bridge.open();
    let slow = format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"slow","arguments":{{"steps":{steps},"ms":{ms}}},"_meta":{{"progressToken":"p"}}}}}}"#
    );
    let mut stream = BufReader::new(bridge.send(&slow, Some(&session)));
    // Progress shows it.
    let mut line = String::new();
    while !line.contains("notifications/progress") {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0);
    }
    stream
}

#[test]
#[cfg(unix)]
fn sigterm_lets_a_call_in_flight_finish_and_ends_the_children() {
    let mut bridge = Serving::start(&["bridge", "--", CROSSWAY, "demo", "--stdio"]);
    let mut stream = in_flight(&bridge, 3, 300);
    bridge.signal("TERM");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(r#""id":2,"result""#), "{rest}");
    assert_eq!(bridge.child.wait().unwrap().code(), Some(0));
    let children = Command::new("pgrep").args(["-P", &bridge.child.id().to_string()]).output().unwrap();
    assert!(children.stdout.is_empty());
}

#[test]
#[cfg(unix)]
fn two_signals_at_once_are_one_wish() {
    let mut bridge = Serving::start(&["bridge", "--drain", "600", "--", CROSSWAY, "demo", "--stdio"]);
    let mut stream = in_flight(&bridge, 10, 200);
    // As `timeout` does.
    let pid = bridge.child.id();
    let twice = Command::new("sh").args(["-c", &format!("kill -TERM {pid}; kill -TERM {pid}")]).status();
    assert!(twice.unwrap().success());
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(r#""id":2,"result""#), "{rest}");
    assert_eq!(bridge.child.wait().unwrap().code(), Some(0));
}

#[test]
#[cfg(unix)]
fn who_is_asked_to_end_once_more_does_not_wait_for_calls() {
    let mut bridge = Serving::start(&["bridge", "--drain", "600", "--", CROSSWAY, "demo", "--stdio"]);
    let mut stream = in_flight(&bridge, 600, 100);
    // Those that come with the first one don't count.
    while bridge.child.try_wait().unwrap().is_none() {
        bridge.signal("INT");
    }
    assert_eq!(bridge.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("sent, unknown"), "{rest}");
}

/// Has `env` start a program that SIGHUP reaches, also where the tests themselves were started to outlive a terminal.
#[cfg(target_os = "linux")]
const HANGS_UP: &str = "--default-signal=HUP";

#[test]
#[cfg(target_os = "linux")]
fn who_is_asked_to_end_before_it_serves_ends_what_it_has_started() {
    for signal in ["TERM", "INT", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        // It says nothing, and has a child of its own.
        let script = format!("sleep 600 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", pids.display());
        let mut command = Command::new("env");
        command.args([HANGS_UP, CROSSWAY, "bridge", "--listen", "127.0.0.1:0", "--log", "warn"]);
        command.args(["--", "sh", "-c", &script]);
        let mut bridge = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        while !pids.exists() {
            std::thread::yield_now();
        }
        let sent = Command::new("kill").args(["-s", signal, &bridge.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(bridge.wait().unwrap().code(), Some(0), "{signal}");
        // Who has ended may wait for being reaped by whoever does that for orphans.
        let is_there = |pid| Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap();
        for pid in std::fs::read_to_string(&pids).unwrap().split_whitespace() {
            let deadline = Instant::now() + Duration::from_secs(20);
            while is_there(pid).success() {
                assert!(Instant::now() < deadline, "{pid} is there after {signal}");
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn a_client_that_leaves_a_silent_url_is_not_waited_for() {
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", silent.local_addr().unwrap());
    for (asked, code) in [("", 0), (INITIALIZE, 1)] {
        let mut stdio = Command::new(CROSSWAY)
            .args(["stdio", &url, "--log", "warn"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        write!(stdio.stdin.take().unwrap(), "{asked}").unwrap();
        assert_eq!(stdio.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_client_of_stdio_need_not_wait_for_the_answer_to_initialize() {
    for era in ["legacy", "modern"] {
        let demo = Serving::start(&["demo", "--era", era]);
        let mut stdio = Command::new(CROSSWAY)
            .args(["stdio", &demo.url("/mcp"), "--log", "warn"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        write!(stdio.stdin.take().unwrap(), "{INITIALIZE}\n{initialized}\n{ECHO}\n").unwrap();
        let said = String::from_utf8(stdio.wait_with_output().unwrap().stdout).unwrap();
        assert!(said.contains("over A") && !said.contains("error"), "{era}: {said}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_that_goes_ends_a_bridge_unless_it_was_started_to_outlive_that() {
    let mut demo =
        Serving::spawn(Command::new("env").args([HANGS_UP, CROSSWAY, "demo", "--listen", "127.0.0.1:0"]));
    demo.signal("HUP");
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));

    let mut nohup = Serving::spawn(Command::new("nohup").args([CROSSWAY, "demo", "--listen", "127.0.0.1:0"]));
    nohup.signal("HUP");
    nohup.open();
    nohup.signal("TERM");
    assert_eq!(nohup.child.wait().unwrap().code(), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn as_many_files_may_be_open_as_the_system_allows() {
    let script = format!("ulimit -Sn 64; exec '{CROSSWAY}' demo --listen 127.0.0.1:0");
    let demo = Serving::spawn(Command::new("sh").args(["-c", &script]));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", demo.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(soft > 64, "{line}");
}

#[test]
#[cfg(unix)]
fn a_call_that_outlasts_the_drain_time_does_not_keep_the_process() {
    let mut bridge = Serving::start(&["bridge", "--drain", "0.2", "--", CROSSWAY, "demo", "--stdio"]);
    let mut stream = in_flight(&bridge, 600, 100);
    bridge.signal("INT");
    assert_eq!(bridge.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("sent, unknown"), "{rest}");
}

#[test]
fn a_silent_call_ends_with_a_gateway_timeout_and_its_outcome() {
    let bridge = Serving::start(&["bridge", "--timeout", "0.3", "--", CROSSWAY, "demo", "--stdio"]);
    let session = bridge.open();
    // Without a progress token it says nothing until its end.
    let slow = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"slow","arguments":{"steps":2,"ms":60000}}}"#;
    let answer = bridge.post(slow, Some(&session));
    assert!(
        answer.contains("sent, unknown") && answer.contains("has not answered within 300 ms"),
        "{answer}"
    );
    echoes(&bridge);
}
