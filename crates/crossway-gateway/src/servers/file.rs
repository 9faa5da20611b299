//! Parses `mcpServers` files of Claude Desktop, Cursor, VS Code, mcpo and others.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crossway_dial::Proxies;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::comments::plain;
use super::entries::{Entries, position};
use super::{FileError, Problem};
use crate::args::{HeaderArg, TransportArg};
use crate::config::nearest;
use crate::expand::expand;
use crate::limits::SERVERS_FILE_BYTES;
use crate::plan::{CommandPlan, UpstreamPlan, UrlPlan, http_url};

/// The member that lists the servers.
const LIST: &str = "mcpServers";

/// The members of which an entry needs one.
const NEEDED: [&str; 2] = ["command", "url"];

/// The contents of a file, fully checked.
#[derive(Debug)]
pub struct ServersFile {
    /// The servers that are not switched off, in the file's order.
    pub servers: Vec<Server>,
    /// Members of the file that have no meaning here, for the log.
    pub ignored: Vec<String>,
}

/// A server with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name in the file.
    pub name: String,
    /// How to reach the server.
    pub upstream: UpstreamPlan,
    /// The tools that are hidden.
    pub disabled_tools: BTreeSet<String>,
}

/// An MCP server in the form of desktop clients, with the names that they use.
#[derive(Clone, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "McpServer")]
pub struct Entry {
    /// The program to launch.
    command: Option<String>,
    /// Its arguments.
    #[serde(default)]
    args: Vec<String>,
    /// Its environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Its working directory.
    cwd: Option<String>,
    /// The server's URL.
    #[serde(alias = "serverUrl")]
    url: Option<String>,
    /// A URL that speaks Streamable HTTP, as the Gemini CLI names it.
    #[serde(rename = "httpUrl")]
    http_url: Option<String>,
    /// `stdio`, `http` or `sse`.
    #[serde(rename = "type", alias = "transport", alias = "transportType")]
    kind: Option<String>,
    /// Headers for each request to the URL.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Whether the entry is skipped. Rules of `crossway serve` about it may stay: they have no effect, and `check` warns about them.
    #[serde(default)]
    disabled: bool,
    /// Whether the entry is used: the opposite of `disabled`.
    enabled: Option<bool>,
    /// Tools that are left out, as mcpo names them.
    #[serde(rename = "disabledTools", alias = "disabled_tools", default)]
    disabled_tools: BTreeSet<String>,
    /// Members without a meaning here.
    #[serde(flatten)]
    #[schemars(skip)]
    rest: BTreeMap<String, IgnoredAny>,
}

impl std::fmt::Debug for Entry {
    /// Shows no values, because they may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

impl ServersFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When the file can't be read or is invalid, with file, line and column.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let unreadable = |error| FileError {
            file: path.to_owned(),
            at: None,
            problem: Box::new(Problem::Unreadable(error)),
        };
        let whole = |problem| FileError { file: path.to_owned(), at: None, problem: Box::new(problem) };
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        let read = file.take(SERVERS_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if read as u64 > SERVERS_FILE_BYTES {
            return Err(whole(Problem::TooLarge(SERVERS_FILE_BYTES)));
        }
        let text = String::from_utf8(bytes).map_err(|_| whole(Problem::NotText))?;
        Self::parse(path, &text, |name| std::env::var(name).ok())
    }

    /// Parses a file's text; `lookup` returns an environment variable's value.
    ///
    /// # Errors
    ///
    /// When the text is invalid, with `path`, line and column.
    pub fn parse(
        path: &Path,
        text: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, FileError> {
        let text = &*plain(text.strip_prefix('\u{feff}').unwrap_or(text));
        let error = |at, problem| FileError { file: path.to_owned(), at, problem: Box::new(problem) };
        if text.trim().is_empty() {
            return Err(error(None, Problem::NoServers { near: None }));
        }
        let top: Entries<'_> = read_part(text, text).map_err(|(at, problem)| error(Some(at), problem))?;
        let is_list = |name: &str| name == LIST || name == "servers";
        let Some((_, list)) = top.0.iter().find(|(name, _)| is_list(name)) else {
            let near =
                top.0.iter().map(|(name, _)| name).find(|name| nearest(name, [LIST].into_iter()).is_some());
            return Err(error(None, Problem::NoServers { near: near.cloned() }));
        };
        let entries: Entries<'_> =
            read_part(text, list.get()).map_err(|(at, problem)| error(Some(at), problem))?;
        let mut file = Self { servers: Vec::new(), ignored: Vec::new() };
        let mut names = std::collections::HashSet::new();
        for (name, raw) in entries.0 {
            let here = |problem| error(Some(position(text, raw.get())), problem);
            if name.is_empty() {
                return Err(here(Problem::NoName));
            }
            if !names.insert(name.clone()) {
                return Err(here(Problem::Twice(name)));
            }
            let entry: Entry = read_part(text, raw.get())
                .map_err(|(at, problem)| error(Some(at), in_entry(&name, raw.get(), problem)))?;
            file.ignored.extend(entry.rest.keys().map(|member| format!("{name}.{member}")));
            if entry.is_disabled() {
                continue;
            }
            let disabled_tools = entry.disabled_tools.clone();
            let upstream = entry.upstream(&name, &lookup).map_err(here)?;
            file.servers.push(Server { name, upstream, disabled_tools });
        }
        Ok(file)
    }
}

impl Entry {
    /// Whether the entry is switched off.
    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled || self.enabled == Some(false)
    }

    /// The tools that are hidden.
    pub(crate) fn disabled_tools(&self) -> &BTreeSet<String> {
        &self.disabled_tools
    }

    /// The members that have no meaning here.
    pub(crate) fn ignored(&self) -> impl Iterator<Item = &str> {
        self.rest.keys().map(String::as_str)
    }

    /// Converts the entry to a plan; `lookup` returns a variable's value.
    pub(crate) fn upstream(
        &self,
        name: &str,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<UpstreamPlan, Problem> {
        let transport = self.transport(name)?;
        let mismatch = |needs| match self.kind.clone() {
            Some(kind) => Err(Problem::Mismatch { name: name.to_owned(), kind, needs }),
            None => Ok(()),
        };
        match (&self.command, self.url.as_ref().or(self.http_url.as_ref())) {
            (Some(_), Some(_)) => Err(Problem::Both(name.to_owned())),
            (None, None) => {
                let near = self.rest.keys().find_map(|member| {
                    let meant = nearest(member, NEEDED.into_iter())?;
                    Some((member.clone(), meant))
                });
                Err(Problem::Nothing { name: name.to_owned(), near })
            }
            (Some(command), None) => {
                if transport.is_some() {
                    mismatch("url")?;
                }
                self.command_plan(name, command, lookup).map(UpstreamPlan::Command)
            }
            (None, Some(url)) => {
                if transport.is_none() {
                    mismatch("command")?;
                }
                self.url_plan(name, url, transport.flatten(), lookup).map(UpstreamPlan::Url)
            }
        }
    }

    fn command_plan(
        &self,
        name: &str,
        command: &str,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<CommandPlan, Problem> {
        let expanded = |member, text: &str| {
            expand(text, lookup).map(OsString::from).map_err(|error| Problem::Variable {
                name: name.to_owned(),
                member,
                error,
            })
        };
        let env = self.env.iter().map(|(name, value)| Ok((name.into(), expanded("env", value)?)));
        Ok(CommandPlan {
            program: expanded("command", command)?,
            args: self.args.iter().map(|arg| expanded("args", arg)).collect::<Result<_, _>>()?,
            env: env.collect::<Result<_, _>>()?,
            is_hidden: command.contains("${"),
            tenant: None,
            cwd: self.cwd.as_ref().map(|cwd| expanded("cwd", cwd).map(PathBuf::from)).transpose()?,
        })
    }

    fn url_plan(
        &self,
        name: &str,
        url: &str,
        transport: Option<TransportArg>,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<UrlPlan, Problem> {
        let url = expand(url, lookup).map_err(|error| Problem::Variable {
            name: name.to_owned(),
            member: "url",
            error,
        })?;
        let url = http_url(&url).map_err(|reason| Problem::BadUrl { name: name.to_owned(), reason })?;
        let headers = self.headers.iter().map(|(header, value)| {
            HeaderArg::new(header, value)
                .and_then(|header| header.resolve(lookup))
                .map_err(|error| Problem::Header { name: name.to_owned(), error })
        });
        Ok(UrlPlan {
            url,
            transport,
            headers: headers.collect::<Result<_, _>>()?,
            proxies: Proxies::from_variables(lookup).map_err(Problem::Proxy)?,
            keeps_ids: true,
        })
    }

    /// Returns `None` for a command, and `Some` for a URL, with the transport if the type specifies it.
    fn transport(&self, name: &str) -> Result<Option<Option<TransportArg>>, Problem> {
        let Some(kind) = &self.kind else {
            let said = self.http_url.as_ref().map(|_| TransportArg::StreamableHttp);
            return Ok(self.command.is_none().then_some(said));
        };
        match kind.to_ascii_lowercase().replace('_', "-").as_str() {
            "stdio" => Ok(None),
            // Many files say "http" for servers that speak HTTP+SSE, so the transport is detected.
            "http" => Ok(Some(None)),
            "streamable-http" | "streamablehttp" => Ok(Some(Some(TransportArg::StreamableHttp))),
            "sse" | "http-sse" => Ok(Some(Some(TransportArg::HttpSse))),
            _ => Err(Problem::UnknownType { name: name.to_owned(), kind: kind.clone() }),
        }
    }
}

/// Deserializes a part of a text; errors have the position in the whole text.
fn read_part<'a, T: Deserialize<'a>>(whole: &str, part: &'a str) -> Result<T, ((usize, usize), Problem)> {
    serde_json::from_str(part).map_err(|error| {
        let (line, column) = position(whole, part);
        let at = match error.line() {
            0 => (line, column),
            1 => (line, column + error.column().saturating_sub(1)),
            further => (line + further - 1, error.column()),
        };
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        (
            at,
            match error.classify() {
                Category::Eof => Problem::Cut,
                Category::Data => Problem::NoObject,
                Category::Syntax | Category::Io => Problem::Json(text.to_owned()),
            },
        )
    })
}

/// Returns the problem with an entry, with the faulty member if a single one is to blame. Values are not shown.
fn in_entry(name: &str, entry: &str, problem: Problem) -> Problem {
    if !matches!(problem, Problem::NoObject) {
        return problem;
    }
    let Ok(members) = serde_json::from_str::<Entries<'_>>(entry) else {
        return Problem::NoEntry(name.to_owned());
    };
    let is_wrong = |(member, value): &&(String, &RawValue)| {
        let alone = format!("{{{}:{value}}}", serde_json::Value::from(member.as_str()));
        serde_json::from_str::<Entry>(&alone).is_err()
    };
    let name = name.to_owned();
    match members.0.iter().find(is_wrong) {
        Some((member, _)) => Problem::WrongMember { name, member: member.clone(), wanted: wanted(member) },
        // Each member alone can be read, so two of them are the same under two names.
        None => Problem::WrongEntry {
            name,
            what: "a member is there twice, perhaps under another of its names".to_owned(),
        },
    }
}

/// Returns a description of a member's required type.
fn wanted(member: &str) -> &'static str {
    match member {
        "args" => r#"a list of texts, such as ["-y", "server"]"#,
        "disabledTools" | "disabled_tools" => r#"a list of names, such as ["delete"]"#,
        "env" | "headers" => r#"an object of texts, such as { "NAME": "5" }"#,
        "disabled" | "enabled" => "true or false",
        _ => "a text",
    }
}

#[cfg(test)]
mod tests;
