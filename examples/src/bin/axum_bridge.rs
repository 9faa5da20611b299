//! A stdio server bridged into an axum application, at `/tools/mcp`, beside routes of its own.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use axum::Router;
use axum::routing::get;
use crossway::service::{Scope, Upstream};
use crossway::stdio::{Command, Options, ServeOptions, StdioUpstream, serve_stdio};
use crossway::streamable_http::client::{Options as ClientOptions, StreamableHttpUpstream};
use crossway::streamable_http::server::{Config, StreamableHttp};
use crossway_examples::Shouting;
use rmcp::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // As a child, this program is the stdio server that the bridge launches.
    if std::env::args().nth(1).as_deref() == Some("child") {
        serve_stdio(Shouting.connect(Scope::Session), ServeOptions::default()).await?;
        return Ok(());
    }
    let upstream =
        StdioUpstream::new(Command::new(std::env::current_exe()?).arg("child"), Options::default());
    let endpoint = StreamableHttp::new(upstream.clone(), Config::default());
    let app = Router::new()
        .route("/", get(|| async { "an application of your own" }))
        .route_service("/tools/mcp", endpoint.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/tools/mcp", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // Axum waits for the streams that are open, and some of them end only when they are told to.
    let drained = async move {
        let _ = stopped.await;
        endpoint.drain();
    };
    let server = tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(drained).into_future());

    let link = StreamableHttpUpstream::new(&url, ClientOptions::default())?.connect(Scope::Session);
    let client = ().serve(crossway::rmcp::ClientTransport::new(link)).await?;
    let tools = client.list_all_tools().await?;
    println!("{url} has the tools {:?}", tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>());

    let _ = stop.send(());
    server.await??;
    client.cancel().await?;
    upstream.close().await;
    Ok(())
}
