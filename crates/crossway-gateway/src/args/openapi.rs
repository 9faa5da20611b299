//! Flags of `crossway openapi`: those of mcpo.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::LogArgs;

/// `crossway openapi`. Names and meanings are mcpo's.
#[derive(Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct OpenApiArgs {
    /// Where to listen: a name or an address. 0.0.0.0 with a key, as with mcpo; 127.0.0.1 without one.
    #[arg(long, short = 'h', value_name = "HOST")]
    pub host: Option<String>,
    /// The port; 0 takes a free one.
    #[arg(long, short = 'p', value_name = "PORT", default_value_t = 8000)]
    pub port: u16,
    /// A web origin whose pages may call. May be repeated. All with a key, as with mcpo; those of this machine without one.
    #[arg(long, value_name = "ORIGIN")]
    pub cors_allow_origins: Vec<String>,
    /// The key that callers send, as Authorization: Bearer KEY.
    #[arg(long, short = 'k', value_name = "KEY", env = "CROSSWAY_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// The key is needed for documents and their page too.
    #[arg(long)]
    pub strict_auth: bool,
    /// An environment variable for the servers. May be repeated.
    #[arg(long, short = 'e', value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// A file of environment variables for the servers, NAME=VALUE a line.
    #[arg(long, value_name = "FILE")]
    pub env_path: Option<PathBuf>,
    /// What stands behind `--`: a command (stdio), or the URL of a server.
    #[arg(long, visible_alias = "type", value_enum, value_name = "TYPE", default_value_t = ServerTypeArg::Stdio)]
    pub server_type: ServerTypeArg,
    /// A file of MCP servers: { "mcpServers": { "NAME": { "command": .. } } }.
    #[arg(long, short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The title of the document.
    #[arg(long, short = 'n', value_name = "NAME")]
    pub name: Option<String>,
    /// The description of the document.
    #[arg(long, short = 'd', value_name = "TEXT")]
    pub description: Option<String>,
    /// The version of the document.
    #[arg(long, short = 'v', value_name = "VERSION")]
    pub version: Option<String>,
    /// The file of the certificate, in PEM: serves HTTPS.
    #[arg(long, short = 't', value_name = "FILE")]
    pub ssl_certfile: Option<PathBuf>,
    /// The file of its private key, in PEM.
    #[arg(long, short = 'K', value_name = "FILE")]
    pub ssl_keyfile: Option<PathBuf>,
    /// The path below which a proxy serves all of it.
    #[arg(long, value_name = "PATH", default_value = "")]
    pub root_path: String,
    /// What stands before the names of a file's servers in paths.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub path_prefix: String,
    /// Headers for each request to the URL, as a JSON object. ${NAME} stands for an environment variable.
    #[arg(long, short = 'H', value_name = "JSON")]
    pub header: Option<String>,
    /// Take up a change of the file while it runs.
    #[arg(long)]
    pub hot_reload: bool,
    /// What to log.
    #[arg(long, value_enum, ignore_case = true, value_name = "LEVEL")]
    pub log_level: Option<LevelArg>,
    /// Print this.
    #[arg(long, action = ArgAction::Help)]
    pub help: Option<bool>,
    /// The MCP server: a command with its arguments, or a URL.
    #[arg(last = true, value_name = "COMMAND", num_args = 0..)]
    pub command: Vec<String>,
}

impl std::fmt::Debug for OpenApiArgs {
    /// The key, headers and variables are secrets, or may be.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenApiArgs").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What stands behind `--`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServerTypeArg {
    /// A command.
    Stdio,
    /// A URL over HTTP+SSE.
    Sse,
    /// A URL over Streamable HTTP.
    #[value(alias = "streamable_http", alias = "streamablehttp")]
    StreamableHttp,
}

/// What is logged, in Python's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelArg {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What may be wrong.
    Warning,
    /// What is wrong.
    Error,
    /// The same.
    Critical,
}

impl OpenApiArgs {
    /// Whether nothing is launched.
    #[must_use]
    pub fn is_of_urls(&self) -> bool {
        self.config.is_none() && self.server_type != ServerTypeArg::Stdio
    }

    /// What to log: as `--log` or its environment variable says, else as `--log-level` does.
    #[must_use]
    pub fn log(&self, log: &LogArgs) -> LogArgs {
        let level = self.log_level.map(|level| match level {
            LevelArg::Debug => "debug",
            LevelArg::Info => "info",
            LevelArg::Warning => "warn",
            LevelArg::Error | LevelArg::Critical => "error",
        });
        LogArgs { log: log.log.clone().or_else(|| level.map(str::to_owned)), log_format: log.log_format }
    }
}
