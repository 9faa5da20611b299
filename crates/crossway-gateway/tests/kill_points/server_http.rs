//! The server that dies, over HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::{at, dir, is_held, is_modern, is_opening, take};

static IS_OPEN: AtomicBool = AtomicBool::new(false);

const CLOSE: &str = "Connection: close\r\n";

pub(super) fn serve(exchange: fn(TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    fs::write(dir().join("address.new"), address).unwrap();
    fs::rename(dir().join("address.new"), dir().join("address")).unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(move || exchange(stream.unwrap()));
    }
}

/// Reads a request: its head, and what its body is, if that is a message.
fn read(stream: &TcpStream) -> Option<(String, Option<Value>)> {
    let mut first = [0; 4];
    let is_open = IS_OPEN.load(Ordering::SeqCst) || is_held();
    if is_open && stream.peek(&mut first).is_ok() && &first == b"POST" {
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
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).ok()))
}

fn respond(stream: &mut TcpStream, status: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{CLOSE}Content-Length: 0\r\n\r\n");
}

fn say(stream: &mut TcpStream, message: &Value, is_whole: bool) {
    let text = format!("data: {message}\n\n");
    let text = if is_whole { &text } else { &text[..text.len() / 2] };
    let _ = stream.write_all(text.as_bytes());
}

/// The client may be done with what opens its session.
fn note_opening(request: &Value) {
    let opens = is_opening(request);
    // What the client sends next may come on another connection.
    IS_OPEN.fetch_or(opens, Ordering::SeqCst);
    if opens && is_held() {
        // Before it is told, and sends more.
        at("before it is sent");
    }
}

/// One request over Streamable HTTP.
pub(super) fn exchange(mut stream: TcpStream) {
    let Some((head, request)) = read(&stream) else { return };
    let Some(request) = request else { return respond(&mut stream, "405 No") };
    // Sessions are of one process: it does not know those of the one before it.
    let session = format!("of-{}", std::process::id());
    let is_strange = head.to_ascii_lowercase().contains("mcp-session-id:") && !head.contains(&session);
    if is_strange && !is_modern() {
        return respond(&mut stream, "404 No");
    }
    note_opening(&request);
    if request["id"].is_null() || request["method"].is_null() {
        respond(&mut stream, "202 Yes");
    } else {
        let session = if is_modern() { String::new() } else { format!("Mcp-Session-Id: {session}\r\n") };
        // A gateway that has died does not read it.
        let _ = write!(stream, "HTTP/1.1 200 Yes\r\n{CLOSE}Content-Type: text/event-stream\r\n{session}\r\n");
        take(&request, |message, is_whole| say(&mut stream, message, is_whole));
    }
    drop(stream);
    if is_opening(&request) {
        at("before it is sent");
    }
}

/// The streams of HTTP+SSE sessions, by the number in their endpoint.
static STREAMS: Mutex<BTreeMap<usize, TcpStream>> = Mutex::new(BTreeMap::new());

/// One request over HTTP+SSE.
pub(super) fn exchange_sse(mut stream: TcpStream) {
    let Some((head, request)) = read(&stream) else { return };
    let session = head.split_whitespace().nth(1).and_then(|path| path.strip_prefix("/message/"));
    let (session, request) = match (session, request) {
        (Some(session), Some(request)) => (session, request),
        (None, None) if head.starts_with("GET /sse ") => {
            let mut streams = STREAMS.lock().unwrap();
            let number = streams.len();
            write!(
                stream,
                "HTTP/1.1 200 Yes\r\n{CLOSE}Content-Type: text/event-stream\r\n\r\n\
                 event: endpoint\ndata: /message/{number}\n\n"
            )
            .unwrap();
            streams.insert(number, stream);
            return;
        }
        _ => return respond(&mut stream, "405 No"),
    };
    let events =
        STREAMS.lock().unwrap().get(&session.parse().unwrap()).map(|events| events.try_clone().unwrap());
    let Some(mut events) = events else { return respond(&mut stream, "404 No") };
    note_opening(&request);
    respond(&mut stream, "202 Yes");
    drop(stream);
    take(&request, |message, is_whole| say(&mut events, message, is_whole));
    if is_opening(&request) {
        at("before it is sent");
    }
}
