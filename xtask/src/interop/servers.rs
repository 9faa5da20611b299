//! The servers that the clients are taken to.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Lab;
use super::crossway::Serving;
use super::process::Background;

/// A transport of MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Stdio,
    HttpSse,
    StreamableHttp,
}

impl Transport {
    pub(super) const ALL: [Self; 3] = [Self::Stdio, Self::HttpSse, Self::StreamableHttp];

    /// As the scripts and the flags spell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::HttpSse => "http-sse",
            Self::StreamableHttp => "streamable-http",
        }
    }

    /// As people write it.
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
    /// `crossway demo`.
    Demo,
    /// `crossway demo --era modern`: sessions on it are translated.
    ModernDemo,
}

impl Fixture {
    pub(super) const ALL: [Self; 4] = [Self::Everything, Self::Py2, Self::Demo, Self::ModernDemo];

    /// As the names of runs have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Py2 => "py2",
            Self::Demo => "demo",
            Self::ModernDemo => "demo-modern",
        }
    }

    /// Whose features it has, as the scripts spell it.
    pub(super) fn features(self) -> &'static str {
        match self {
            Self::ModernDemo => Self::Demo.name(),
            _ => self.name(),
        }
    }

    /// The eras that it speaks on a transport: with a modern client of a legacy one, Crossway translates.
    pub(super) fn era(self, transport: Transport) -> &'static str {
        match (self, transport) {
            (Self::Everything, _) | (_, Transport::HttpSse) => "legacy",
            _ => "both",
        }
    }

    /// As people write it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Everything => "server-everything 2026.8.31 (revision 2025-11-25)",
            Self::Py2 => "a server on the Python SDK 2.3.0 (every revision)",
            Self::Demo => "crossway demo (every revision)",
            Self::ModernDemo => {
                "crossway demo --era modern (revision 2026-07-28 alone), with clients of before"
            }
        }
    }
}

/// A fixture on all three transports, until this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    /// How to start it on stdio.
    command: Vec<String>,
    http_sse: String,
    streamable_http: String,
    _processes: Vec<Background>,
    _demo: Option<Serving>,
}

impl Server {
    pub(super) fn start(lab: &Lab, fixture: Fixture) -> Result<Self> {
        let (program, script, modes) = match fixture {
            Fixture::Everything => {
                let script = lab.npm_package("server-everything/dist/index.js");
                (lab.node(), script, ["stdio", "sse", "streamableHttp"])
            }
            Fixture::Py2 => {
                (lab.python(2), lab.scripts.join("server_py2.py"), ["stdio", "http-sse", "streamable-http"])
            }
            Fixture::Demo => return Self::demo(lab, "both"),
            Fixture::ModernDemo => return Self::demo(lab, "modern"),
        };
        let [stdio, sse, http] = modes;
        let (sse_port, sse_process) = listen(lab, &program, &script, sse)?;
        let (http_port, http_process) = listen(lab, &program, &script, http)?;
        Ok(Self {
            command: vec![program.display().to_string(), script.display().to_string(), stdio.to_owned()],
            http_sse: format!("http://127.0.0.1:{sse_port}/sse"),
            streamable_http: format!("http://127.0.0.1:{http_port}/mcp"),
            _processes: vec![sse_process, http_process],
            _demo: None,
        })
    }

    fn demo(lab: &Lab, era: &str) -> Result<Self> {
        let demo = lab.crossway.demo(era)?;
        Ok(Self {
            command: lab.crossway.demo_command(era),
            http_sse: demo.sse.clone(),
            streamable_http: demo.mcp.clone(),
            _processes: Vec::new(),
            _demo: Some(demo),
        })
    }

    /// The URL of the server on a transport; none on stdio.
    pub(super) fn url(&self, transport: Transport) -> Option<&str> {
        match transport {
            Transport::Stdio => None,
            Transport::HttpSse => Some(&self.http_sse),
            Transport::StreamableHttp => Some(&self.streamable_http),
        }
    }

    /// How a client reaches it without Crossway: a URL, or a command.
    pub(super) fn target(&self, transport: Transport) -> Vec<String> {
        self.url(transport).map_or_else(|| self.command.clone(), |url| vec![url.to_owned()])
    }

    /// A bridge that has this server behind it, on the given transport.
    pub(super) fn bridge(&self, lab: &Lab, transport: Transport) -> Result<Serving> {
        match self.url(transport) {
            None => lab.crossway.bridge_command(&self.command),
            Some(url) => lab.crossway.bridge_url(url, None),
        }
    }
}

/// Starts a server script on a free port: one of them reads PORT, the other an argument.
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
