//! Who dies at which point of a call, and what its client is told: the table in docs/outcomes.md, line by line.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "what is shared is not used by all")]

mod gateway;
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use server::{CONTROL, DIR, POINT, TRANSPORT};
use support::{INITIALIZE, Serving};

const TABLE: &str = include_str!("../../../../docs/outcomes.md");

/// The arguments that make of this program the process of the server.
const SERVER: [&str; 4] = ["a_mortal_server", "--exact", "--ignored", "--nocapture"];

/// The process of the server, if the environment names a transport.
#[test]
#[ignore = "a program that the tests start"]
fn a_mortal_server() {
    if let Ok(transport) = std::env::var(TRANSPORT) {
        server::run(&transport);
    }
}

/// The lines of the table that has a column, cell by cell.
fn table(column: &str) -> Vec<Vec<String>> {
    let is_head = |line: &&str| line.starts_with("| the ") && line.contains(&format!("| {column} |"));
    let mut lines = TABLE.lines().skip_while(|line| !is_head(line)).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let table: Vec<Vec<String>> = lines.by_ref().map(cells).collect();
    assert!(table.len() > 2, "no column {column}");
    table
}

/// What the table says of a column.
fn column(name: &str) -> Vec<(String, String)> {
    let table = table(name);
    let at = table[0].iter().position(|head| head == name).unwrap();
    table[2..].iter().map(|line| (line[0].clone(), line[at].clone())).collect()
}

/// One run: a directory in which the server writes down what it does, and its process if it has a URL.
struct Stage {
    dir: tempfile::TempDir,
    point: String,
    control: Option<String>,
    server: Option<Child>,
}

impl Stage {
    fn new(point: &str, control: Option<String>) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), point: point.to_owned(), control, server: None }
    }

    fn env(&self, transport: &str) -> Vec<(&'static str, String)> {
        let dir = self.dir.path().to_str().unwrap().to_owned();
        let mut env = vec![(TRANSPORT, transport.to_owned()), (POINT, self.point.clone()), (DIR, dir)];
        env.extend(self.control.clone().map(|control| (CONTROL, control)));
        env
    }

    /// Starts the server behind a URL.
    fn start(&mut self, transport: &str) -> String {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(SERVER)
            .envs(self.env(transport))
            .stdout(Stdio::null())
            .spawn();
        self.server = Some(child.unwrap());
        eventually("the server listens", || self.dir.path().join("address").exists());
        let address = fs::read_to_string(self.dir.path().join("address")).unwrap();
        format!("http://{address}/{}", if transport == "sse" { "sse" } else { "mcp" })
    }

    /// From now on the point counts.
    fn arm(&self) {
        fs::write(self.dir.path().join("armed"), "").unwrap();
    }

    fn has_died(&mut self) -> bool {
        if let Some(server) = &mut self.server {
            return server.try_wait().unwrap().is_some();
        }
        // Until it has been waited for, which is when the bridge knows of it, it is there as a zombie.
        let pid = fs::read_to_string(self.dir.path().join("dead"));
        pid.is_ok_and(|pid| !std::path::Path::new("/proc").join(pid).exists())
    }

    /// How often the server had the call `n`.
    fn calls_seen(&self, n: u32) -> usize {
        let seen = fs::read_to_string(self.dir.path().join("seen")).unwrap_or_default();
        seen.matches(&n.to_string()).count()
    }

    /// A client has been asked, and a server that waits for that goes on.
    fn note_asked(&self) {
        fs::write(self.dir.path().join("asked"), "").unwrap();
    }

    /// The clients are of 2026-07-28.
    fn note_modern(&self) {
        fs::write(self.dir.path().join("modern"), "").unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::yield_now();
    }
}

/// How a client of an era speaks.
#[derive(Clone, Copy)]
struct Speaker<'a> {
    bridge: &'a Serving,
    session: Option<&'a str>,
    tool: &'a str,
}

impl Speaker<'_> {
    /// Calls the tool; `rest` stands behind its arguments.
    fn call(&self, n: u32, rest: &str) -> String {
        self.call_as(n, n, rest)
    }

    /// The same under another id.
    fn call_as(&self, id: u32, n: u32, rest: &str) -> String {
        lossy(self.send(&self.request(id, n, rest)))
    }

    /// Sends a call, and leaves the response to be read.
    fn send(&self, request: &str) -> TcpStream {
        match self.session {
            Some(session) => self.bridge.send(request, Some(session)),
            None => self.send_modern("tools/call", Some(self.tool), request),
        }
    }

    fn request(&self, id: u32, n: u32, rest: &str) -> String {
        let (tool, meta) = (self.tool, if self.session.is_none() { MODERN } else { "" });
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"_meta":{{"progressToken":"p"{meta}}},"name":"{tool}","arguments":{{"n":{n}}}{rest}}}}}"#
        )
    }

    fn modern(&self, method: &str, name: Option<&str>, body: &str) -> String {
        lossy(self.send_modern(method, name, body))
    }

    fn send_modern(&self, method: &str, name: Option<&str>, body: &str) -> TcpStream {
        let name = name.map(|name| format!("Mcp-Name: {name}\r\n")).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.bridge.address).unwrap();
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: {method}\r\n{name}Content-Length: {}\r\n\r\n{body}",
            self.bridge.address,
            body.len()
        )
        .unwrap();
        stream
    }
}

/// What brings an answer to a question in a second request, and to what.
fn declined(state: &str) -> String {
    format!(r#","inputResponses":{{"ask-1":{{"action":"decline"}}}},"requestState":"{state}""#)
}

/// The `requestState` of what asks.
fn state_of(response: &str) -> Option<&str> {
    response.split(r#""requestState":""#).nth(1).and_then(|rest| rest.split('"').next())
}

const MODERN: &str = r#","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}"#;

/// All that comes of a response, though its connection may break.
fn lossy(mut stream: TcpStream) -> String {
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

/// What a response says of the call `n`, which is its id too.
fn outcome(response: &str, n: u32) -> String {
    outcome_as(response, n, n)
}

/// The same under another id.
fn outcome_as(response: &str, id: u32, n: u32) -> String {
    let answers = response.matches(&format!(r#""id":{id},"#)).count();
    assert!(answers <= 1, "{answers} answers: {response}");
    if response.contains(&format!("done {n}")) {
        assert!(!response.contains("\"error\""), "{response}");
        return "answered".to_owned();
    }
    assert!(!response.contains(r#""content""#), "a wrong answer: {response}");
    for outcome in ["not sent", "sent, unknown", "answered with an error"] {
        if response.contains(&format!(r#""outcome":"{outcome}""#)) {
            return outcome.to_owned();
        }
    }
    if response.contains("the requestState is not valid here") {
        return "-32602".to_owned();
    }
    assert!(!response.contains(r#""result""#), "an empty success: {response}");
    assert_eq!(answers, 0, "an answer without an outcome: {response}");
    "no answer".to_owned()
}

/// The server dies at a point, and the outcome of the call is told.
fn server_dies(point: &str, transport: &str, is_modern: bool) -> String {
    let mut stage = Stage::new(point, None);
    let this = std::env::current_exe().unwrap();
    let mut args = vec!["bridge".to_owned()];
    match transport {
        "http" | "sse" | "modern-http" => args.extend(["--upstream".to_owned(), stage.start(transport)]),
        _ => {
            for (name, value) in stage.env(transport) {
                args.extend(["--env".to_owned(), format!("{name}={value}")]);
            }
            args.extend(["--", this.to_str().unwrap()].into_iter().chain(SERVER).map(Into::into));
        }
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let bridge = Serving::start(&args);
    if transport.starts_with("modern") {
        // What finds out what the server speaks would be taken for a client that opens.
        let list = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{{}}}}}}}"#,
            &MODERN[1..]
        );
        let client = Speaker { bridge: &bridge, session: None, tool: "t" };
        eventually("the server is there", || {
            client.modern("tools/list", None, &list).contains(r#""name":"t""#)
        });
    }
    stage.arm();
    if is_modern {
        stage.note_modern();
    }
    let tells_of_opening = point == "while its session is opened";
    if tells_of_opening && !is_modern {
        // The request that opens it is the one that fails.
        let failed = bridge.post(&INITIALIZE.replace(r#""id":1"#, r#""id":3"#), None);
        return outcome(&failed, 3);
    }
    let is_asked_by_an_answer = point == "while its client is asked" && transport.starts_with("modern");
    if is_asked_by_an_answer && !is_modern {
        return asked_by_an_answer(&mut stage, &bridge);
    }
    let session = (!is_modern).then(|| bridge.open());
    let client = Speaker { bridge: &bridge, session: session.as_deref(), tool: "t" };
    if is_modern && ["before it is sent", "after it is sent, before it is read"].contains(&point) {
        // Which opens the session.
        let discover = format!(
            r#"{{"jsonrpc":"2.0","id":2,"method":"server/discover","params":{{"_meta":{{{}}}}}}}"#,
            &MODERN[1..]
        );
        assert!(client.modern("server/discover", None, &discover).contains("supportedVersions"));
    }
    if point == "before it is sent" {
        eventually("the server is dead", || stage.has_died());
    }
    let first = client.call(3, "");
    let mut told = outcome_or_question(&first, 3);
    assert!(!is_modern || point != "while its client is asked" || told.is_empty(), "{first}");
    if let Some(state) = state_of(&first) {
        stage.note_asked();
        eventually("the server is dead", || stage.has_died());
        told = outcome_as(&client.call_as(4, 3, &declined(state)), 4, 3);
    }
    let seen = stage.calls_seen(3);
    assert!(seen <= 1, "{point}, {transport}: the server had it {seen} times");
    // A modern server that has asked has not run the call yet; what was not sent is the answer.
    assert!(
        told != "not sent" || seen == 0 || is_asked_by_an_answer,
        "{point}, {transport}: not sent, and seen"
    );
    assert!(told != "answered" || seen == 1);
    told
}

/// A modern server asks by its answer, and dies before its legacy client has answered.
fn asked_by_an_answer(stage: &mut Stage, bridge: &Serving) -> String {
    let session = open_to_be_asked(bridge);
    let client = Speaker { bridge, session: Some(&session), tool: "t" };
    let mut stream = bridge.send(&client.request(3, 3, ""), Some(&session));
    let said = question(&mut stream);
    stage.note_asked();
    eventually("the server is dead", || stage.has_died());
    let asked = said.lines().filter_map(|line| line.strip_prefix("data: "));
    let asked = asked.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    let id =
        asked.filter(|asked| asked["method"] == "elicitation/create").map(|asked| asked["id"].clone()).next();
    let answer = json!({ "jsonrpc": "2.0", "id": id.unwrap(), "result": { "action": "decline" } });
    bridge.post(&answer.to_string(), Some(&session));
    assert_eq!(stage.calls_seen(3), 1);
    outcome(&lossy(stream), 3)
}

/// What a legacy client's stream says until it is asked.
fn question(stream: &mut TcpStream) -> String {
    let mut said = String::new();
    let mut byte = [0];
    while !said.ends_with("}\n\n") || !said.contains("elicitation/create") {
        assert!(stream.read(&mut byte).unwrap_or_default() > 0, "nobody is asked: {said}");
        said.push(char::from(byte[0]));
    }
    said
}

/// Opens a session whose client can be asked.
fn open_to_be_asked(bridge: &Serving) -> String {
    let initialize = INITIALIZE.replace(r#""capabilities":{}"#, r#""capabilities":{"elicitation":{}}"#);
    let opened = bridge.post(&initialize, None);
    opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap().to_owned()
}

fn outcome_or_question(response: &str, n: u32) -> String {
    if response.contains(r#""resultType":"input_required""#) { String::new() } else { outcome(response, n) }
}

/// Compares what is told with the table, where a cell may have several outcomes: which of them it is depends on whether the
/// bridge has noticed yet.
fn check(name: &str, run: impl Fn(&str) -> String) {
    let lines = column(name).into_iter().filter(|(_, wanted)| wanted != "-");
    let wrong = lines.filter_map(|(point, wanted)| {
        let told = run(&point);
        let is_right = wanted.split(" or ").any(|wanted| wanted == told);
        (!is_right).then(|| format!("{point}: {told}, not {wanted}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

#[test]
fn legacy_clients_are_told_the_outcome_when_a_child_dies() {
    check("child, legacy client", |point| server_dies(point, "stdio", false));
}

#[test]
fn modern_clients_are_told_the_outcome_when_a_child_dies() {
    check("child, modern client", |point| server_dies(point, "stdio", true));
}

#[test]
fn legacy_clients_are_told_the_outcome_when_a_server_at_a_url_dies() {
    check("URL, legacy client", |point| server_dies(point, "http", false));
}

#[test]
fn modern_clients_are_told_the_outcome_when_a_server_at_a_url_dies() {
    check("URL, modern client", |point| server_dies(point, "http", true));
}

#[test]
fn legacy_clients_are_told_the_outcome_when_a_modern_child_dies() {
    check("modern child, legacy client", |point| server_dies(point, "modern-stdio", false));
}

#[test]
fn modern_clients_are_told_the_outcome_when_a_modern_child_dies() {
    check("modern child, modern client", |point| server_dies(point, "modern-stdio", true));
}

#[test]
fn legacy_clients_are_told_the_outcome_when_a_modern_server_at_a_url_dies() {
    check("modern URL, legacy client", |point| server_dies(point, "modern-http", false));
}

#[test]
fn modern_clients_are_told_the_outcome_when_a_modern_server_at_a_url_dies() {
    check("modern URL, modern client", |point| server_dies(point, "modern-http", true));
}

#[test]
fn legacy_clients_are_told_the_outcome_when_a_server_on_http_sse_dies() {
    check("HTTP+SSE, legacy client", |point| server_dies(point, "sse", false));
}

#[test]
fn modern_clients_are_told_the_outcome_when_a_server_on_http_sse_dies() {
    check("HTTP+SSE, modern client", |point| server_dies(point, "sse", true));
}
