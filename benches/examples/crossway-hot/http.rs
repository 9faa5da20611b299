//! Calls to the Streamable HTTP endpoint as a service: from the request's head and body to the response's.

use std::hint::black_box;

use bytes::Bytes;
use crossway_benches::samples::SMALL_CALL;
use crossway_proto::Message;
use crossway_service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};
use crossway_streamable_http::server::{Config, StreamableHttp};
use http_body_util::{BodyExt as _, Full};
use tower_service::Service as _;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"hot","version":"1"}}}"#;

/// An upstream that answers at once.
struct Ready;

impl Upstream for Ready {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Self)
    }
}

impl Connection for Ready {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = call.ask else { return Reply::silent() };
        let result: &[u8] = if message.is_method("initialize") {
            br#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"hot","version":"1"}}"#
        } else {
            br#"{"content":[]}"#
        };
        let id = message.id();
        id.map_or_else(Reply::accepted, |id| Reply::once(Message::result_of(&id, result).expect("a result")))
    }
}

/// Makes calls in one session.
pub(crate) fn calls(count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut endpoint = StreamableHttp::new(Ready, Config::new());
        let opened = endpoint.call(request(None, Bytes::from_static(INITIALIZE.as_bytes()))).await;
        let opened = opened.expect("an endpoint always answers");
        let session = opened.headers().get("mcp-session-id").expect("a session").clone();
        let text = Bytes::from(SMALL_CALL.trim_end().to_owned());
        for _ in 0..count {
            let response = endpoint.call(request(Some(&session), text.clone())).await;
            let response = response.expect("an endpoint always answers");
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            black_box(body);
        }
        endpoint.close().await;
    });
}

fn request(session: Option<&http::HeaderValue>, body: Bytes) -> http::Request<Full<Bytes>> {
    let mut request = http::Request::post("/mcp")
        .header("host", "127.0.0.1:8808")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .header("mcp-protocol-version", "2025-11-25");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    request.body(Full::new(body)).expect("a request")
}
