//! The binary under test, and the ways to start it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::process::{Background, run_to_end};

/// The `crossway` binary, and the folder of its logs.
#[derive(Debug)]
pub(super) struct Crossway {
    path: PathBuf,
    logs: PathBuf,
    started: AtomicUsize,
}

/// A bridge or a demo server that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Serving {
    /// The URL of the Streamable HTTP face.
    pub(super) mcp: String,
    /// The URL of the HTTP+SSE face.
    /// None of a server of modern revisions alone.
    pub(super) sse: Option<String>,
    _process: Background,
}

impl Crossway {
    pub(super) fn new(path: PathBuf, logs: PathBuf) -> Self {
        Self { path, logs, started: AtomicUsize::new(0) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn version(&self) -> Result<String> {
        let finished = run_to_end(Command::new(&self.path).arg("--version"), Duration::from_secs(10))?;
        ensure!(finished.code == Some(0), "crossway --version failed: {}", finished.stderr);
        Ok(finished.stdout.lines().next().unwrap_or_default().to_owned())
    }

    /// `crossway bridge -- COMMAND`.
    pub(super) fn bridge_command(&self, command: &[String]) -> Result<Serving> {
        let mut arguments =
            vec!["bridge".to_owned(), "--listen".to_owned(), "127.0.0.1:0".to_owned(), "--".to_owned()];
        arguments.extend_from_slice(command);
        self.serve(&arguments)
    }

    /// `crossway bridge --upstream URL`; without a transport it detects which one that is.
    pub(super) fn bridge_url(&self, url: &str, transport: Option<&str>) -> Result<Serving> {
        let mut arguments = vec!["bridge", "--listen", "127.0.0.1:0", "--upstream", url];
        arguments.extend(transport.iter().flat_map(|transport| ["--upstream-transport", transport]));
        self.serve(&arguments)
    }

    /// Like [`bridge_url`](Self::bridge_url), for a URL that needs a key.
    pub(super) fn bridge_url_as(&self, url: &str, key: &str) -> Result<Serving> {
        let header = format!("Authorization: Bearer {key}");
        self.serve(&["bridge", "--listen", "127.0.0.1:0", "--upstream", url, "--header", &header])
    }

    /// `crossway bridge --config FILE`.
    pub(super) fn bridge_config(&self, file: &Path) -> Result<Serving> {
        self.serve(&["bridge", "--listen", "127.0.0.1:0", "--config", &file.display().to_string()])
    }

    /// `crossway serve --config FILE`.
    pub(super) fn serve_config(&self, file: &Path) -> Result<Serving> {
        self.serve(&["serve", "--config", &file.display().to_string()])
    }

    /// `crossway demo --era ERA`.
    pub(super) fn demo(&self, era: &str) -> Result<Serving> {
        self.serve(&["demo", "--listen", "127.0.0.1:0", "--era", era])
    }

    /// The command `crossway demo --stdio --era ERA`, for others to start.
    pub(super) fn demo_command(&self, era: &str) -> Vec<String> {
        self.command(&["demo", "--stdio", "--era", era])
    }

    /// The command `crossway stdio URL`, for others to start.
    pub(super) fn stdio_command(&self, url: &str) -> Vec<String> {
        self.command(&["stdio", url])
    }

    /// Like [`stdio_command`](Self::stdio_command), for a URL that needs a key.
    pub(super) fn stdio_command_as(&self, url: &str, key: &str) -> Vec<String> {
        self.command(&["stdio", url, "--header", &format!("Authorization: Bearer {key}")])
    }

    fn command(&self, arguments: &[&str]) -> Vec<String> {
        let path = self.path.display().to_string();
        std::iter::once(path).chain(arguments.iter().map(|&argument| argument.to_owned())).collect()
    }

    fn serve<A: AsRef<str>>(&self, arguments: &[A]) -> Result<Serving> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.logs.join(format!("crossway-{number}-{}.log", arguments[0].as_ref()));
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let mut command = Command::new(&self.path);
        let said = || format!("crossway {}", arguments.join(" "));
        let (process, lines) = Background::start(command.args(&arguments), &log).with_context(said)?;
        let (mut mcp, mut sse) = (None, None);
        // A bridge to such a demo server serves HTTP+SSE all the same.
        let is_modern = arguments.first() == Some(&"demo") && arguments.contains(&"modern");
        let (mcp, sse) = process
            .wait_for_line(&lines, |line| {
                for url in line.split_whitespace().filter(|word| word.starts_with("http://")) {
                    if url.ends_with("/mcp") {
                        mcp = Some(url.to_owned());
                    } else if url.ends_with("/sse") {
                        sse = Some(url.to_owned());
                    }
                }
                mcp.take_if(|_| sse.is_some() || is_modern).map(|mcp| (mcp, sse.clone()))
            })
            .with_context(said)?;
        Ok(Serving { mcp, sse, _process: process })
    }
}
