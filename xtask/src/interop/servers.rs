//! The servers that the clients are tried with.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Lab;
use super::crossway::Serving;
use super::process::{Background, run_to_end};

/// How long git may take to make a repository with one commit.
const GIT_LIMIT: Duration = Duration::from_secs(30);

/// A transport of MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Stdio,
    HttpSse,
    StreamableHttp,
}

impl Transport {
    pub(super) const ALL: [Self; 3] = [Self::Stdio, Self::HttpSse, Self::StreamableHttp];

    /// The spelling in scripts and flags.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::HttpSse => "http-sse",
            Self::StreamableHttp => "streamable-http",
        }
    }

    /// The spelling for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::HttpSse => "HTTP+SSE",
            Self::StreamableHttp => "Streamable HTTP",
        }
    }
}

/// A server program whose features the clients know how to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixture {
    /// `@modelcontextprotocol/server-everything`.
    Everything,
    /// `interop/server_py2.py`.
    Py2,
    /// `mcp-server-time`.
    Time,
    /// `mcp-server-git`.
    Git,
    /// `@modelcontextprotocol/server-memory`.
    Memory,
    /// `@modelcontextprotocol/server-filesystem`.
    Filesystem,
    /// `crossway demo`.
    Demo,
    /// `crossway demo --era modern`: sessions on it are translated.
    ModernDemo,
}

impl Fixture {
    pub(super) const ALL: [Self; 8] = [
        Self::Everything,
        Self::Time,
        Self::Git,
        Self::Memory,
        Self::Filesystem,
        Self::Py2,
        Self::Demo,
        Self::ModernDemo,
    ];

    /// The spelling in the names of runs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Py2 => "py2",
            Self::Time => "time",
            Self::Git => "git",
            Self::Memory => "memory",
            Self::Filesystem => "filesystem",
            Self::Demo => "demo",
            Self::ModernDemo => "demo-modern",
        }
    }

    /// The fixture with its features, as the scripts spell it.
    pub(super) fn features(self) -> &'static str {
        match self {
            Self::ModernDemo => Self::Demo.name(),
            _ => self.name(),
        }
    }

    /// The transports of the server.
    pub(super) fn transports(self) -> &'static [Transport] {
        match self {
            Self::Time | Self::Git | Self::Memory | Self::Filesystem => &[Transport::Stdio],
            // 2026-07-28 has no HTTP+SSE.
            Self::ModernDemo => &[Transport::Stdio, Transport::StreamableHttp],
            Self::Everything | Self::Py2 | Self::Demo => &Transport::ALL,
        }
    }

    /// The era of the server on a transport: Crossway translates for a modern client of a legacy server.
    pub(super) fn era(self, transport: Transport) -> &'static str {
        match (self, transport) {
            (Self::Everything | Self::Memory | Self::Filesystem, _) | (_, Transport::HttpSse) => "legacy",
            _ => "both",
        }
    }

    /// Whether the server sends log messages that belong to a modern client's call.
    pub(super) fn logs_in_calls(self, transport: Transport) -> bool {
        self.era(transport) != "legacy" && !matches!(self, Self::Time | Self::Git)
    }

    /// The title of a column.
    pub(super) fn short_title(self) -> &'static str {
        match self {
            Self::Everything => "server-everything",
            Self::Time => "mcp-server-time",
            Self::Git => "mcp-server-git",
            Self::Memory => "server-memory",
            Self::Filesystem => "server-filesystem",
            Self::Py2 => "Python SDK 2",
            Self::Demo => "demo",
            Self::ModernDemo => "demo, modern alone",
        }
    }

    /// The spelling for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Everything => "server-everything 2026.8.31 (revision 2025-11-25)",
            Self::Time => "mcp-server-time 2026.10.19 (every revision)",
            Self::Git => "mcp-server-git 2026.10.19 (every revision)",
            Self::Memory => "server-memory 2026.8.31 (revision 2025-11-25)",
            Self::Filesystem => "server-filesystem 2026.8.31 (revision 2025-11-25)",
            Self::Py2 => "a server on the Python SDK 2.3.0 (every revision)",
            Self::Demo => "crossway demo (every revision)",
            Self::ModernDemo => {
                "crossway demo --era modern (revision 2026-07-28 alone), with clients of before"
            }
        }
    }
}

/// A fixture on its transports, until this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    /// The command that starts it on stdio.
    command: Vec<String>,
    http_sse: Option<String>,
    streamable_http: Option<String>,
    /// The folder that the server was given, if any.
    pub(super) dir: PathBuf,
    _processes: Vec<Background>,
    _demo: Option<Serving>,
}

impl Server {
    pub(super) fn start(lab: &Lab, fixture: Fixture) -> Result<Self> {
        match fixture {
            Fixture::Everything => {
                let script = everything(lab);
                Self::script(lab, &lab.node(), &script, ["stdio", "sse", "streamableHttp"])
            }
            Fixture::Py2 => {
                let script = lab.scripts.join("server_py2.py");
                Self::script(lab, &lab.python(2), &script, ["stdio", "http-sse", "streamable-http"])
            }
            Fixture::Time => Self::stdio(lab, vec![lab.python_script("mcp-server-time")]),
            Fixture::Git => {
                let (command, repository) = (lab.python_script("mcp-server-git"), repository(lab)?);
                let arguments = ["--repository".to_owned(), repository.display().to_string()];
                let server = Self::stdio(lab, std::iter::once(command).chain(arguments).collect())?;
                Ok(Self { dir: repository, ..server })
            }
            Fixture::Memory => Self::stdio(lab, memory_command(lab)?),
            Fixture::Filesystem => {
                let script = lab.npm_package("server-filesystem/dist/index.js").display().to_string();
                let dir = empty_dir(lab, "files")?;
                let command = vec![lab.node().display().to_string(), script, dir.display().to_string()];
                Ok(Self { dir, ..Self::stdio(lab, command)? })
            }
            Fixture::Demo => Self::demo(lab, "both"),
            Fixture::ModernDemo => Self::demo(lab, "modern"),
        }
    }

    /// A server script that takes its transport as an argument.
    fn script(lab: &Lab, program: &Path, script: &Path, [stdio, sse, http]: [&str; 3]) -> Result<Self> {
        let command = vec![program.display().to_string(), script.display().to_string(), stdio.to_owned()];
        let (sse_port, sse_process) = listen(lab, program, script, sse)?;
        let (http_port, http_process) = listen(lab, program, script, http)?;
        Ok(Self {
            http_sse: Some(format!("http://127.0.0.1:{sse_port}/sse")),
            streamable_http: Some(format!("http://127.0.0.1:{http_port}/mcp")),
            _processes: vec![sse_process, http_process],
            ..Self::stdio(lab, command)?
        })
    }

    /// A server command that speaks stdio alone.
    fn stdio(lab: &Lab, command: Vec<String>) -> Result<Self> {
        Ok(Self {
            command,
            http_sse: None,
            streamable_http: None,
            dir: lab.dir.clone(),
            _processes: Vec::new(),
            _demo: None,
        })
    }

    fn demo(lab: &Lab, era: &str) -> Result<Self> {
        let demo = lab.crossway.demo(era)?;
        Ok(Self {
            http_sse: demo.sse.clone(),
            streamable_http: Some(demo.mcp.clone()),
            _demo: Some(demo),
            ..Self::stdio(lab, lab.crossway.demo_command(era))?
        })
    }

    /// The URL of the server on a transport; `None` on stdio.
    pub(super) fn url(&self, transport: Transport) -> Option<&str> {
        match transport {
            Transport::Stdio => None,
            Transport::HttpSse => self.http_sse.as_deref(),
            Transport::StreamableHttp => self.streamable_http.as_deref(),
        }
    }

    /// The address for a client without Crossway: a URL, or a command.
    pub(super) fn target(&self, transport: Transport) -> Vec<String> {
        self.url(transport).map_or_else(|| self.command.clone(), |url| vec![url.to_owned()])
    }

    /// Starts a bridge in front of this server, on the given transport.
    pub(super) fn bridge(&self, lab: &Lab, transport: Transport) -> Result<Serving> {
        match self.url(transport) {
            None => lab.crossway.bridge_command(&self.command),
            Some(url) => lab.crossway.bridge_url(url, None),
        }
    }
}

/// The program of server-everything, for Node.
pub(super) fn everything(lab: &Lab) -> PathBuf {
    lab.npm_package("server-everything/dist/index.js")
}

/// How to start server-memory.
pub(super) fn memory_command(lab: &Lab) -> Result<Vec<String>> {
    let script = lab.npm_package("server-memory/dist/index.js");
    // Each process gets a memory file of its own: of two that write one file, one may read half of it.
    let own = "MEMORY_FILE_PATH=\"$(mktemp -d -p \"$0\")/memory.jsonl\" exec \"$1\" \"$2\"";
    let words = [Path::new("sh"), Path::new("-c"), Path::new(own), &empty_dir(lab, "memories")?];
    let node = lab.node();
    let words = words.into_iter().chain([node.as_path(), script.as_path()]);
    Ok(words.map(|word| word.display().to_string()).collect())
}

/// An empty folder for a server.
pub(super) fn empty_dir(lab: &Lab, name: &str) -> Result<PathBuf> {
    let dir = lab.dir.join("fixtures").join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("{} cannot be removed", dir.display()))?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be created", dir.display()))?;
    Ok(dir)
}

/// Makes a repository with one commit.
fn repository(lab: &Lab) -> Result<PathBuf> {
    let dir = empty_dir(lab, "repository")?;
    let commands: [&[&str]; 2] = [
        &["init", "--quiet"],
        &[
            "-c",
            "user.name=interop",
            "-c",
            "user.email=interop@example.com",
            "commit",
            "--quiet",
            "--allow-empty",
            "--message=the first of interop",
        ],
    ];
    for arguments in commands {
        let finished = run_to_end(Command::new("git").arg("-C").arg(&dir).args(arguments), GIT_LIMIT)?;
        ensure!(finished.code == Some(0), "git {} failed: {}", arguments.join(" "), finished.stderr);
    }
    Ok(dir)
}

/// Starts a server script on a free port: one script reads PORT, the other an argument.
fn listen(lab: &Lab, program: &Path, script: &Path, mode: &str) -> Result<(u16, Background)> {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).context("no free port")?.port();
    let log = lab.dir.join(format!("logs/{}-{mode}.log", script.file_stem().unwrap_or_default().display()));
    let mut command = Command::new(program);
    command.arg(script).arg(mode).arg(port.to_string()).env("PORT", port.to_string());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let (mut process, _) = Background::start(&mut command, &log)?;
    process
        .wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())
        .with_context(|| format!("{} {mode}", script.display()))?;
    Ok((port, process))
}
