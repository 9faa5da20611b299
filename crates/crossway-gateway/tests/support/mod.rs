//! Starts the real binary, and speaks HTTP with it by hand.

pub(crate) mod tenants;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

pub(crate) const CROSSWAY: &str = env!("CARGO_BIN_EXE_crossway");

pub(crate) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"0"}}}"#;

/// Runs the binary to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    Command::new(CROSSWAY).args(args).env_remove("RUST_LOG").stdin(Stdio::null()).output().unwrap()
}

/// A binary that serves. It is killed when dropped.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: String,
    _stdout: BufReader<ChildStdout>,
}

impl Serving {
    /// Starts the binary, and waits until it has said where it serves.
    pub(crate) fn start(args: &[&str]) -> Self {
        let (command, rest) = args.split_first().unwrap();
        let mut program = Command::new(CROSSWAY);
        Self::spawn(program.args([command, "--listen", "127.0.0.1:0", "--log", "warn"]).args(rest))
    }

    /// The same with a command as it is.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.split_whitespace().last().unwrap_or_default();
        let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/mcp"));
        let address = address.unwrap_or_else(|| panic!("no URL in {line:?}")).to_owned();
        Self { child, address, _stdout: stdout }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a POST and leaves the response to be read.
    pub(crate) fn send(&self, body: &str, session: Option<&str>) -> TcpStream {
        self.send_at("/mcp", body, session)
    }

    /// The same to another path.
    pub(crate) fn send_at(&self, path: &str, body: &str, session: Option<&str>) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let session = session.map(|id| format!("Mcp-Session-Id: {id}\r\n")).unwrap_or_default();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Accept: application/json, text/event-stream\r\n{session}Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        stream
    }

    /// Sends a POST, and gives the whole response.
    pub(crate) fn post(&self, body: &str, session: Option<&str>) -> String {
        read(self.send(body, session))
    }

    /// The same to another path.
    pub(crate) fn post_at(&self, path: &str, body: &str, session: Option<&str>) -> String {
        read(self.send_at(path, body, session))
    }

    /// Opens a session, and gives its id.
    pub(crate) fn open(&self) -> String {
        self.open_at("/mcp")
    }

    /// The same at another path.
    pub(crate) fn open_at(&self, path: &str) -> String {
        let response = self.post_at(path, INITIALIZE, None);
        let id = response.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
        let id = id.unwrap_or_else(|| panic!("no session: {response}")).to_owned();
        let done = self.post_at(path, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Some(&id));
        assert!(done.starts_with("HTTP/1.1 202"), "{done}");
        id
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

/// A response to its end.
pub(crate) fn read(mut stream: TcpStream) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
