//! A router with names of its own: `tool_at_server` in place of `server__tool`. And without any: then two tools of one name
//! are one too many, and the router says whose they are.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use std::borrow::Cow;

use crossway::rmcp::ClientTransport;
use crossway::router::{
    FromLegacy, Naming, Router, RouterOptions, SharedBy, ToLegacy, ToLegacyOptions, Unprefixed,
};
use crossway::service::{Scope, Upstream};
use crossway_examples::Shouting;
use rmcp::model::CallToolRequestParams;
use rmcp::{RoleClient, ServiceExt, service::RunningService};

struct ServerLast;

impl Naming for ServerLast {
    fn expose<'a>(&self, upstream: &str, name: &'a str) -> Cow<'a, str> {
        format!("{name}_at_{upstream}").into()
    }

    // Names that can be taken apart need not be looked up. No server of ours has `_at_` in its name.
    fn split<'a>(&self, exposed: &'a str) -> Option<(&'a str, &'a str)> {
        exposed.rsplit_once("_at_").map(|(name, upstream)| (upstream, name))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (_, client) = serve(ServerLast).await?;
    println!("the tools are {:?}", tools(&client).await?);
    let arguments = serde_json::Map::from_iter([("text".to_owned(), "hello".into())]);
    let call = CallToolRequestParams::new("shout_at_two").with_arguments(arguments);
    println!("shout_at_two answers {:?}", client.call_tool(call).await?.content);

    let (router, client) = serve(Unprefixed).await?;
    println!("without prefixes the tools are {:?}", tools(&client).await?);
    for clash in router.clashes() {
        println!("{} and {} both have {}", clash.first, clash.second, clash.name);
    }
    Ok(())
}

async fn serve(naming: impl Naming) -> anyhow::Result<(Router, RunningService<RoleClient, ()>)> {
    let router = Router::with_naming(RouterOptions::default().same_for_all(), naming);
    for name in ["one", "two"] {
        router.insert(name, &ToLegacy::new(name, Shouting, ToLegacyOptions::shared_by(SharedBy::Everyone)));
    }
    let link = FromLegacy::new(router.clone()).connect(Scope::Session);
    Ok((router, ().serve(ClientTransport::new(link)).await?))
}

async fn tools(client: &RunningService<RoleClient, ()>) -> anyhow::Result<Vec<String>> {
    Ok(client.list_all_tools().await?.into_iter().map(|tool| tool.name.into_owned()).collect())
}
