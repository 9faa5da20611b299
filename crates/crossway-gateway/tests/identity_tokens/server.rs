//! An HTTP server that says what it is told to, and counts who asks.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It serves while it is there, one request on each connection.
pub struct Server {
    address: SocketAddr,
    said: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Status, headers, and body.
    response: (u16, String, String),
    /// The paths that were asked for.
    paths: Vec<String>,
    has_ended: bool,
}

impl Server {
    /// Says this, until it is told otherwise.
    pub fn saying(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), said: Arc::default() };
        server.say(200, "", body);
        let said = Arc::clone(&server.said);
        std::thread::spawn(move || serve(&listener, &said));
        server
    }

    /// From now on it says this. Headers end with line breaks.
    pub fn say(&self, status: u16, headers: &str, body: &str) {
        self.said.lock().unwrap().response = (status, headers.to_owned(), body.to_owned());
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The paths that it was asked for.
    pub fn paths(&self) -> Vec<String> {
        self.said.lock().unwrap().paths.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.said.lock().unwrap().has_ended = true;
        // Wakes the thread.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(listener: &TcpListener, said: &Mutex<State>) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        if said.lock().unwrap().has_ended {
            return;
        }
        let mut lines = BufReader::new(&stream).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
        let (status, headers, body) = {
            let mut state = said.lock().unwrap();
            state.paths.push(first.split(' ').nth(1).unwrap_or_default().to_owned());
            state.response.clone()
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    }
}
