//! The cost of the face: `cargo run --release -p crossway-openapi --example face_speed`.
//!
//! The server is in this process and answers at once, from the same bytes each time, as a router with cached lists does: only the face is
//! measured.

use std::time::{Duration, Instant};

use bytes::Bytes;
use crossway_openapi::face::{Config, OpenApi};
use crossway_proto::{Limits, Message, Part};
use crossway_service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};
use http_body_util::{BodyExt as _, Full};
use tower_service::Service as _;

/// A server with a prepared list and answer.
#[derive(Clone)]
struct Ready {
    list: Message,
    answer: Message,
}

impl Ready {
    fn new(tools: usize) -> Self {
        let schema = r##"{"type":"object","properties":{"message":{"type":"string","description":"What to say."},"to":{"$ref":"#/$defs/To"}},"required":["message"],"$defs":{"To":{"type":"object","properties":{"name":{"type":"string"},"mail":{"type":"string"}}}}}"##;
        let tool = |number| {
            format!(
                r#"{{"name":"tool_{number}","description":"Says something, number {number}.","inputSchema":{schema}}}"#
            )
        };
        let tools: Vec<String> = (0..tools).map(tool).collect();
        let message = |result: String| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":0,"result":{result}}}"#);
            Message::parse(Bytes::from(text), &Limits::default())
        };
        let answer = format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "a".repeat(64));
        match (message(format!(r#"{{"tools":[{}]}}"#, tools.join(","))), message(answer)) {
            (Ok(mut list), Ok(answer)) => {
                // As a router does.
                list.note_layout(Part::Result);
                Self { list, answer }
            }
            (list, answer) => unreachable!("{list:?} {answer:?}"),
        }
    }
}

impl Upstream for Ready {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl Connection for Ready {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(request) = call.ask else { return Reply::silent() };
        let mut answer =
            if request.is_method("tools/call") { self.answer.clone() } else { self.list.clone() };
        if let Some(id) = request.id() {
            answer.set_id(&id);
        }
        Reply::once(answer)
    }
}

/// Repeats a request for a while, and returns the time of one.
async fn time(face: &mut OpenApi, request: impl Fn() -> http::Request<Full<Bytes>>) -> Duration {
    let (started, mut done) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(2) {
        for _ in 0..100 {
            let Ok(answer) = face.call(request()).await;
            assert_eq!(answer.status(), 200);
            drop(answer.into_body().collect().await);
            done += 1;
        }
    }
    started.elapsed() / done
}

fn get() -> http::Request<Full<Bytes>> {
    let mut request = http::Request::new(Full::default());
    *request.uri_mut() = http::Uri::from_static("/openapi.json");
    addressed(request)
}

fn post() -> http::Request<Full<Bytes>> {
    let mut request = http::Request::new(Full::from(format!(r#"{{"message":"{}"}}"#, "a".repeat(64))));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("/tool_7");
    addressed(request)
}

fn addressed(mut request: http::Request<Full<Bytes>>) -> http::Request<Full<Bytes>> {
    let headers = request.headers_mut();
    headers.insert("host", http::HeaderValue::from_static("localhost"));
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    request
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for tools in [10, 1000] {
        let mut face = OpenApi::new(Ready::new(tools), Config::new());
        let started = Instant::now();
        let Ok(first) = face.call(get()).await;
        let bytes = first.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
        eprintln!("{tools} tools: the first document, {bytes} bytes: {:?}", started.elapsed());
        eprintln!("{tools} tools: a document after that: {:?}", time(&mut face, get).await);
        eprintln!("{tools} tools: a call of 64 bytes: {:?}", time(&mut face, post).await);
    }
}
