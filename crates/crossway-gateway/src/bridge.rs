//! `crossway bridge`: any MCP server as URLs.

use std::sync::Arc;

use crossway_router::Speaks;
use crossway_stdio::{Command, Era, Options, StdioUpstream};

use crate::args::BridgeArgs;
use crate::eras::any_era;
use crate::plan::{self, CommandPlan, UpstreamPlan};
use crate::serve::{Bound, serve};
use crate::{RunError, connect_url};

/// Serves the upstream that the arguments name, until asked to end.
///
/// # Errors
///
/// When the arguments can't be carried out, the upstream can't be started or reached, or the address is taken.
pub async fn bridge(args: BridgeArgs) -> Result<(), RunError> {
    let (upstream, serving) = plan::bridge(args)?;
    let bound = Bound::new(serving).await?;
    match upstream {
        UpstreamPlan::Url(url) => {
            let name = url.url.host_str().unwrap_or("bridge").to_owned();
            let (upstream, speaks) = connect_url(url).await?;
            serve(bound, any_era(&name, upstream, speaks), &name, false).await?;
        }
        UpstreamPlan::Command(command) => {
            let name = server_name(&command);
            let upstream = StdioUpstream::new(to_command(command), Options::default());
            let era = upstream.probe().await?;
            tracing::info!(?era, "the MCP server has started");
            let speaks = if era == Era::Modern { Speaks::Modern } else { Speaks::Legacy };
            serve(bound, any_era(&name, Arc::new(upstream.clone()), speaks), &name, false).await?;
            upstream.close().await;
        }
    }
    Ok(())
}

fn to_command(plan: CommandPlan) -> Command {
    let mut command = Command::new(plan.program).args(plan.args);
    for (name, value) in plan.env {
        command = command.env(name, value);
    }
    match plan.cwd {
        Some(directory) => command.current_dir(directory),
        None => command,
    }
}

/// What to call a command in a client's file: its last word that is no flag, without what stands before the name.
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
            };
            assert_eq!(server_name(&command), name);
        }
    }
}
