//! The MCP server that dies: over stdio or HTTP, at the point of a call that its environment names.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

/// Says which transport this process serves; without it, it serves none.
pub(crate) const TRANSPORT: &str = "CROSSWAY_TEST_TRANSPORT";
/// The point at which something happens, once.
pub(crate) const POINT: &str = "CROSSWAY_TEST_POINT";
/// Where it is written down what has happened.
pub(crate) const DIR: &str = "CROSSWAY_TEST_DIR";
/// Who is told that the point is reached, and is waited for. Without it, the process kills itself.
pub(crate) const CONTROL: &str = "CROSSWAY_TEST_CONTROL";

pub(crate) fn run(transport: &str) {
    match transport {
        "stdio" => stdio(),
        _ => http(),
    }
    std::process::exit(0);
}

fn dir() -> PathBuf {
    std::env::var_os(DIR).unwrap().into()
}

/// Whether this is the point, for the first time in any process since the test said so: what finds out what the server
/// speaks asks it too.
fn is_at(point: &str) -> bool {
    std::env::var(POINT).is_ok_and(|at| at == point)
        && dir().join("armed").exists()
        && fs::create_dir(dir().join("reached")).is_ok()
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

/// A call has been read, which is as much as to say that it was run.
fn note_call() {
    let mut seen = fs::OpenOptions::new().create(true).append(true).open(dir().join("seen")).unwrap();
    seen.write_all(b"x").unwrap();
}

fn result_of(request: &Value) -> Option<Value> {
    let id = request.get("id")?;
    let result = match request["method"].as_str()? {
        "initialize" => json!({
            "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
            "serverInfo": { "name": "mortal", "version": "0" },
        }),
        "tools/list" => json!({ "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] }),
        "tools/call" => json!({
            "content": [{ "type": "text", "text": format!("done {}", request["params"]["arguments"]["n"]) }],
        }),
        "ping" => json!({}),
        _ => {
            return Some(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no" } }));
        }
    };
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// Deals with a message: `say` sends a message, `half` half of one.
fn take(request: &Value, mut say: impl FnMut(&Value, bool)) {
    let method = request["method"].as_str().unwrap_or_default();
    if method == "initialize" {
        at("while its session is opened");
    }
    let Some(answer) = result_of(request) else { return };
    if method == "tools/call" {
        note_call();
        at("while the server works");
        let token = &request["params"]["_meta"]["progressToken"];
        let progress = json!({
            "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": token, "progress": 1 },
        });
        say(&progress, true);
        at("after progress");
        if std::env::var(POINT).is_ok_and(|at| at == "while its client is asked") {
            say(
                &json!({ "jsonrpc": "2.0", "id": "q", "method": "elicitation/create",
                    "params": { "message": "?", "requestedSchema": { "type": "object", "properties": {} } } }),
                true,
            );
            // A modern client is asked by the answer to its request, and brings its own with another one.
            while dir().join("modern").exists() && !dir().join("asked").exists() {
                std::thread::yield_now();
            }
            at("while its client is asked");
        }
        if std::env::var(POINT).is_ok_and(|at| at == "within the answer") && !dir().join("reached").exists() {
            say(&answer, false);
            at("within the answer");
        }
    }
    say(&answer, true);
    if method == "tools/call" {
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
        if is_open {
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
        if request["method"] == "notifications/initialized" {
            is_open = true;
            at("before it is sent");
        }
    }
}

static IS_OPEN: AtomicBool = AtomicBool::new(false);

fn http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    fs::write(dir().join("address.new"), address).unwrap();
    fs::rename(dir().join("address.new"), dir().join("address")).unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(move || exchange(stream.unwrap()));
    }
}

fn exchange(mut stream: TcpStream) {
    let mut first = [0; 4];
    if IS_OPEN.load(Ordering::SeqCst) && stream.peek(&mut first).is_ok() && &first == b"POST" {
        at("after it is sent, before it is read");
    }
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut length, mut line, mut head) = (0, String::new(), String::new());
    while reader.read_line(&mut line).unwrap_or_default() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&std::mem::take(&mut line));
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let close = "Connection: close\r\n";
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        let _ = write!(stream, "HTTP/1.1 405 No\r\n{close}Content-Length: 0\r\n\r\n");
        return;
    };
    // Sessions are of one process: it does not know those of the one before it.
    let session = format!("of-{}", std::process::id());
    let is_strange = head.to_ascii_lowercase().contains("mcp-session-id:") && !head.contains(&session);
    if is_strange {
        let _ = write!(stream, "HTTP/1.1 404 No\r\n{close}Content-Length: 0\r\n\r\n");
        return;
    }
    if request["id"].is_null() || request["method"].is_null() {
        let opens = request["method"] == "notifications/initialized";
        // What the client sends next may come on another connection.
        IS_OPEN.fetch_or(opens, Ordering::SeqCst);
        write!(stream, "HTTP/1.1 202 Yes\r\n{close}Content-Length: 0\r\n\r\n").unwrap();
        drop((stream, reader));
        if opens {
            at("before it is sent");
        }
        return;
    }
    write!(
        stream,
        "HTTP/1.1 200 Yes\r\n{close}Content-Type: text/event-stream\r\nMcp-Session-Id: {session}\r\n\r\n"
    )
    .unwrap();
    take(&request, |message, is_whole| {
        let text = format!("data: {message}\n\n");
        let text = if is_whole { &text } else { &text[..text.len() / 2] };
        let _ = stream.write_all(text.as_bytes());
    });
}
