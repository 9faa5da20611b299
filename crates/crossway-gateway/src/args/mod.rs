//! Command-line flags and subcommands.
//!
//! One table of commands and flags: the parser, `--help`, the shell completions and the man page are made from it.

mod header;
mod listen;
mod openapi;
mod serve;
mod tips;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::limits::{LONGEST, THREADS};
pub use header::{HeaderArg, HeaderError};
pub use listen::Listen;
pub(crate) use listen::literal;
pub use openapi::{LevelArg, OpenApiArgs, ServerTypeArg};
use serve::{CHECK_HELP, EXPLAIN_HELP, HEALTH_HELP, SERVE_HELP, TOOLS_HELP};
pub use serve::{CheckArgs, CheckFormat, ConfigArg, ExplainArgs, HealthArgs, ServeArgs, ToolsArgs, UserArgs};
pub use tips::parse;

/// The flags and commands of the binary.
#[derive(Debug, Parser)]
#[command(
    name = "crossway",
    version,
    long_version = long_version(),
    about = "Puts any MCP server, on any transport, before any MCP client",
    long_about = "Crossway carries MCP between sides that do not speak the same transport: stdio, HTTP+SSE and \
                  Streamable HTTP, either way. Messages pass as the bytes that they are.",
    after_help = "Run `crossway COMMAND --help` for a command's flags and examples.",
    after_long_help = AFTER_HELP,
    styles = styles(),
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
}

const AFTER_HELP: &str = "\
Examples:
  crossway bridge -- npx -y @modelcontextprotocol/server-everything
      a stdio server as URLs: /mcp (Streamable HTTP) and /sse (HTTP+SSE)
  crossway bridge --upstream https://host/sse
      the same from a URL; which transport it speaks is found out
  crossway stdio https://host/mcp
      a URL as a stdio server, for clients that launch commands
  crossway serve --config crossway.yaml
      many servers for many users, of whom each sees what the config grants
  crossway demo
      an MCP server to try all of this with

Exit codes:
  0  ended as asked: by Ctrl-C, SIGTERM, or the end of standard input
  1  something failed: the upstream could not be started or reached, the address could not be listened on, a config of `serve` \
can't be used
  2  the command line is wrong, or a file of servers or keys that it names; nothing was started";

fn long_version() -> String {
    let revisions = crossway_proto::Revision::ALL.map(crossway_proto::Revision::as_str).join(", ");
    format!("{}\nMCP revisions: {revisions}", env!("CARGO_PKG_VERSION"))
}

fn styles() -> Styles {
    Styles::styled()
        .header(AnsiColor::Yellow.on_default().bold())
        .usage(AnsiColor::Yellow.on_default().bold())
        .literal(AnsiColor::Green.on_default())
        .placeholder(AnsiColor::Cyan.on_default())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve an MCP server as URLs, whatever transport it speaks.
    #[command(after_long_help = BRIDGE_HELP)]
    Bridge(BridgeArgs),
    /// Serve many MCP servers to many users: each sees and calls what the config grants.
    #[command(after_long_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Say why a user may make a call or may not: the decision, each rule that was looked at, whose credential would go, which quotas count.
    #[command(after_long_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// List the tools that a user sees. Starts the servers that are granted to the user, and reads the user's credentials.
    #[command(after_long_help = TOOLS_HELP)]
    Tools(ToolsArgs),
    /// Serve the tools of MCP servers as OpenAPI, with the flags and the config file of mcpo.
    #[command(name = "openapi", after_long_help = OPENAPI_HELP)]
    OpenApi(OpenApiArgs),
    /// Be a stdio server for an MCP server that is a URL.
    #[command(after_long_help = STDIO_HELP)]
    Stdio(StdioArgs),
    /// Serve a demo MCP server, with nothing else to install.
    #[command(after_long_help = DEMO_HELP)]
    Demo(DemoArgs),
    /// Check a config of `crossway serve`: all that is wrong with it, with line and column.
    #[command(after_long_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Ask a gateway of this machine whether it takes calls: for probes in images that have no other program.
    #[command(after_long_help = HEALTH_HELP)]
    Health(HealthArgs),
    /// Print the config's JSON Schema, for editors.
    Schema,
    /// Print every limit: what it bounds, its default, why, and which key of the config sets it.
    Limits,
    /// Print a shell's completions: `crossway completions bash > /etc/bash_completion.d/crossway`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page: `crossway man > crossway.1`.
    Man,
}

const BRIDGE_HELP: &str = "\
Examples:
  crossway bridge -- npx -y @modelcontextprotocol/server-everything
  crossway bridge --env GITHUB_TOKEN=\"$TOKEN\" --cwd /srv -- github-mcp-server stdio
  crossway bridge --upstream https://host/mcp --header 'Authorization: Bearer ${TOKEN}'
  crossway bridge --config servers.json
  crossway bridge --upstream github=https://a/mcp --upstream jira=http://b/sse
  crossway bridge --listen 0.0.0.0:8808 --allow-host tools.example.com -- my-server

One server keeps its names. Each client session gets a process (or an upstream session) of its own; requests of the \
stateless revision 2026-07-28 share one.

Several servers are merged at /mcp, where tools and prompts are called SERVER__NAME, and each is alone, under its own \
names, at /SERVER/mcp. At /mcp all clients share the servers' sessions, except where a server may ask a client something.";

const OPENAPI_HELP: &str = "\
Examples:
  crossway openapi --port 8000 --api-key top-secret -- uvx mcp-server-time --local-timezone=America/New_York
  crossway openapi --port 8000 --api-key top-secret --server-type sse -- http://127.0.0.1:8001/sse
  crossway openapi --config config.json --hot-reload

One server is at /openapi.json, /docs and POST /TOOL. Those of a file are each below /SERVER, and all are in one document at \
/openapi.json. docs/moving/mcpo-line-by-line.md says what is as with mcpo and what is not.";

const STDIO_HELP: &str = "\
Example, as an entry of a client's `mcpServers` file:
  { \"mcpServers\": { \"name\": { \"command\": \"crossway\", \"args\": [\"stdio\", \"https://host/mcp\"] } } }

Ends when standard input is closed, and ends the upstream's session then.";

const DEMO_HELP: &str = "\
The demo has the tools, prompts and resources that the official conformance suite asks of a server (`test_*`), and a \
few to try by hand: `echo`, `slow` (with progress) and `ask` (asks you a question).";

/// `crossway bridge`.
#[derive(Debug, Args)]
pub struct BridgeArgs {
    /// Where to listen, how to end.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// An MCP server's URL, over HTTP+SSE or Streamable HTTP.
    ///
    /// May be repeated: then each needs a name, as in --upstream github=https://host/mcp, and the bridge serves all of
    /// them merged at /mcp and each alone at /NAME/mcp.
    #[arg(long = "upstream", value_name = "[NAME=]URL")]
    pub upstreams: Vec<String>,
    /// A file of MCP servers, as desktop clients have it: { "mcpServers": { "NAME": { "command": .. } } }.
    ///
    /// The files of Claude Desktop, Cursor, VS Code, Gemini and mcpo are read as they are: "command", "args", "env",
    /// "cwd", or "url", "type", "headers". ${NAME} stands for an environment variable. A change of the file is taken
    /// up while the bridge runs.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A file with the key by which several bridges take on each other's sessions at /mcp.
    ///
    /// With one file and the same servers, any of them answers a client that another has opened a session for, as behind a load
    /// balancer. A line has 32 bytes in base64, as `openssl rand -base64 32` prints them; to change the key, put the
    /// new one before the old one, and take that away a day later.
    #[arg(long, value_name = "FILE")]
    pub session_key: Option<PathBuf>,
    /// How to reach the URL.
    #[command(flatten)]
    pub url: UrlArgs,
    /// An environment variable for the command.
    ///
    /// May be repeated. The command inherits PATH, HOME, LANG and their like, and nothing else; NAME alone passes on
    /// the variable of this name.
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = parse_env)]
    pub env: Vec<(String, Option<String>)>,
    /// The command's working directory.
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// How many sessions a command has at once, each with a process of its own; 256 by default.
    ///
    /// One more ends the session that was unused for the longest time. Its client opens another one with its next request.
    #[arg(long, value_name = "COUNT")]
    pub sessions: Option<NonZeroUsize>,
    /// The MCP server to launch, with its arguments: a stdio server.
    #[arg(last = true, value_name = "COMMAND", num_args = 0..)]
    pub command: Vec<String>,
}

/// `crossway stdio`.
#[derive(Debug, Args)]
pub struct StdioArgs {
    /// The MCP server's URL, over HTTP+SSE or Streamable HTTP.
    #[arg(value_name = "URL")]
    pub upstream: String,
    /// How to reach the URL.
    #[command(flatten)]
    pub url: UrlArgs,
    /// How long a call may be without a sign of life from the server, in seconds; 0 for as long as it takes.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    pub timeout: Duration,
}

/// `crossway demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to listen, how to end.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// Which protocol eras it serves: sessions (before 2026-07-28), stateless requests (from 2026-07-28), or both.
    #[arg(long, value_enum, default_value_t = EraArg::Both)]
    pub era: EraArg,
    /// Serve standard input and output instead of URLs.
    #[arg(long, conflicts_with_all = ["listen", "allow_hosts", "allow_origins", "drain"])]
    pub stdio: bool,
}

/// How to reach a URL.
#[derive(Debug, Args)]
pub struct UrlArgs {
    /// The URL's transport; found out if not given.
    #[arg(long, value_enum, value_name = "TRANSPORT")]
    pub upstream_transport: Option<TransportArg>,
    /// A header for each request to the URL, where there is one.
    ///
    /// May be repeated; servers of a --config file have their own. `${NAME}` stands for an environment variable, so that no secret has to stand in a command
    /// line: --header 'Authorization: Bearer ${TOKEN}'.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<HeaderArg>,
}

/// Where to listen, and how to end.
#[derive(Debug, Args)]
pub struct ListenArgs {
    /// The address to listen on; port 0 takes a free one.
    ///
    /// Beyond loopback (such as 0.0.0.0:8808) the names by which clients may call have to be given with
    /// --allow-host.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8808")]
    pub listen: Listen,
    /// A host name under which clients may call, besides the loopback ones (the `Host` check).
    ///
    /// May be repeated. It keeps web pages from reaching the bridge by DNS rebinding.
    #[arg(long = "allow-host", value_name = "NAME")]
    pub allow_hosts: Vec<String>,
    /// A web origin whose pages may call, such as `https://chat.example.com` (the `Origin` check).
    ///
    /// May be repeated. Browsers are told so (CORS). Requests without an `Origin` header, as all but browsers send them, need none.
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub allow_origins: Vec<String>,
    /// How long calls in flight may take to finish after Ctrl-C or SIGTERM, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub drain: Duration,
    /// How long a call may be without a sign of life from the server, in seconds; 0 for as long as it takes.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    pub timeout: Duration,
    /// How many threads serve; by default as many as there are processors, or half of that in front of a command, whose
    /// processes need some too.
    #[arg(long, value_name = "COUNT", value_parser = parse_threads)]
    pub threads: Option<NonZeroUsize>,
}

/// How to log.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// What to log, on standard error: a level (error, warn, info, debug, trace) or a filter such as
    /// warn,crossway_stdio=debug. By default, the variable RUST_LOG or the config decides, else `info`.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// How log lines look; by default, text.
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A transport that a URL can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TransportArg {
    /// One endpoint, as in revisions from 2025-03-26 on.
    StreamableHttp,
    /// An event stream and an endpoint for messages, as in revision 2024-11-05.
    HttpSse,
}

/// Which protocol eras to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EraArg {
    /// Both.
    Both,
    /// Sessions, opened by `initialize`: before 2026-07-28.
    Legacy,
    /// Stateless requests: 2026-07-28.
    Modern,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.parse().map_err(|_| "a number of seconds is wanted, such as 10 or 0.5".to_owned())?;
    let most = LONGEST.as_secs_f64();
    let in_bounds =
        (0.0..=most).contains(&seconds).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten();
    in_bounds.ok_or_else(|| format!("a number of seconds from 0 to {most} (a year) is wanted"))
}

fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= THREADS);
    threads.ok_or_else(|| format!("a number of threads from 1 to {THREADS} is wanted"))
}

fn parse_env(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() || text.contains('\0') {
        return Err("NAME=VALUE is wanted, such as --env LANG=C".to_owned());
    }
    Ok((name.to_owned(), value))
}

/// The whole table, as the completions and the man page need it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Writes the man page: one for all commands.
///
/// # Errors
///
/// When `out` can't be written to.
pub fn write_man(out: &mut impl std::io::Write) -> std::io::Result<()> {
    let mut command = command().disable_help_flag(true);
    command.build();
    clap_mangen::Man::new(command.clone()).render(out)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("crossway-{}", sub.get_name());
        clap_mangen::Man::new(sub.clone().name(name)).render(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        command().debug_assert();
    }

    /// A line's words, as a shell reads those that have no escapes.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for character in line.chars() {
            match (character, quote) {
                ('\'' | '"', None) => quote = Some(character),
                (end, Some(begin)) if end == begin => quote = None,
                (' ', None) => words.push(String::new()),
                (other, _) => words.last_mut().unwrap().push(other),
            }
        }
        words
    }

    #[test]
    fn each_example_of_the_help_is_a_command_line() {
        let commands = command();
        let helps = std::iter::once(&commands).chain(commands.get_subcommands());
        let helps: String = helps
            .filter_map(|command| command.get_after_long_help())
            .map(|help| format!("{help}\n"))
            .collect();
        let examples = helps.lines().flat_map(|line| line.split(" && ")).map(str::trim);
        let examples: Vec<&str> = examples.filter(|line| line.starts_with("crossway ")).collect();
        assert!(examples.len() > 12, "{examples:?}");
        for example in examples {
            let parsed = Cli::try_parse_from(words(example));
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_follows_two_dashes_is_the_command() {
        let cli = Cli::try_parse_from(["crossway", "bridge", "--env", "A=b=c", "--", "npx", "--listen", "x"])
            .unwrap();
        let Command::Bridge(bridge) = cli.command else { panic!("not a bridge") };
        assert_eq!(bridge.command, ["npx", "--listen", "x"]);
        assert_eq!(bridge.env, [("A".to_owned(), Some("b=c".to_owned()))]);
    }
}
