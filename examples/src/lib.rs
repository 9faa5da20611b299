//! What the examples share: the MCP server of `own_upstream`, and a port that serves it.

#[path = "bin/own_upstream/shouting.rs"]
mod shouting;

use crossway::service::Upstream;
use crossway::streamable_http::server::http::{HttpLimits, serve};
use crossway::streamable_http::server::{Config, StreamableHttp};
pub use shouting::Shouting;

/// The URL at which a server is served over Streamable HTTP, until the program ends.
pub async fn served(upstream: impl Upstream) -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    let endpoint = StreamableHttp::new(upstream, Config::new());
    tokio::spawn(serve(listener, endpoint, HttpLimits::default(), std::future::pending()));
    Ok(url)
}
