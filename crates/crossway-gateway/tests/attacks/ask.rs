//! Requests as an attacker writes them, byte for byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{INITIALIZE, Serving};

pub(crate) const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;

/// A request, of which everything can be another than it should be.
#[derive(Clone)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    host: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: String,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn post(path: &str, body: &str) -> Ask {
    Ask { method: "POST", path: path.to_owned(), host: None, headers: Vec::new(), body: body.to_owned() }
}

pub(crate) fn get(path: &str) -> Ask {
    Ask { method: "GET", ..post(path, "") }
}

/// A modern request, of a client that can be asked.
pub(crate) fn modern(path: &str, method: &str, name: &str, params: Value) -> Ask {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let ask = post(path, &body.to_string());
    let ask = ask.with("MCP-Protocol-Version", "2026-07-28").with("Mcp-Method", method);
    if name.is_empty() { ask } else { ask.with("Mcp-Name", name) }
}

/// A modern call of a tool.
pub(crate) fn call(path: &str, tool: &str, arguments: Value) -> Ask {
    modern(path, "tools/call", tool, json!({ "name": tool, "arguments": arguments }))
}

/// A legacy call of a tool.
pub(crate) fn legacy_call(tool: &str, arguments: &Value) -> String {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params }).to_string()
}

impl Ask {
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("Authorization", format!("Bearer {token}"))
    }

    pub(crate) fn within(self, session: &str) -> Self {
        self.with("Mcp-Session-Id", session)
    }

    /// With these bytes as the line of the host; with none at all if they are empty.
    pub(crate) fn host_line(mut self, line: &str) -> Self {
        self.host = Some(line.to_owned());
        self
    }

    /// With something else in the body.
    pub(crate) fn edited(mut self, from: &str, to: &str) -> Self {
        assert!(self.body.contains(from), "{}", self.body);
        self.body = self.body.replace(from, to);
        self
    }

    pub(crate) fn by(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// Writes it and gives the connection.
    pub(crate) fn open(&self, serving: &Serving) -> TcpStream {
        let mut stream = TcpStream::connect(&serving.address).unwrap();
        let host = self.host.clone().unwrap_or_else(|| format!("Host: {}\r\n", serving.address));
        let mut head =
            format!("{} {} HTTP/1.1\r\n{host}Connection: close\r\n", self.method, self.path).into_bytes();
        head.extend_from_slice(
            b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n",
        );
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(
            format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body).as_bytes(),
        );
        // What is refused early may be closed before all is written.
        let _ = stream.write_all(&head);
        stream
    }

    pub(crate) fn send(&self, serving: &Serving) -> Answer {
        let mut text = Vec::new();
        let _ = self.open(serving).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Answer {
    /// The JSON-RPC message, also if it came as an event.
    pub(crate) fn json(&self) -> Value {
        let event = || {
            self.body
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix("data: ").filter(|data| !data.is_empty()))
        };
        serde_json::from_str(&self.body)
            .or_else(|_| serde_json::from_str(event().unwrap_or_default()))
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.head, self.body))
    }

    pub(crate) fn has_header(&self, line: &str) -> bool {
        self.head.lines().any(|one| one.eq_ignore_ascii_case(line))
    }
}

/// Opens a session with what proves who calls, and gives its id.
pub(crate) fn session(serving: &Serving, path: &str, proven: impl Fn(Ask) -> Ask) -> String {
    let opened = proven(post(path, INITIALIZE)).send(serving);
    let id = opened.head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).map(str::to_owned);
    let id = id.unwrap_or_else(|| panic!("no session: {} {}", opened.head, opened.body));
    let told = post(path, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(proven(told).within(&id).send(serving).status, 202);
    id
}
