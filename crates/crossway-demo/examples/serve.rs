//! The demo server on rmcp's own transports.
//!
//! ```text
//! cargo run -p crossway-demo --example serve                          stdio, until it closes
//! cargo run -p crossway-demo --example serve 127.0.0.1:8001 [ERA]     Streamable HTTP at /mcp, until Ctrl-C
//! ```

use std::{env, error::Error};

use crossway_demo::{Demo, Era};
use rmcp::{
    ServiceExt,
    service::ServerInitializeError,
    transport::{
        StreamableHttpServerConfig, StreamableHttpService, stdio,
        streamable_http_server::session::local::LocalSessionManager,
    },
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next();
    let era: Era = arguments.next().map_or(Ok(Era::Both), |name| name.parse())?;
    let demo = Demo::new(era);
    match address {
        Some(address) => http(demo, &address).await,
        None => match demo.serve(stdio()).await {
            Ok(serving) => serving.waiting().await.map(drop).map_err(Into::into),
            // The client disconnected before it sent anything.
            Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
            Err(error) => Err(error.into()),
        },
    }
}

async fn http(demo: Demo, address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    eprintln!("{origin}/mcp");
    let config = StreamableHttpServerConfig::default().with_allowed_origins([origin]);
    let service =
        StreamableHttpService::new(move || Ok(demo.clone()), LocalSessionManager::default().into(), config);
    let until = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service))
        .with_graceful_shutdown(until)
        .await?;
    Ok(())
}
