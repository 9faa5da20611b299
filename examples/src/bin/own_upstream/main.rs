//! An MCP server of your own as an upstream: `shouting.rs`, beside this. Here it is called without any transport.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use crossway::proto::{Message, RequestId};
use crossway::service::{Call, Context, Scope, Upstream};
use crossway_examples::Shouting;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let link = Shouting.connect(Scope::Session);
    let params = br#"{"name":"shout","arguments":{"text":"hello"}}"#;
    let request = Message::request_of(&RequestId::from(1), "tools/call", Some(params))?;
    let mut reply = link.call(Call::message(request, Context::default()));
    while let Some(message) = reply.next().await {
        println!("{}", String::from_utf8_lossy(&message?.to_bytes()));
    }
    Ok(())
}
