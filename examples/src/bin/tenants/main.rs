//! Two tenants, four users, three servers: who sees what, and whose token arrives. Ends with an error if anything is not as it has to be.
//!
//! The config is `examples/tenants/crossway.yaml`; the servers are in this program.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

mod server;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use crossway::rmcp::ClientTransport;
use crossway::service::{Scope, Upstream};
use crossway::stdio::{ServeOptions, serve_stdio};
use crossway::streamable_http::client::{Options, StreamableHttpUpstream};
use crossway_gateway::Prepared;
use crossway_gateway::args::{Cli, Command};
use rmcp::model::CallToolRequestParams;
use rmcp::{RoleClient, ServiceExt, service::RunningService};
use server::Whoami;

const CONFIG: &str = include_str!("../../../tenants/crossway.yaml");

/// The users, and what each sees.
const USERS: [(&str, &str, &[&str]); 4] = [
    ("alice", "acme", &["notes__whoami", "tickets__whoami"]),
    ("ann", "acme", &["notes__whoami", "tickets__whoami"]),
    ("bob", "globex", &["tickets__whoami", "wiki__whoami"]),
    ("bea", "globex", &["tickets__whoami", "wiki__delete_all", "wiki__whoami"]),
];

/// All there is to be called, by whomever.
const ALL: [&str; 6] = [
    "notes__delete_all",
    "notes__whoami",
    "tickets__delete_all",
    "tickets__whoami",
    "wiki__delete_all",
    "wiki__whoami",
];

fn main() -> anyhow::Result<()> {
    // As a child, this program is the stdio server.
    if std::env::args().nth(1).as_deref() == Some("child") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let whoami = Whoami { own: std::env::var("NOTES_TOKEN").ok() };
        runtime.block_on(serve_stdio(whoami.connect(Scope::Session), ServeOptions::default()))?;
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(show())
}

async fn show() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("crossway-tenants-{}", std::process::id()));
    let shown = tokio::time::timeout(Duration::from_secs(60), show_in(&folder)).await;
    std::fs::remove_dir_all(&folder)?;
    shown.context("it took too long")?
}

async fn show_in(folder: &Path) -> anyhow::Result<()> {
    let url = serve_in(folder).await?;
    drop(client(&url, USERS[0].0).await?);
    println!("\n{:<6} {:<19} {:<5}  whose token arrived", "user", "tool", "seen");
    for (user, _, sees) in USERS {
        let client = client(&url, user).await?;
        let mut tools: Vec<_> = client.list_all_tools().await?.into_iter().map(|tool| tool.name).collect();
        tools.sort();
        ensure!(tools == sees, "{user} sees {tools:?}");
        for tool in ALL {
            let is_seen = sees.contains(&tool);
            let answer = client.call_tool(CallToolRequestParams::new(tool)).await;
            let arrived =
                answer.ok().and_then(|answer| Some(answer.content.first()?.as_text()?.text.clone()));
            let upstream = tool.split("__").next().unwrap_or_default();
            let bearer = if upstream == "tickets" { "Bearer " } else { "" };
            let expected = is_seen.then(|| format!("{bearer}{user}-at-{upstream}"));
            ensure!(arrived == expected, "{user} called {tool}: {arrived:?}");
            println!(
                "{user:<6} {tool:<19} {is_seen:<5}  {}",
                arrived.as_deref().unwrap_or("there is no such tool")
            );
        }
        client.cancel().await?;
    }
    Ok(())
}

/// Starts the servers and the gateway; its files are in `folder`. Gives the URL of its MCP endpoint.
async fn serve_in(folder: &Path) -> anyhow::Result<String> {
    for (user, tenant, _) in USERS {
        for upstream in ["notes", "tickets", "wiki"] {
            let tokens = folder.join("tokens").join(upstream);
            std::fs::create_dir_all(&tokens)?;
            std::fs::write(
                tokens.join(format!("{user}_40{tenant}.example")),
                format!("{user}-at-{upstream}\n"),
            )?;
        }
    }
    let this = std::env::current_exe()?;
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = CONFIG
        .replace(
            "command: notes-server",
            &format!("command: {:?}, args: [child]", this.display().to_string()),
        )
        .replace("http://tickets.example/sse", &format!("{}/sse", server::serve("authorization").await?))
        .replace("http://wiki.example/mcp", &format!("{}/mcp", server::serve("x-wiki-token").await?))
        .replace("127.0.0.1:8808", &free.to_string());
    let file = folder.join("crossway.yaml");
    std::fs::write(&file, config)?;
    let line = ["crossway", "--log", "error", "serve", "--config", &file.display().to_string()];
    let cli = <Cli as clap::Parser>::try_parse_from(line)?;
    let Command::Serve(args) = cli.command else { anyhow::bail!("it is the command line of serve") };
    let prepared = Prepared::new(args, &cli.log)?;
    tokio::spawn(prepared.serve());
    Ok(format!("http://{free}/mcp"))
}

/// A client of a user's, once the gateway is there.
async fn client(url: &str, user: &str) -> anyhow::Result<RunningService<RoleClient, ()>> {
    let key = format!("Bearer the-key-of-{user}-0123456789abcdef");
    loop {
        let options = Options::default().header("Authorization", &key)?;
        let link = StreamableHttpUpstream::new(url, options)?.connect(Scope::Session);
        match ().serve(ClientTransport::new(link)).await {
            Ok(client) => return Ok(client),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
