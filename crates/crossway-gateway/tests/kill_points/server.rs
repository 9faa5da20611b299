//! The MCP server that dies: a legacy or a modern one, at the point of a call that its environment names.

use std::fs;
use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

#[path = "server_http.rs"]
mod http;

use serde_json::{Value, json};

/// Says which transport this process serves; without it, it serves none.
pub(crate) const TRANSPORT: &str = "CROSSWAY_TEST_TRANSPORT";
/// The point at which something happens, once.
pub(crate) const POINT: &str = "CROSSWAY_TEST_POINT";
/// Where it is written down what has happened.
pub(crate) const DIR: &str = "CROSSWAY_TEST_DIR";
/// Who is told that the point is reached, and is waited for. Without it, the process kills itself.
pub(crate) const CONTROL: &str = "CROSSWAY_TEST_CONTROL";

/// Whether the server is of 2026-07-28, and has no sessions.
static IS_MODERN: AtomicBool = AtomicBool::new(false);

pub(crate) fn run(transport: &str) {
    IS_MODERN.store(transport.starts_with("modern"), Ordering::SeqCst);
    match transport {
        "stdio" | "modern-stdio" => stdio(),
        "sse" => http::serve(http::exchange_sse),
        _ => http::serve(http::exchange),
    }
    std::process::exit(0);
}

fn is_modern() -> bool {
    IS_MODERN.load(Ordering::SeqCst)
}

/// Whether the client is ready for calls once this has been dealt with.
fn is_opening(request: &Value) -> bool {
    match is_modern() {
        // What finds out what the server speaks asks it too.
        true => request["method"] == "server/discover" && is_armed(),
        false => request["method"] == "notifications/initialized",
    }
}

fn dir() -> PathBuf {
    std::env::var_os(DIR).unwrap().into()
}

fn is_armed() -> bool {
    dir().join("armed").exists()
}

fn is_point(point: &str) -> bool {
    std::env::var(POINT).is_ok_and(|at| at == point)
}

/// Whether the next that comes to this point is who dies there.
fn is_near(point: &str) -> bool {
    is_point(point) && is_armed() && !dir().join("reached").exists()
}

/// Whether this is the point, for the first time in any process since the test said so: what finds out what the server
/// speaks asks it too.
fn is_at(point: &str) -> bool {
    is_near(point) && fs::create_dir(dir().join("reached")).is_ok()
}

/// Whether it is the client of this server that dies, while this server waits.
fn is_held() -> bool {
    std::env::var_os(CONTROL).is_some()
}

/// What happens at a point.
fn at(point: &str) {
    if !is_at(point) {
        return;
    }
    if let Ok(control) = std::env::var(CONTROL) {
        // Ends when the test lets go.
        let _ = TcpStream::connect(control).unwrap().read(&mut [0]);
        return;
    }
    let pid = std::process::id().to_string();
    fs::write(dir().join("dead.new"), &pid).unwrap();
    fs::rename(dir().join("dead.new"), dir().join("dead")).unwrap();
    std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    loop {
        std::thread::park();
    }
}

/// A call has been read, which is as much as to say that it was run. Each has a digit of its own.
fn note_call(request: &Value) {
    let mut seen = fs::OpenOptions::new().create(true).append(true).open(dir().join("seen")).unwrap();
    seen.write_all(request["params"]["arguments"]["n"].to_string().as_bytes()).unwrap();
}

fn result_of(request: &Value) -> Option<Value> {
    let id = request.get("id")?;
    let mut result = match (request["method"].as_str()?, is_modern()) {
        ("server/discover", true) => json!({
            "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} }, "ttlMs": 0, "cacheScope": "private",
        }),
        ("initialize", false) => json!({
            "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
            "serverInfo": { "name": "mortal", "version": "0" },
        }),
        ("tools/list", _) => json!({
            "tools": [{ "name": "t", "inputSchema": { "type": "object" } }], "ttlMs": 0, "cacheScope": "private",
        }),
        ("tools/call", _) => json!({
            "content": [{ "type": "text", "text": format!("done {}", request["params"]["arguments"]["n"]) }],
        }),
        ("ping", false) => json!({}),
        _ => {
            return Some(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no" } }));
        }
    };
    if is_modern() {
        result["resultType"] = "complete".into();
    }
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// What asks the client, in words of the server's revision.
fn question(id: &Value) -> Value {
    let params = json!({ "message": "?", "requestedSchema": { "type": "object", "properties": {} } });
    let ask = json!({ "method": "elicitation/create", "params": params });
    if is_modern() {
        json!({ "jsonrpc": "2.0", "id": id, "result": {
            "resultType": "input_required", "inputRequests": { "ask-1": ask }, "requestState": "of the server",
        } })
    } else {
        json!({ "jsonrpc": "2.0", "id": "q", "method": ask["method"], "params": ask["params"] })
    }
}

/// Deals with a message: `say` sends a message, `half` half of one.
fn take(request: &Value, mut say: impl FnMut(&Value, bool)) {
    let method = request["method"].as_str().unwrap_or_default();
    // Whoever has the answer to a call of before may arm the server while that is still at it.
    let was_armed = is_armed();
    if method == if is_modern() { "server/discover" } else { "initialize" } {
        at("while its session is opened");
    }
    let Some(answer) = result_of(request) else { return };
    // A second request goes on with a call.
    let is_second = !request["params"]["inputResponses"].is_null();
    if method == "tools/call" && !is_second {
        note_call(request);
        at("while the server works");
        let token = &request["params"]["_meta"]["progressToken"];
        let progress = json!({
            "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": token, "progress": 1 },
        });
        say(&progress, true);
        at("after progress");
        if is_near("while its client is asked") {
            say(&question(&request["id"]), true);
            // Who is asked by the answer to a request brings the own one with another request.
            let is_asked_by_an_answer = is_modern() || dir().join("modern").exists();
            while is_asked_by_an_answer && !dir().join("asked").exists() {
                std::thread::yield_now();
            }
            at("while its client is asked");
            if is_modern() {
                return;
            }
        }
        if is_near("within the answer") {
            say(&answer, false);
            at("within the answer");
        }
    }
    say(&answer, true);
    if method == "tools/call" && was_armed {
        at("after the answer");
    }
}

fn stdio() {
    let mut stdin = std::io::stdin().lock();
    let mut line = Vec::new();
    let mut is_open = false;
    loop {
        line.clear();
        let mut first = [0];
        if stdin.read(&mut first).unwrap_or_default() == 0 {
            return;
        }
        if is_open || is_held() {
            // One byte shows that it has arrived.
            at("after it is sent, before it is read");
        }
        line.push(first[0]);
        stdin.read_until(b'\n', &mut line).unwrap();
        let Ok(request) = serde_json::from_slice::<Value>(&line) else { continue };
        take(&request, |message, is_whole| {
            let text = message.to_string();
            let mut stdout = std::io::stdout().lock();
            let text = if is_whole { format!("{text}\n") } else { text[..text.len() / 2].to_owned() };
            stdout.write_all(text.as_bytes()).unwrap();
            stdout.flush().unwrap();
        });
        if is_opening(&request) {
            is_open = true;
            at("before it is sent");
        }
    }
}
