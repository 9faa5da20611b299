//! `crossway bridge`: serves MCP servers as URLs.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crossway_router::{SharedBy, ToLegacyOptions};

use crate::args::BridgeArgs;
use crate::commands::fleet::Fleet;
use crate::commands::single::serve_with_tools;
use crate::limits::COMMAND_SESSIONS;
use crate::listener::BoundListener;
use crate::openapi_face::alone;
use crate::plan::{self, BridgePlan, CommandPlan, UpstreamPlan};
use crate::upstream::connect::connect_unless_asked;
use crate::upstream::eras::any_era_of;
use crate::{RunError, Running};

/// Serves the servers of the arguments until asked to end.
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
    let sessions = args.sessions.map_or(COMMAND_SESSIONS, NonZeroUsize::get);
    let (plan, listen) = plan::bridge(args)?;
    match plan {
        BridgePlan::One(upstream) => {
            open_files_for(sessions, usize::from(matches!(upstream, UpstreamPlan::Command(_))));
            let mut bound = BoundListener::new(listen).await?;
            let mut to_legacy = ToLegacyOptions::shared_by(SharedBy::Everyone);
            if matches!(upstream, UpstreamPlan::Command(_)) {
                bound = bound.of_command(sessions);
                to_legacy = to_legacy.sessions(sessions);
            }
            let name = name_of(&upstream);
            let Some(connected) = connect_unless_asked(upstream, bound.asked()).await? else { return Ok(()) };
            connected.announce(&name);
            let any_era = any_era_of(&name, Arc::clone(&connected.upstream), &connected, to_legacy);
            let tools = Arc::new(alone(&name, &any_era.modern()));
            serve_with_tools(bound, any_era, Some(tools), &name, false, connected.close()).await?;
        }
        BridgePlan::Many { file, servers, keyring } => {
            // A file that can't be used is reported before anything is bound.
            let mut fleet = Fleet::new(file, servers, keyring)?.sessions(sessions);
            open_files_for(sessions, fleet.commands());
            let bound = BoundListener::new(listen).await?;
            fleet.serve(bound).await?;
        }
    }
    Ok(())
}

/// Raises the limit of open files for the sessions of this many commands, or warns where it is too low.
///
/// A session needs six files, as many as three of the connections that are counted there: two connections of its
/// client, for a stream and for a call, and its process with three pipes.
fn open_files_for(
    #[cfg_attr(not(unix), expect(unused_variables))] sessions: usize,
    #[cfg_attr(not(unix), expect(unused_variables))] commands: usize,
) {
    #[cfg(unix)]
    crate::raise_descriptor_limit(sessions.saturating_mul(commands).saturating_mul(3));
}

/// The name for a server in a client's file.
fn name_of(plan: &UpstreamPlan) -> String {
    match plan {
        UpstreamPlan::Url(url) => url.url.host_str().unwrap_or("bridge").to_owned(),
        UpstreamPlan::Command(command) => server_name(command),
        // No command line names an API.
        UpstreamPlan::Api(_) => "bridge".to_owned(),
    }
}

/// Programs that run another one, which their arguments name.
const RUNNERS: [&str; 12] =
    ["npx", "bunx", "uvx", "pipx", "docker", "podman", "node", "bun", "deno", "python", "sh", "bash"];

/// The commands of runners that may stand before the name of what they run.
const VERBS: [&str; 3] = ["run", "exec", "x"];

/// Flags of runners without a value. The argument after any other flag may be its value, and a secret.
const LONE_FLAGS: [&str; 12] =
    ["-y", "--yes", "-q", "--quiet", "-u", "-i", "-t", "-it", "--rm", "-A", "--init", "--interactive"];

/// The name for a command: its program, or what a runner runs. Other arguments may be secrets.
fn server_name(command: &CommandPlan) -> String {
    let program = bare(&command.program.to_string_lossy());
    let is_runner = RUNNERS.contains(&program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'));
    let run = if is_runner { first_named(&command.args) } else { None };
    let name = run.unwrap_or(program);
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    if name.is_empty() { "bridge".to_owned() } else { name.chars().map(safe).collect() }
}

/// The package, module, image or script that a runner's arguments name; `None` if a word may be something else.
fn first_named(args: &[OsString]) -> Option<String> {
    let mut words = args.iter().map(|word| word.to_string_lossy());
    loop {
        let word = words.next()?;
        match &*word {
            // Python's flag for a module.
            "-m" => return words.next().map(|module| bare(&module)),
            flag if LONE_FLAGS.contains(&flag) || flag.starts_with("--") && flag.contains('=') => {}
            flag if flag.starts_with('-') => return None,
            verb if VERBS.contains(&verb) => {}
            // A line of code.
            text if text.contains(char::is_whitespace) => return None,
            named => return Some(bare(named)).filter(|name| !name.is_empty()),
        }
    }
}

/// A name without path, scope, version, tag and extension.
fn bare(word: &str) -> String {
    let name = word.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.split(['@', ':', '=']).next().unwrap_or_default();
    let extensions = [".exe", ".cmd", ".bat", ".py", ".js", ".mjs", ".cjs", ".ts", ".sh"];
    let stem = extensions.iter().find_map(|extension| name.strip_suffix(extension));
    stem.unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_after_its_program_or_package_and_after_nothing_else() {
        for (line, name) in [
            (&["npx", "-y", "@modelcontextprotocol/server-everything@1.0"][..], "server-everything"),
            (&["/usr/bin/github-mcp-server"], "github-mcp-server"),
            (&["/"], "bridge"),
            (&["./fake.py", "--api-key", "hunter2"], "fake"),
            (&["server", "hunter2"], "server"),
            (&["npx", "-y", "server", "--token", "hunter2"], "server"),
            (&["npx", "--registry", "https://user:hunter2@host", "server"], "npx"),
            (&["npx", "--package=x", "server"], "server"),
            (&["uvx", "mcp-server-time==1.2", "--local-timezone=UTC"], "mcp-server-time"),
            (&["uvx", "--from", "git+https://hunter2@host/x", "server"], "uvx"),
            (&["pipx", "run", "mcp-server-time"], "mcp-server-time"),
            (&["docker", "run", "-i", "--rm", "mcp/time:latest"], "time"),
            (&["docker", "run", "-i", "-e", "KEY=hunter2", "mcp/time"], "docker"),
            (&["python3.12", "-u", "server.py"], "server"),
            (&["python", "-m", "mcp_server_time", "hunter2"], "mcp_server_time"),
            (&["node", "C:\\tools\\server.mjs", "hunter2"], "server"),
            (&["sh", "-c", "KEY=hunter2 exec server"], "sh"),
            (&["deno", "run", "-A", "server.ts"], "server"),
        ] {
            let (program, args) = line.split_first().unwrap();
            let command = CommandPlan {
                program: program.into(),
                args: args.iter().map(Into::into).collect(),
                env: Vec::new(),
                cwd: None,
                is_hidden: false,
                tenant: None,
            };
            assert_eq!(server_name(&command), name, "{line:?}");
        }
    }
}
