//! Calls a tool of an HTTP+SSE server: `cargo run --example call -- http://127.0.0.1:3001/sse echo '{"message":"hi"}'`
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::error::Error;

use crossway_http_sse::{HttpSseUpstream, Options};
use crossway_proto::{Message, RequestId};
use crossway_service::{Call, Context, Link, Scope, Upstream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(tool)) = (arguments.next(), arguments.next()) else {
        return Err("give the URL of a server, the name of a tool, and its arguments as JSON".into());
    };
    let tool_arguments = arguments.next().unwrap_or_else(|| "{}".into());

    let upstream = HttpSseUpstream::new(&url, Options::default())?;
    let session = upstream.connect(Scope::Session);
    let hello =
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"call","version":"1"}}"#;
    ask(&session, "initialize", hello).await?;
    let initialized = Message::notification_of("notifications/initialized", None)?;
    if let Some(failed) = session.call(Call::message(initialized, Context::default())).next().await {
        failed?;
    }
    let name = serde_json::Value::from(tool);
    ask(&session, "tools/call", &format!(r#"{{"name":{name},"arguments":{tool_arguments}}}"#)).await?;
    session.close().await;
    Ok(())
}

async fn ask(session: &Link, method: &str, params: &str) -> Result<(), Box<dyn Error>> {
    let request = Message::request_of(&RequestId::from(1), method, Some(params.as_bytes()))?;
    let mut reply = session.call(Call::message(request, Context::default()));
    while let Some(message) = reply.next().await {
        println!("{}", String::from_utf8_lossy(&message?.to_bytes()));
    }
    Ok(())
}
