//! Two MCP servers as one, for a client that knows of neither. The servers speak the revisions with sessions, as most do, and so
//! does the client (rmcp 3); between them each request stands for itself.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use crossway::rmcp::ClientTransport;
use crossway::router::{FromLegacy, Router, RouterOptions, SharedBy, ToLegacy, ToLegacyOptions};
use crossway::service::{Scope, Upstream};
use crossway_examples::Shouting;
use rmcp::model::CallToolRequestParams;
use rmcp::{RoleClient, ServiceExt, service::RunningService};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Nobody is told apart here: all clients see the same.
    let router = Router::new(RouterOptions::default().same_for_all());
    for name in ["one", "two"] {
        // Any upstream will do: a child process, a URL. This one is legacy, so calls share a pool of sessions with it.
        router.insert(name, &ToLegacy::new(name, Shouting, ToLegacyOptions::shared_by(SharedBy::Everyone)));
    }

    // `FromLegacy` takes clients with sessions; a server of any transport would be put before it.
    let link = FromLegacy::new(router.clone()).connect(Scope::Session);
    let client = ().serve(ClientTransport::new(link)).await?;
    println!("the tools are {:?}", tools(&client).await?);
    let arguments = serde_json::Map::from_iter([("text".to_owned(), "hello".into())]);
    let call = CallToolRequestParams::new("two__shout").with_arguments(arguments);
    println!("two__shout answers {:?}", client.call_tool(call).await?.content);

    // Servers come and go while clients are there.
    router.remove("one");
    println!("without the first they are {:?}", tools(&client).await?);
    client.cancel().await?;
    Ok(())
}

async fn tools(client: &RunningService<RoleClient, ()>) -> anyhow::Result<Vec<String>> {
    Ok(client.list_all_tools().await?.into_iter().map(|tool| tool.name.into_owned()).collect())
}
