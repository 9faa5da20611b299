//! A gateway dies at a point of a call; another one that has its key goes on.

use std::fs;
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use super::support::Serving;
use super::{
    Speaker, Stage, check, declined, eventually, lossy, open_to_be_asked, outcome, outcome_as, question,
    state_of,
};

/// Two gateways that have one key, and a server.
struct Pair {
    stage: Stage,
    control: TcpListener,
    first: Serving,
    second: Serving,
}

impl Pair {
    fn new(point: &str, transport: &str) -> Self {
        let control = TcpListener::bind("127.0.0.1:0").unwrap();
        control.set_nonblocking(true).unwrap();
        let mut stage = Stage::new(point, Some(control.local_addr().unwrap().to_string()));
        let server = match transport {
            "stdio" | "modern-stdio" => {
                let env: serde_json::Map<String, Value> = stage
                    .env(transport)
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                json!({ "command": std::env::current_exe().unwrap(), "args": super::SERVER, "env": env })
            }
            _ => json!({ "url": stage.start(transport) }),
        };
        let (config, key) = (stage.dir.path().join("servers.json"), stage.dir.path().join("key"));
        fs::write(&config, json!({ "mcpServers": { "s": server } }).to_string()).unwrap();
        fs::write(&key, crossway_seal::Keyring::generate().unwrap()).unwrap();
        let args = ["bridge", "--config", config.to_str().unwrap(), "--session-key", key.to_str().unwrap()];
        let (first, second) = (Serving::start(&args), Serving::start(&args));
        for gateway in [&first, &second] {
            let session = gateway.open();
            let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
            eventually("its server is there", || gateway.post(list, Some(&session)).contains("s__t"));
        }
        Self { stage, control, first, second }
    }

    /// Waits until the server says that the point is reached; it goes on when what this gives is dropped.
    fn reached(&self) -> TcpStream {
        let mut reached = None;
        eventually("the point is reached", || {
            reached = self.control.accept().ok().map(|(stream, _)| stream);
            reached.is_some()
        });
        reached.unwrap()
    }
}

fn gateway_dies(point: &str, transport: &str, is_modern: bool) -> String {
    let pair = Pair::new(point, transport);
    let stage = &pair.stage;
    if is_modern {
        stage.note_modern();
    }
    let session = (!is_modern).then(|| open_to_be_asked(&pair.first));
    let at = |bridge| Speaker { bridge, session: session.as_deref(), tool: "s__t" };
    let (first, second) = (at(&pair.first), at(&pair.second));
    let opens = ["while its session is opened", "before it is sent"].contains(&point);
    if !opens {
        // Else the call would open a session with the server.
        assert_eq!(outcome(&first.call(1, ""), 1), "answered");
    }
    stage.arm();
    let mut stream = first.send(&first.request(3, 3, ""));
    let is_asked = point == "while its client is asked";
    let mut said = String::new();
    if is_asked {
        said = if is_modern { lossy(stream.try_clone().unwrap()) } else { question(&mut stream) };
        stage.note_asked();
    }
    let reached = pair.reached();
    if point == "after the answer" {
        said = lossy(stream.try_clone().unwrap());
    }
    pair.first.signal("KILL");
    said.push_str(&lossy(stream));
    drop(reached);
    let told = match state_of(&said) {
        Some(state) => outcome_as(&second.call_as(4, 3, &declined(state)), 4, 3),
        None => outcome(&said, 3),
    };
    assert_eq!(outcome(&second.call(5, ""), 5), "answered", "{point}: another one goes on");
    assert_eq!(stage.calls_seen(5), 1);
    // What is on its way to the server is there though the gateway is not.
    let may_be_lost = opens || point == "after it is sent, before it is read";
    let seen = stage.calls_seen(3);
    assert!(seen == 1 || seen == 0 && may_be_lost, "{point}: the server had it {seen} times");
    told
}

#[test]
fn a_gateway_that_dies_before_a_child_leaves_no_answer_behind_for_legacy_clients() {
    check("before a child, legacy client", |point| gateway_dies(point, "stdio", false));
}

#[test]
fn a_gateway_that_dies_before_a_child_leaves_no_answer_behind_for_modern_clients() {
    check("before a child, modern client", |point| gateway_dies(point, "stdio", true));
}

#[test]
fn a_gateway_that_dies_before_a_url_leaves_no_answer_behind_for_legacy_clients() {
    check("before a URL, legacy client", |point| gateway_dies(point, "http", false));
}

#[test]
fn a_gateway_that_dies_before_a_url_leaves_no_answer_behind_for_modern_clients() {
    check("before a URL, modern client", |point| gateway_dies(point, "http", true));
}

#[test]
fn a_gateway_that_dies_before_a_modern_child_leaves_no_answer_behind_for_legacy_clients() {
    check("before a modern child, legacy client", |point| gateway_dies(point, "modern-stdio", false));
}

#[test]
fn a_gateway_that_dies_before_a_modern_child_leaves_no_answer_behind_for_modern_clients() {
    check("before a modern child, modern client", |point| gateway_dies(point, "modern-stdio", true));
}

#[test]
fn a_gateway_that_dies_before_a_modern_url_leaves_no_answer_behind_for_legacy_clients() {
    check("before a modern URL, legacy client", |point| gateway_dies(point, "modern-http", false));
}

#[test]
fn a_gateway_that_dies_before_a_modern_url_leaves_no_answer_behind_for_modern_clients() {
    check("before a modern URL, modern client", |point| gateway_dies(point, "modern-http", true));
}

#[test]
fn a_gateway_that_dies_before_http_sse_leaves_no_answer_behind_for_legacy_clients() {
    check("before HTTP+SSE, legacy client", |point| gateway_dies(point, "sse", false));
}

#[test]
fn a_gateway_that_dies_before_http_sse_leaves_no_answer_behind_for_modern_clients() {
    check("before HTTP+SSE, modern client", |point| gateway_dies(point, "sse", true));
}
