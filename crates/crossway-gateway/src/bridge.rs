//! `crossway bridge`: serves MCP servers as URLs.

use std::sync::Arc;

use crossway_router::BackOptions;

use crate::args::BridgeArgs;
use crate::connect::connect;
use crate::eras::any_era_of;
use crate::fleet::Fleet;
use crate::plan::{self, BridgePlan, CommandPlan, UpstreamPlan};
use crate::serve::Bound;
use crate::single::serve_with_tools;
use crate::tools::alone;
use crate::{RunError, Running};

/// Serves what the arguments name, until asked to end.
///
/// # Errors
///
/// When the arguments can't be carried out, or the address is taken; when the only server can't be started or reached. Of
/// several, those that can't are tried again while the others are served.
#[must_use]
pub fn bridge(args: BridgeArgs) -> Running {
    Box::pin(run(args))
}

async fn run(args: BridgeArgs) -> Result<(), RunError> {
    let (plan, serving) = plan::bridge(args)?;
    match plan {
        BridgePlan::One(upstream) => {
            let bound = Bound::new(serving).await?;
            let name = name_of(&upstream);
            let connected = connect(upstream).await?;
            connected.announce(&name);
            let any_era =
                any_era_of(&name, Arc::clone(&connected.upstream), &connected, BackOptions::default());
            let tools = Arc::new(alone(&name, &any_era.modern()));
            serve_with_tools(bound, any_era, Some(tools), &name, false).await?;
            connected.close().await;
        }
        BridgePlan::Many { file, servers, keyring } => {
            // A file that can't be used is told before anything is bound.
            let mut fleet = Fleet::new(file, servers, keyring)?;
            let bound = Bound::new(serving).await?;
            fleet.serve(bound).await?;
        }
    }
    Ok(())
}

/// What to call a server in a client's file.
fn name_of(plan: &UpstreamPlan) -> String {
    match plan {
        UpstreamPlan::Url(url) => url.url.host_str().unwrap_or("bridge").to_owned(),
        UpstreamPlan::Command(command) => server_name(command),
        // The command line names none.
        UpstreamPlan::Api(_) => "bridge".to_owned(),
    }
}

/// What to call a command: its last word that is no flag, without what stands before the name.
fn server_name(command: &CommandPlan) -> String {
    let mut words = std::iter::once(&command.program).chain(&command.args).map(|word| word.to_string_lossy());
    let word = words.rfind(|word| !word.starts_with('-')).unwrap_or_default();
    let name = word.rsplit(['/', '\\']).next().unwrap_or_default().split('@').next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    if name.is_empty() { "bridge".to_owned() } else { name.chars().map(safe).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_after_its_package() {
        for (line, name) in [
            (&["npx", "-y", "@modelcontextprotocol/server-everything@1.0"][..], "server-everything"),
            (&["/usr/bin/github-mcp-server"], "github-mcp-server"),
            (&["x", "/"], "bridge"),
        ] {
            let (program, args) = line.split_first().unwrap();
            let command = CommandPlan {
                program: program.into(),
                args: args.iter().map(Into::into).collect(),
                env: Vec::new(),
                cwd: None,
                is_hidden: false,
            };
            assert_eq!(server_name(&command), name);
        }
    }
}
