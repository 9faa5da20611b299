//! An MCP server of 2026-07-28 that does what an attacker would have it do, and keeps what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// It serves while it is there.
pub(crate) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    tools: Value,
    /// What is answered instead of anything else: status, headers, and body.
    instead: Option<(u16, String, String)>,
    /// What calls and reads are answered.
    result: Value,
    kept: Vec<Kept>,
    has_ended: bool,
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) head: String,
    pub(crate) message: Value,
}

impl Fake {
    /// With these tools.
    pub(crate) fn of(tools: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let result = json!({ "resultType": "complete", "content": [{ "type": "text", "text": "done" }] });
        let state = State { tools, instead: None, result, kept: Vec::new(), has_ended: false };
        let fake = Self { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let state = Arc::clone(&fake.state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if state.lock().unwrap().has_ended {
                    return;
                }
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn lists(&self, tools: Value) {
        self.state.lock().unwrap().tools = tools;
    }

    pub(crate) fn answers(&self, result: Value) {
        self.state.lock().unwrap().result = result;
    }

    /// From now on it answers this, whatever it is asked. `"$ID"` in the body is the request's id.
    pub(crate) fn says(&self, status: u16, headers: &str, body: &str) {
        self.state.lock().unwrap().instead = Some((status, headers.to_owned(), body.to_owned()));
    }

    /// All that came.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.state.lock().unwrap().kept.clone()
    }

    /// The calls of tools that came.
    pub(crate) fn calls(&self) -> Vec<Kept> {
        self.kept().into_iter().filter(|kept| kept.message["method"] == "tools/call").collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.state.lock().unwrap().has_ended = true;
        // Wakes the thread.
        let _ = TcpStream::connect(self.address);
    }
}

/// A tool of a list.
pub(crate) fn tool(name: &str) -> Value {
    json!({ "name": name, "inputSchema": { "type": "object" } })
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
            let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.trim().parse().unwrap_or(0);
            }
        }
        if head.is_empty() {
            return;
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (status, headers, body) = {
            let mut state = state.lock().unwrap();
            state.kept.push(Kept { head, message: message.clone() });
            let instead = state.instead.clone();
            let instead = instead.map(|(status, headers, body)| {
                (status, headers, body.replace("\"$ID\"", &message["id"].to_string()))
            });
            instead.unwrap_or_else(|| answer(&state, &message))
        };
        let written = write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if written.is_err() {
            return;
        }
    }
}

fn answer(state: &State, message: &Value) -> (u16, String, String) {
    let complete = |mut result: Value| {
        result["resultType"] = json!("complete");
        (result["ttlMs"], result["cacheScope"]) = (json!(0), json!("public"));
        result
    };
    let result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" => complete(json!({
            "supportedVersions": ["2026-07-28"],
            "capabilities": { "tools": {}, "resources": {}, "prompts": {} },
        })),
        "tools/list" => complete(json!({ "tools": state.tools })),
        "resources/list" => complete(json!({ "resources": [{ "uri": "fake://one", "name": "one" }] })),
        "resources/templates/list" => complete(json!({ "resourceTemplates": [] })),
        "prompts/list" => complete(json!({ "prompts": [] })),
        "tools/call" | "resources/read" => state.result.clone(),
        method => {
            let error = json!({ "code": -32601, "message": format!("no method {method}") });
            let body = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error });
            return (200, String::new(), body.to_string());
        }
    };
    let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
    (200, String::new(), body.to_string())
}
