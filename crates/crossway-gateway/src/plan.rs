//! What a command will do: arguments, validated before anything starts.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossway_dial::{BadProxy, Proxies};
use crossway_seal::{KeyError, Keyring};
use http::{HeaderName, HeaderValue};
use url::Url;

use crate::args::{BridgeArgs, HeaderError, ListenArgs, StdioArgs, TransportArg, UrlArgs};
use crate::servers::Server;
use crate::upstream::apis::{ApiKind, ApiPlan};

/// Where and how to serve.
#[derive(Debug, Clone)]
pub struct ListenPlan {
    /// The address to listen on.
    pub address: SocketAddr,
    /// Allowed host names besides the loopback ones.
    pub allow_hosts: Vec<String>,
    /// Web origins that may call.
    pub allow_origins: Vec<String>,
    /// How long calls in flight may take at shutdown.
    pub drain: Duration,
    /// How long a call may be silent; zero means without a limit.
    pub timeout: Duration,
}

/// The upstream of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamPlan {
    /// A command to launch.
    Command(CommandPlan),
    /// A URL to connect to.
    Url(UrlPlan),
    /// A REST API, or webhooks.
    Api(ApiPlan),
}

impl UpstreamPlan {
    /// Whether this upstream needs to know which chat a call belongs to, as webhooks do.
    pub(crate) fn asks_for_chats(&self) -> bool {
        matches!(self, Self::Api(api) if matches!(api.kind, ApiKind::Webhooks(..)))
    }
}

/// A command to launch.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandPlan {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its environment variables, besides the inherited ones.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
    /// Whether the program's name contains a variable's value, which may be a secret.
    pub is_hidden: bool,
    /// For which tenant it runs, as the log shows it.
    pub tenant: Option<Arc<str>>,
}

/// The placeholder that is shown for a program whose name contains a variable's value.
pub(crate) const HIDDEN: &str = "${..}";

/// A URL to connect to.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlPlan {
    /// The URL.
    pub url: Url,
    /// The transport, if it was specified.
    pub transport: Option<TransportArg>,
    /// Headers for each request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The outgoing proxies for requests.
    pub proxies: Proxies,
    /// Whether modern requests keep the ids that clients gave them, as those of one person's own clients may.
    pub keeps_ids: bool,
}

/// Why the command line can't be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is no upstream.
    #[error(
        "what is to be bridged? Add a command behind `--` (crossway bridge -- npx -y some-server), --upstream URL, or \
         --config FILE"
    )]
    NoUpstream,
    /// One of several URLs has no name.
    #[error("{0} is one server of several, and needs a name: --upstream NAME={0}")]
    Unnamed(String),
    /// Two servers have one name.
    #[error("two servers are called {0:?}; give each a name of its own")]
    Twice(String),
    /// A session key for a single server, whose sessions live in one process.
    #[error(
        "--session-key is for several servers with names, merged at /mcp; the sessions of a single server live in one process"
    )]
    KeyOfOne,
    /// The file of keys can't be read.
    #[error("{} can't be read", file.display())]
    KeyFile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of keys has none that can be used.
    #[error("{}: {error}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// The error.
        error: KeyError,
    },
    /// A URL in place of a command.
    #[error("{0} is a URL, and behind `--` stands a command: give it as --upstream {0}")]
    UrlAsCommand(String),
    /// A command together with named servers.
    #[error("a command behind `--` is a bridge's only server; of several, put it into the --config file")]
    CommandAmongMany,
    /// A flag that has no effect here.
    #[error("{flag} is for {of}; there is {instead}")]
    OutOfPlace {
        /// The flag.
        flag: &'static str,
        /// What the flag is for.
        of: &'static str,
        /// What is there instead.
        instead: &'static str,
    },
    /// A flag for a single URL, given with several.
    #[error(
        "{flag} is for a single --upstream, and would hold for each of these; put the servers into a file (--config FILE), \
         where each has {key:?} of its own"
    )]
    OfWhich {
        /// The flag.
        flag: &'static str,
        /// The key for it in a file of servers.
        key: &'static str,
    },
    /// Listening beyond loopback without allowed host names.
    #[error(
        "{address} can be reached from other machines: add --allow-host NAME for each name by which clients may call \
         (and mind that nobody is authenticated)"
    )]
    NoAllowedHost {
        /// The address.
        address: SocketAddr,
    },
    /// Not a URL.
    #[error("{url:?} is not a URL: {reason}")]
    BadUrl {
        /// The text that was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header that can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A variable names no proxy that can be used.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// A variable that `--env` passes on is not set.
    #[error("--env {0} passes on a variable that is not set; write --env {0}=VALUE, or set it")]
    NotSet(String),
}

/// The upstreams of a bridge.
#[derive(Debug)]
pub enum BridgePlan {
    /// One server, at the root, with its tools' names unchanged.
    One(UpstreamPlan),
    /// Named servers: merged at the root, and each below its name.
    Many {
        /// The file of servers, if there is one. It is read again when it changes.
        file: Option<PathBuf>,
        /// The servers of the command line.
        servers: Vec<Server>,
        /// The keys for sealing session ids.
        keyring: Option<Arc<Keyring>>,
    },
}

/// Checks the arguments of `crossway bridge`.
///
/// # Errors
///
/// When they name no server, or can't be combined.
pub fn bridge(args: BridgeArgs) -> Result<(BridgePlan, ListenPlan), PlanError> {
    let listen = listen(&args.listen)?;
    check_places(&args)?;
    if let [program, rest @ ..] = &args.command[..] {
        let command = command_plan(program, rest, &args)?;
        return Ok((BridgePlan::One(UpstreamPlan::Command(command)), listen));
    }
    if let ([url], None) = (&args.upstreams[..], &args.config)
        && split_name(url).is_none()
    {
        return Ok((BridgePlan::One(UpstreamPlan::Url(url_plan(url, &args.url)?)), listen));
    }
    let servers = servers(&args)?;
    let keyring = args.session_key.map(|path| keyring(&path)).transpose()?;
    Ok((BridgePlan::Many { file: args.config, servers, keyring }, listen))
}

/// Checks that no flag is given without what it is for.
fn check_places(args: &BridgeArgs) -> Result<(), PlanError> {
    let out_of_place = |flag, of, instead| Err(PlanError::OutOfPlace { flag, of, instead });
    let has_urls = !args.upstreams.is_empty();
    if args.command.is_empty() && !args.env.is_empty() {
        return out_of_place("--env", "commands", "none");
    }
    if args.command.is_empty() && args.cwd.is_some() {
        return out_of_place("--cwd", "commands", "none");
    }
    if args.command.is_empty() && args.config.is_none() && args.sessions.is_some() {
        return out_of_place("--sessions", "commands", "none");
    }
    if !has_urls && !args.url.headers.is_empty() {
        return out_of_place("--header", "--upstream", "none");
    }
    if !has_urls && args.url.upstream_transport.is_some() {
        return out_of_place("--upstream-transport", "--upstream", "none");
    }
    if args.upstreams.len() > 1 {
        let of_which = |flag, key| Err(PlanError::OfWhich { flag, key });
        if !args.url.headers.is_empty() {
            return of_which("--header", "headers");
        }
        if args.url.upstream_transport.is_some() {
            return of_which("--upstream-transport", "type");
        }
    }
    let is_one = args.config.is_none() && args.upstreams.iter().all(|url| split_name(url).is_none());
    if is_one && args.session_key.is_some() {
        return Err(PlanError::KeyOfOne);
    }
    Ok(())
}

/// The command behind `--`, which has to be the only server.
fn command_plan(program: &str, rest: &[String], args: &BridgeArgs) -> Result<CommandPlan, PlanError> {
    if !args.upstreams.is_empty() || args.config.is_some() {
        return Err(PlanError::CommandAmongMany);
    }
    if http_url(program).is_ok() {
        return Err(PlanError::UrlAsCommand(program.to_owned()));
    }
    let env = args.env.iter().map(|(name, value)| {
        let value = value.as_ref().map(OsString::from).or_else(|| std::env::var_os(name));
        value.map(|value| (name.into(), value)).ok_or_else(|| PlanError::NotSet(name.clone()))
    });
    Ok(CommandPlan {
        program: program.into(),
        args: rest.iter().map(OsString::from).collect(),
        env: env.collect::<Result<_, _>>()?,
        cwd: args.cwd.clone(),
        is_hidden: false,
        tenant: None,
    })
}

/// The named servers of the command line.
fn servers(args: &BridgeArgs) -> Result<Vec<Server>, PlanError> {
    if args.upstreams.is_empty() && args.config.is_none() {
        return Err(PlanError::NoUpstream);
    }
    let mut servers: Vec<Server> = Vec::new();
    for upstream in &args.upstreams {
        let Some((name, url)) = split_name(upstream) else {
            return Err(PlanError::Unnamed(upstream.clone()));
        };
        if servers.iter().any(|server| server.name == name) {
            return Err(PlanError::Twice(name.to_owned()));
        }
        let upstream = UpstreamPlan::Url(url_plan(url, &args.url)?);
        servers.push(Server { name: name.to_owned(), upstream, disabled_tools: BTreeSet::new() });
    }
    Ok(servers)
}

/// Reads a ring of keys from a file.
fn keyring(path: &Path) -> Result<Arc<Keyring>, PlanError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| PlanError::KeyFile { file: path.to_owned(), source })?;
    let keyring = Keyring::parse(&text).map_err(|error| PlanError::Key { file: path.to_owned(), error })?;
    Ok(Arc::new(keyring))
}

/// Splits `NAME=URL`. A URL without a name may contain an equals sign, but not before its scheme.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (name, url) = text.split_once('=')?;
    (!name.is_empty() && !name.contains("://")).then_some((name, url))
}

/// Checks the arguments of `crossway stdio`.
///
/// # Errors
///
/// When the URL or a header can't be used.
pub fn stdio(args: &StdioArgs) -> Result<UrlPlan, PlanError> {
    url_plan(&args.upstream, &args.url)
}

/// Checks the arguments for listening.
///
/// # Errors
///
/// When other machines can reach the address, and no host names are given.
pub fn listen(args: &ListenArgs) -> Result<ListenPlan, PlanError> {
    if !args.listen.is_loopback() && args.allow_hosts.is_empty() {
        return Err(PlanError::NoAllowedHost { address: args.listen.address() });
    }
    Ok(ListenPlan {
        address: args.listen.address(),
        allow_hosts: args.allow_hosts.clone(),
        allow_origins: args.allow_origins.clone(),
        drain: args.drain,
        timeout: args.timeout,
    })
}

fn url_plan(url: &str, args: &UrlArgs) -> Result<UrlPlan, PlanError> {
    let parsed = http_url(url).map_err(|reason| PlanError::BadUrl { url: url.to_owned(), reason })?;
    let headers = args.headers.iter().map(|header| header.resolve(|name| std::env::var(name).ok()));
    Ok(UrlPlan {
        url: parsed,
        transport: args.upstream_transport,
        headers: headers.collect::<Result<_, HeaderError>>()?,
        proxies: Proxies::from_variables(|name| std::env::var(name).ok())?,
        keeps_ids: true,
    })
}

/// Parses the URL of a server.
///
/// # Errors
///
/// A description of what is wrong with it.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => url,
        Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase) => {
            return Err("it has to begin with http:// or https://".to_owned());
        }
        Err(error) => return Err(error.to_string()),
    };
    Ok(url)
}

/// Returns the part of a URL that may be shown: its origin. Paths and queries may contain keys, and the user information a password.
pub(crate) fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl std::fmt::Debug for UrlPlan {
    /// Leaves out the parts of the URL that may be secret. Sensitive header values hide themselves.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UrlPlan")
            .field("url", &shown(&self.url))
            .field("transport", &self.transport)
            .field("headers", &self.headers)
            .finish()
    }
}

impl std::fmt::Debug for CommandPlan {
    /// Names the variables and leaves out their values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandPlan")
            .field("program", if self.is_hidden { &HIDDEN } else { &self.program })
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn plan(line: &[&str]) -> Result<(BridgePlan, ListenPlan), PlanError> {
        let cli = Cli::try_parse_from([&["crossway", "bridge"], line].concat()).unwrap();
        let Command::Bridge(args) = cli.command else { panic!("not a bridge") };
        bridge(args)
    }

    #[test]
    fn each_mistake_says_what_to_do() {
        for (line, wanted) in [
            (&[][..], "what is to be bridged?"),
            (&["--upstream", "host/mcp"], "\"host/mcp\" is not a URL"),
            (&["--upstream", "host/mcp"], "it has to begin with http:// or https://"),
            (&["--", "http://h/mcp"], "give it as --upstream http://h/mcp"),
            (&["--upstream", "ftp://host/"], "it has to begin with http:// or https://"),
            (&["--upstream", "http://h/", "--env", "A=b"], "--env is for commands; there is none"),
            (&["--upstream", "http://h/", "--sessions", "2"], "--sessions is for commands; there is none"),
            (&["--header", "A: b", "--", "cat"], "--header is for --upstream; there is none"),
            (&["--listen", "0.0.0.0:1", "--", "cat"], "add --allow-host NAME"),
            (&["--env", "CROSSWAY_TEST_NOT_SET", "--", "cat"], "write --env CROSSWAY_TEST_NOT_SET=VALUE"),
            (&["--upstream", "http://a/", "--upstream", "b=http://b/"], "--upstream NAME=http://a/"),
            (&["--config", "f", "--upstream", "http://a/"], "--upstream NAME=http://a/"),
            (&["--upstream", "a=http://a/", "--upstream", "a=http://b/"], "two servers are called \"a\""),
            (&["--config", "f", "--", "cat"], "put it into the --config file"),
            (&["--session-key", "f", "--", "cat"], "--session-key is for several servers"),
            (&["--session-key", "/nonexistent", "--upstream", "a=http://a/"], "/nonexistent can't be read"),
            (&["--session-key", "/dev/null", "--upstream", "a=http://a/"], "/dev/null: there is no key"),
            (&["--upstream", "http://a/", "--", "cat"], "put it into the --config file"),
            // Each server would be sent what is for one.
            (
                &[
                    "--upstream",
                    "a=http://a/",
                    "--upstream",
                    "b=http://b/",
                    "--header",
                    "Authorization: Bearer hidden",
                ],
                "--header is for a single --upstream",
            ),
            (
                &[
                    "--upstream",
                    "a=http://a/",
                    "--upstream",
                    "b=http://b/",
                    "--upstream-transport",
                    "http-sse",
                ],
                "where each has \"type\" of its own",
            ),
        ] {
            let error = plan(line).unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains("hidden"), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_url_may_have_an_equals_sign_and_no_name() {
        let (plan, _) = plan(&["--upstream", "http://h/mcp?a=b"]).unwrap();
        let BridgePlan::One(UpstreamPlan::Url(url)) = plan else { panic!("no URL") };
        assert_eq!(url.url.as_str(), "http://h/mcp?a=b");
    }

    #[test]
    fn servers_with_names_stay_in_their_order() {
        let (plan, _) = plan(&["--upstream", "b=http://h/?x=y", "--upstream", "a=http://h/"]).unwrap();
        let BridgePlan::Many { file: None, servers, keyring: None } = plan else { panic!("not many") };
        let names: Vec<_> = servers.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn a_command_keeps_its_arguments() {
        let (upstream, _) = plan(&["--env", "A=b", "--", "npx", "-y", "--x"]).unwrap();
        let BridgePlan::One(UpstreamPlan::Command(command)) = upstream else { panic!("no command") };
        assert_eq!((command.program, command.args), ("npx".into(), vec!["-y".into(), "--x".into()]));
        assert_eq!(command.env, [("A".into(), "b".into())]);
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_a_secret() {
        for (url, wanted) in [
            ("http://host:1/mcp", "http://host:1"),
            ("https://user:hunter2@host/hunter2/mcp?key=hunter2#hunter2", "https://host"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), wanted);
        }
    }
}
