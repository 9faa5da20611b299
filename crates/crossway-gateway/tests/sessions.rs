//! Sessions whose server goes away: the client is told, and begins a new one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use support::{CROSSWAY, INITIALIZE, Serving, read};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"}}}"#;
const SLOW: &str = r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"slow","arguments":{"ms":60,"steps":1000},"_meta":{"progressToken":8}}}"#;

fn get(bridge: &Serving, session: &str) -> TcpStream {
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
            assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
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

#[cfg(target_os = "linux")]
#[test]
fn a_command_of_a_bridge_has_no_more_sessions_than_the_flag_says() {
    let command = ["--", CROSSWAY, "demo", "--stdio", "--era", "legacy"];
    let bridge = Serving::start(&[&["bridge", "--sessions", "2"][..], &command].concat());
    let before = children(bridge.child.id()).len();
    let sessions: Vec<_> = (0..4).map(|_| bridge.open()).collect();
    let answers: Vec<_> = sessions.iter().map(|session| bridge.post(CALL, Some(session))).collect();
    let ended = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 404"));
    assert_eq!(ended.count(), 2, "{answers:?}");
    assert!(answers[3].contains("hello"), "{answers:?}");
    let deadline = Instant::now() + Duration::from_secs(60);
    while children(bridge.child.id()).len() > before + 2 {
        assert!(Instant::now() < deadline, "processes of sessions that have ended are still there");
        std::thread::yield_now();
    }
}

/// A client on standard input and output of `crossway stdio`.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    fn start(url: &str) -> Self {
        let mut command = Command::new(CROSSWAY);
        command.args(["stdio", url, "--log", "off"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    fn tell(&mut self, message: &str) {
        writeln!(self.input, "{message}").unwrap();
    }

    /// Asks, and gives the answer; what comes before it is not for this test.
    fn ask(&mut self, message: &str) -> String {
        self.tell(message);
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it has ended");
            if line.contains("\"id\":") && !line.contains("\"method\":") {
                return line;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// "When a client receives HTTP 404 in response to a request containing an `Mcp-Session-Id`, it **MUST** start a new session by
/// sending a new `InitializeRequest`" (2025-11-25, basic/transports, Session Management).
#[test]
fn a_client_on_stdio_goes_on_when_its_server_was_started_anew() {
    let server = Serving::start(&["demo", "--era", "legacy"]);
    let mut client = Client::start(&server.url("/mcp"));
    assert!(client.ask(INITIALIZE).contains("protocolVersion"));
    client.tell(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert!(client.ask(CALL).contains("hello"));
    let address = server.address.clone();
    drop(server);
    let _server = Serving::spawn(
        Command::new(CROSSWAY).args(["demo", "--era", "legacy", "--listen", &address, "--log", "warn"]),
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    // The first one may meet the old connection before its end is seen.
    while !client.ask(CALL).contains("hello") {
        assert!(Instant::now() < deadline, "it does not come back");
    }
}
