//! Flags of `crossway serve` and of the commands about its config.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Listen;

pub(super) const SERVE_HELP: &str = "\
Examples:
  crossway check --config crossway.yaml && crossway serve --config crossway.yaml
  crossway explain --config crossway.yaml --user alice@acme.example --upstream github --tool get_issue

All servers are merged at /mcp, where tools and prompts are called SERVER__NAME, and each is alone, under its own names, at \
/SERVER/mcp; HTTP+SSE is at /sse and /SERVER/sse. What is not granted is not there. A change of the servers, of who calls or of \
what is granted is taken up while it runs, whole or not at all.";

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  crossway explain --user alice@acme.example --group acme --upstream github --tool get_issue
  crossway explain --user alice@acme.example --group acme --upstream github --tool delete_repo --arguments '{\"owner\":\"acme\"}'

Nothing is started, and no credential of a user or a tenant is read.

Exit codes:
  0  the call is permitted
  1  it is not
  2  that can't be told: the config can't be used, or has no such upstream or endpoint";

pub(super) const TOOLS_HELP: &str = "\
Example:
  crossway tools --config crossway.yaml --user alice@acme.example --group acme

A server that can't be reached, or takes long, is told on a line below the others.

Exit codes:
  0  the list is printed, whether all servers have answered or not
  1  there is none: the config can't be used, or the user belongs to no tenant
  2  the command line is wrong, or the config has no such endpoint";

pub(super) const CHECK_HELP: &str = "\
All that `crossway serve` looks at before it listens is looked at: keys and values, variables and the files of secrets. What can be \
meant and is likely not is a warning. Nothing is started, and no upstream is reached.

Exit codes:
  0  the config can be used
  1  it can't

Example, as a step before a rollout:
  crossway check --config crossway.yaml --format json";

pub(super) const HEALTH_HELP: &str = "\
Example, in a Dockerfile:
  HEALTHCHECK CMD [\"crossway\", \"health\"]

Exit codes:
  0  it takes calls
  1  it does not, or nobody answers";

/// `crossway serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The config.
    #[command(flatten)]
    pub config: ConfigArg,
    /// Listen here, whatever the config says. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<Listen>,
}

/// The config of `crossway serve`.
#[derive(Debug, Args)]
pub struct ConfigArg {
    /// The config: YAML, TOML or JSON, told by its ending.
    #[arg(long = "config", value_name = "FILE", env = "CROSSWAY_CONFIG", default_value = "crossway.yaml")]
    pub file: PathBuf,
}

/// `crossway check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The config.
    #[command(flatten)]
    pub config: ConfigArg,
    /// How findings are printed.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people, a line each.
    Text,
    /// One JSON object.
    Json,
}

/// `crossway explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The config.
    #[command(flatten)]
    pub config: ConfigArg,
    /// Who calls.
    #[command(flatten)]
    pub user: UserArgs,
    /// The upstream.
    #[arg(long, value_name = "NAME")]
    pub upstream: String,
    /// The tool, as the upstream calls it.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["prompt", "resource"])]
    pub tool: Option<String>,
    /// Or the prompt.
    #[arg(long, value_name = "NAME", conflicts_with = "tool")]
    pub prompt: Option<String>,
    /// Or the resource.
    #[arg(long, value_name = "URI", conflicts_with_all = ["tool", "prompt"])]
    pub resource: Option<String>,
    /// The arguments, for conditions on them.
    #[arg(long, value_name = "JSON")]
    pub arguments: Option<String>,
    /// As a tool of which the upstream says that it only reads.
    #[arg(long)]
    pub read_only: bool,
    /// How the answer is printed.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// `crossway tools`.
#[derive(Debug, Args)]
pub struct ToolsArgs {
    /// The config.
    #[command(flatten)]
    pub config: ConfigArg,
    /// Who calls.
    #[command(flatten)]
    pub user: UserArgs,
}

/// A user, as the proof of identity would describe one.
#[derive(Debug, Args)]
pub struct UserArgs {
    /// The e-mail address. Without --user and --subject: anonymous.
    #[arg(long = "user", value_name = "EMAIL")]
    pub email: Option<String>,
    /// The subject, as the issuer names it; by default, the e-mail address.
    #[arg(long, value_name = "SUBJECT")]
    pub subject: Option<String>,
    /// The issuer of the identity; by default, the issuer of the configured proof.
    #[arg(long, value_name = "ISSUER", default_value = "", hide_default_value = true)]
    pub issuer: String,
    /// The name for people, for grants and credentials that ask for it.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A group. May be repeated.
    #[arg(long = "group", value_name = "NAME")]
    pub groups: Vec<String>,
    /// A role. May be repeated.
    #[arg(long = "role", value_name = "NAME")]
    pub roles: Vec<String>,
    /// A claim and its value: department='"sales"', clearance=3. May be repeated.
    #[arg(long = "claim", value_name = "NAME=JSON", value_parser = parse_claim)]
    pub claims: Vec<(String, Value)>,
    /// The endpoint that says which tenant is meant.
    #[arg(long, value_name = "NAME")]
    pub endpoint: Option<String>,
}

fn parse_claim(text: &str) -> Result<(String, Value), String> {
    let claim = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let claim = claim.and_then(|(name, value)| Some((name.to_owned(), serde_json::from_str(value).ok()?)));
    claim.ok_or_else(|| "NAME=JSON is wanted, such as --claim 'department=\"sales\"'".to_owned())
}

/// `crossway health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// The URL to ask, plain HTTP only; healthy means a success status (2xx).
    #[arg(value_name = "URL", env = "CROSSWAY_HEALTH_URL", default_value = "http://127.0.0.1:9808/readyz")]
    pub url: String,
}
