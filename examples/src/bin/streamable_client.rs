//! A client of Streamable HTTP without an SDK: it finds out the era of a server, lists its tools, and calls one with progress.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use crossway::proto::{Era, Message, RequestId, Stamp, keys};
use crossway::router::{ToLegacy, ToLegacyOptions};
use crossway::service::{Call, Context, Link, Origin, Scope, Upstream};
use crossway::streamable_http::client::{Options, StreamableHttpUpstream, Verdict};
use crossway_examples::{Shouting, served};

const VERSION: (&str, &[u8]) = (keys::PROTOCOL_VERSION, br#""2026-07-28""#);
const INFO: (&str, &[u8]) = (keys::CLIENT_INFO, br#"{"name":"example","version":"1"}"#);
const CAPABILITIES: (&str, &[u8]) = (keys::CLIENT_CAPABILITIES, b"{}");
const INITIALIZE: &str =
    r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"example","version":"1"}}"#;

fn request(stamp: Option<&Stamp>, id: u64, method: &str, params: &str) -> anyhow::Result<Message> {
    let request = Message::request_of(&RequestId::from(id), method, Some(params.as_bytes()))?;
    Ok(match stamp {
        Some(stamp) => request.stamped(stamp)?,
        None => request,
    })
}

/// Sends a message and prints its reply: progress, if there is any, then the response.
async fn send(link: &Link, context: &Context, message: Message) -> anyhow::Result<()> {
    let mut reply = link.call(Call::message(message, context.clone()));
    while let Some(message) = reply.next().await {
        println!("{}", String::from_utf8_lossy(&message?.to_bytes()));
    }
    Ok(())
}

async fn visit(url: &str) -> anyhow::Result<()> {
    // A modern client says in each request what a legacy one says once, in `initialize`.
    let (era, stamp) = match StreamableHttpUpstream::new(url, Options::default())?.probe().await? {
        Verdict::Modern { .. } => (Era::Modern, Some(Stamp::new(&[VERSION, INFO, CAPABILITIES], &[])?)),
        Verdict::LegacyStreamable => (Era::Legacy, None),
        other => anyhow::bail!("{other:?}: it may be a server of HTTP+SSE"),
    };
    println!("the server is {era:?}");
    let link = StreamableHttpUpstream::new(url, Options::default().era(era))?.connect(Scope::Session);
    let (context, stamp) = (Context::new(Origin::unique(), None), stamp.as_ref());
    if era == Era::Legacy {
        send(&link, &context, request(None, 1, "initialize", INITIALIZE)?).await?;
        send(&link, &context, Message::notification_of("notifications/initialized", None)?).await?;
    }
    send(&link, &context, request(stamp, 2, "tools/list", "{}")?).await?;
    let shout = r#"{"name":"shout","arguments":{"text":"hello"},"_meta":{"progressToken":"p"}}"#;
    send(&link, &context, request(stamp, 3, "tools/call", shout)?).await?;
    link.close().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    visit(&served(Shouting).await?).await?;
    visit(&served(ToLegacy::new("shouting", Shouting, ToLegacyOptions::default())).await?).await
}
