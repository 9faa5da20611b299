//! The ways that are measured, and the programs that they need.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tempfile::TempDir;

use super::serving::{Settings, USER, Upstreams};
use crate::load::{Address, Target, Work};
use crate::open_webui::OpenWebUi;
use crate::procfs::Watch;
use crate::program::Program;
use crate::revision::Revision;

/// The name of the echo server's processes, which never count as the bridge's.
const ECHO_NAME: &str = "crossway-echo";

/// The lifetime of signed user tokens: longer than a whole table takes.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The programs.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The echo server.
    pub(crate) echo: PathBuf,
    /// The floor.
    pub(crate) floor: PathBuf,
    /// The crossway to measure; without it, only floor and direct are.
    pub(crate) crossway: Option<PathBuf>,
}

/// A way from the load generator to the echo server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// Streamable HTTP, the floor, stdio.
    Floor,
    /// Streamable HTTP, crossway, stdio.
    Stdio,
    /// Streamable HTTP, and nothing in between.
    Direct,
    /// HTTP+SSE, crossway, Streamable HTTP.
    SseToHttp,
    /// Streamable HTTP, crossway, Streamable HTTP.
    HttpToHttp,
    /// Stdio, `crossway stdio`, Streamable HTTP.
    Launched,
    /// Streamable HTTP, crossway, stdio, both of 2026-07-28: nothing is translated.
    Modern,
    /// Streamable HTTP, crossway, stdio: a client of 2026-07-28, and a server of an earlier revision.
    ToLegacy,
    /// Streamable HTTP, crossway, stdio: a client of an earlier revision, and a server of 2026-07-28.
    FromLegacy,
    /// Streamable HTTP, crossway with 20 stdio servers of 500 tools each; one of them is called.
    Merged,
    /// Like [`Way::Merged`], with the 20 servers over Streamable HTTP, all in one process.
    MergedHttp,
    /// Like [`Way::MergedHttp`], with two tools per server, for comparing a turn with one at a server asked directly.
    MergedFew,
    /// A server of as many tools as the merged ones have together, asked directly.
    Listing,
    /// Like [`Way::Merged`], behind `crossway serve` with all its features for a call.
    Served,
    /// Like [`Way::MergedHttp`], behind `crossway serve` likewise.
    ServedHttp,
}

/// The number of merged servers, and the number of tools each has besides its own two.
pub(crate) const MERGED: (usize, usize) = (20, 498);

impl Way {
    /// Whether crossway is on the way.
    pub(crate) fn is_crossway(self) -> bool {
        !matches!(self, Self::Floor | Self::Direct | Self::Listing)
    }

    /// The name for reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Direct => "direct",
            Self::Stdio => "crossway",
            Self::SseToHttp => "crossway, HTTP+SSE to HTTP",
            Self::HttpToHttp => "crossway, HTTP to HTTP",
            Self::Launched => "crossway stdio",
            Self::Modern => "crossway, modern to modern",
            Self::ToLegacy => "crossway, modern to legacy",
            Self::FromLegacy => "crossway, legacy to modern",
            Self::Merged => "crossway, 20 servers merged",
            Self::MergedHttp => "crossway, 20 HTTP servers merged",
            Self::MergedFew => "crossway, 20 HTTP servers of two tools",
            Self::Listing => "one server with all tools",
            Self::Served => "crossway serve, 20 servers",
            Self::ServedHttp => "crossway serve, 20 HTTP servers",
        }
    }
}

/// The running programs of one way.
#[derive(Debug)]
pub(crate) struct Rig {
    /// The load's target, and the processes whose time and memory are measured.
    pub(crate) work: Work,
    /// Kept while it is measured; the bridge is ended before its server.
    _bridge: Option<Program>,
    server: Option<Program>,
    _folder: Option<TempDir>,
}

impl Rig {
    /// The server behind a bridge, as a direct target.
    pub(crate) fn server(&self) -> anyhow::Result<Work> {
        let server = self.server.as_ref().context("there is no server of its own")?;
        Ok(Work::new(Target::StreamableHttp(Address::parse(server.url("/mcp"))?)))
    }
}

impl Programs {
    /// Starts the programs that `way` needs.
    pub(crate) fn start(&self, way: Way) -> anyhow::Result<Rig> {
        let crossway = || self.crossway.as_ref().context("no crossway was given");
        let echo = || Program::start(&self.echo, &words(&["streamable-http"]), &["/mcp"]);
        let mut folder = None;
        let (bridge, server) = match way {
            Way::Floor => {
                let arguments = [words(&["--listen", "127.0.0.1:0"]), self.stdio_server()].concat();
                (Some(Program::start(&self.floor, &arguments, &["/mcp"])?), None)
            }
            Way::Stdio => {
                let arguments = [words(&["bridge", "--listen", "127.0.0.1:0"]), self.stdio_server()].concat();
                (Some(Program::start(crossway()?, &arguments, &["/mcp"])?), None)
            }
            Way::Modern | Way::ToLegacy | Way::FromLegacy => {
                let era = if way == Way::ToLegacy { "legacy" } else { "modern" };
                let arguments = [words(&["bridge", "--listen", "127.0.0.1:0"]), self.stdio_server()].concat();
                let arguments = [arguments, words(&["--era", era])].concat();
                (Some(Program::start(crossway()?, &arguments, &["/mcp"])?), None)
            }
            Way::Merged => {
                let config = self.merged_config()?;
                // As many threads as a bridge in front of one command has on two processors.
                let flags = words(&["bridge", "--listen", "127.0.0.1:0", "--threads", "1", "--config"]);
                let arguments = [flags, vec![config.into()]].concat();
                (Some(Program::start(crossway()?, &arguments, &["/mcp"])?), None)
            }
            Way::MergedHttp | Way::MergedFew => {
                let tools = if way == Way::MergedFew { 0 } else { MERGED.1 };
                let server = Program::start(&self.echo, &http_server(tools), &["/mcp"])?;
                let mut arguments = words(&["bridge", "--listen", "127.0.0.1:0"]);
                for number in 0..MERGED.0 {
                    let upstream = format!("server-{number}={}", server.url("/mcp"));
                    arguments.extend([OsString::from("--upstream"), upstream.into()]);
                }
                (Some(Program::start(crossway()?, &arguments, &["/mcp"])?), Some(server))
            }
            Way::Served => {
                let place = folder.insert(tempfile::tempdir()?);
                let upstreams = Upstreams::Commands(MERGED.0, &self.echo, MERGED.1);
                // The same as the bridge that it is compared with.
                let settings =
                    Settings { scope: "session", threads: Some(1), ..Settings::new(upstreams, place.path()) };
                (Some(Program::start(crossway()?, &settings.write()?, &["/mcp"])?), None)
            }
            Way::ServedHttp => {
                let server = Program::start(&self.echo, &http_server(MERGED.1), &["/mcp"])?;
                let place = folder.insert(tempfile::tempdir()?);
                let settings = Settings::new(Upstreams::Urls(MERGED.0, server.url("/mcp")), place.path());
                (Some(Program::start(crossway()?, &settings.write()?, &["/mcp"])?), Some(server))
            }
            Way::Listing => {
                let tools = MERGED.0 * (MERGED.1 + 2) - 2;
                (None, Some(Program::start(&self.echo, &http_server(tools), &["/mcp"])?))
            }
            Way::SseToHttp | Way::HttpToHttp => {
                let server = echo()?;
                let arguments =
                    words(&["bridge", "--listen", "127.0.0.1:0", "--upstream", server.url("/mcp")]);
                let path = if way == Way::SseToHttp { "/sse" } else { "/mcp" };
                (Some(Program::start(crossway()?, &arguments, &[path])?), Some(server))
            }
            Way::Direct | Way::Launched => (None, Some(echo()?)),
        };
        let front = bridge.as_ref().or(server.as_ref()).context("nothing was started")?;
        let target = match way {
            Way::Launched => {
                let program = crossway()?.to_str().context("the path of crossway is not UTF-8")?.to_owned();
                Target::Stdio(vec![program, "stdio".to_owned(), front.url("/mcp").to_owned()])
            }
            Way::SseToHttp => Target::HttpSse(Address::parse(front.url("/sse"))?),
            _ => Target::StreamableHttp(Address::parse(front.url("/mcp"))?),
        };
        let watch = match way {
            Way::Launched => Watch::default(),
            Way::Direct | Way::Listing => Watch { pids: vec![front.pid()], ..Watch::default() },
            _ => Watch {
                pids: vec![front.pid()],
                exclude_names: vec![ECHO_NAME.to_owned()],
                exclude_pids: Vec::new(),
            },
        };
        let mut work = Work { watch, ..Work::new(target) };
        if matches!(way, Way::Modern | Way::ToLegacy) {
            work.revision = Revision::V2026_07_28;
        }
        if matches!(way, Way::Merged | Way::MergedHttp | Way::MergedFew | Way::Served | Way::ServedHttp) {
            work.tool = "server-7__echo".to_owned();
        }
        if matches!(way, Way::Served | Way::ServedHttp) {
            work.headers = OpenWebUi::new().headers(USER, "user", TOKEN_LIFE);
        }
        Ok(Rig { work, _bridge: bridge, server, _folder: folder })
    }

    /// Writes a config of servers with many tools each.
    fn merged_config(&self) -> anyhow::Result<PathBuf> {
        let (servers, tools) = MERGED;
        let entries: Vec<String> = (0..servers)
            .map(|number| {
                let echo = serde_json::Value::from(self.echo.to_string_lossy());
                format!(r#""server-{number}": {{ "command": {echo}, "args": ["stdio", "--more-tools", "{tools}"] }}"#)
            })
            .collect();
        let file = self.echo.with_file_name("crossway-bars-servers.json");
        std::fs::write(&file, format!(r#"{{ "mcpServers": {{ {} }} }}"#, entries.join(", ")))
            .with_context(|| format!("{} can't be written", file.display()))?;
        Ok(file)
    }

    fn stdio_server(&self) -> Vec<OsString> {
        vec!["--".into(), self.echo.clone().into(), "stdio".into()]
    }
}

/// The arguments of an HTTP server with this number of tools besides its own two.
pub(crate) fn http_server(more_tools: usize) -> Vec<OsString> {
    words(&["streamable-http", "--more-tools", &more_tools.to_string()])
}

pub(crate) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(Into::into).collect()
}
