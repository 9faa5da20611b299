//! An rmcp 3 client on an HTTP+SSE server: the transport that rmcp itself no longer has. The three lines that matter
//! are those after "the client".

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use axum::Router;
use crossway::http_sse::{Config, HttpSse, HttpSseUpstream, Options};
use crossway::rmcp::ClientTransport;
use crossway::service::{Scope, Upstream};
use crossway_examples::Shouting;
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // A server to talk to: HTTP+SSE at /sse and /message.
    let app = Router::new().fallback_service(HttpSse::new(Shouting, Config::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/sse", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    // The client.
    let link = HttpSseUpstream::new(&url, Options::default())?.connect(Scope::Session);
    let client = ().serve(ClientTransport::new(link)).await?;
    let arguments = serde_json::Map::from_iter([("text".to_owned(), "hello".into())]);
    let answer = client.call_tool(CallToolRequestParams::new("shout").with_arguments(arguments)).await?;

    println!(
        "{url} says {:?}",
        answer.content.first().and_then(|content| content.as_text()).map(|text| &text.text)
    );
    client.cancel().await?;
    server.abort();
    Ok(())
}
