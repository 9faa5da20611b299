//! Starts programs, finds their URLs, and ends them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::limits::{END_TIMEOUT, KEPT_STDERR_LINES, READY_TIMEOUT, SLOW_READY_TIMEOUT};

/// The interval of checks whether a program has ended.
const POLL: Duration = Duration::from_millis(5);

/// How long to wait for output before checking whether the program still runs.
const TICK: Duration = Duration::from_millis(100);

/// A line that a program wrote.
enum Said {
    Out(String),
    Error(String),
}

impl Said {
    fn into_line(self) -> String {
        match self {
            Self::Out(line) | Self::Error(line) => line,
        }
    }
}

/// A running program, ended when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    urls: Vec<String>,
}

impl Program {
    /// Starts a program and waits until it has printed a URL for each of `paths`.
    pub(crate) fn start(program: &Path, arguments: &[OsString], paths: &[&str]) -> anyhow::Result<Self> {
        let (mut started, lines) = Self::spawn(program, arguments)?;
        let mut errors = VecDeque::new();
        let deadline = Instant::now() + READY_TIMEOUT;
        while !started.knows(paths) {
            match lines.recv_timeout(TICK) {
                Ok(Said::Out(line)) => started.urls.extend(urls_in(&line).map(str::to_owned)),
                Ok(Said::Error(line)) => {
                    errors.truncate(KEPT_STDERR_LINES - 1);
                    errors.push_front(line);
                }
                // Children of a program that has ended may hold its outputs open.
                Err(mpsc::RecvTimeoutError::Timeout)
                    if Instant::now() < deadline && !started.has_ended_by(Instant::now()) => {}
                Err(_) => {
                    let said: String = errors.iter().rev().map(|line| format!("\n  {line}")).collect();
                    let paths = paths.join(" and ");
                    bail!("{} did not print a URL for {paths}; it said:{said}", program.display());
                }
            }
        }
        Ok(started)
    }

    /// Starts a program and waits until it accepts connections at a port of 127.0.0.1.
    pub(crate) fn start_at(program: &Path, arguments: &[OsString], port: u16) -> anyhow::Result<Self> {
        let (mut started, lines) = Self::spawn(program, arguments)?;
        let deadline = Instant::now() + SLOW_READY_TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > deadline || started.has_ended_by(Instant::now()) {
                let mut said: Vec<String> = lines.try_iter().map(Said::into_line).collect();
                let said = said.split_off(said.len().saturating_sub(KEPT_STDERR_LINES)).join("\n  ");
                bail!("{} does not listen at port {port}; it said:\n  {said}", program.display());
            }
            thread::sleep(TICK);
        }
        Ok(started)
    }

    fn spawn(program: &Path, arguments: &[OsString]) -> anyhow::Result<(Self, mpsc::Receiver<Said>)> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", program.display()))?;
        let (sender, lines) = mpsc::channel();
        // The threads go on reading, so that the program never waits for them.
        if let Some(stdout) = child.stdout.take() {
            let sender = sender.clone();
            follow(stdout, move |line| drop(sender.send(Said::Out(line))));
        }
        if let Some(stderr) = child.stderr.take() {
            follow(stderr, move |line| drop(sender.send(Said::Error(line))));
        }
        Ok((Self { child, urls: Vec::new() }, lines))
    }

    /// The URL that ends with `path`.
    pub(crate) fn url(&self, path: &str) -> &str {
        self.urls.iter().find(|url| url.ends_with(path)).map_or("", String::as_str)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    ///
    /// When the program has ended.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("it has no number")?, signal)?;
        Ok(())
    }

    fn knows(&self, paths: &[&str]) -> bool {
        paths.iter().all(|path| self.urls.iter().any(|url| url.ends_with(path)))
    }

    fn has_ended_by(&mut self, deadline: Instant) -> bool {
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
                ended => return !matches!(ended, Ok(None)),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGTERM first, so that it can end its children.
        let _ = self.signal(rustix::process::Signal::TERM);
        if !self.has_ended_by(Instant::now() + END_TIMEOUT) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn follow(stream: impl Read + Send + 'static, mut act: impl FnMut(String) + Send + 'static) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            act(String::from_utf8_lossy(&line).into_owned());
        }
    });
}

/// The plain HTTP URLs in a line.
fn urls_in(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("http://").map(|(start, _)| {
        let url = &line[start..];
        let end = url.find(|c: char| c.is_whitespace() || c.is_control() || "\"'<>(),`".contains(c));
        &url[..end.unwrap_or(url.len())]
    })
}

/// A program beside this one, where cargo puts them.
pub(crate) fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("could not find this program")?;
    let path = this.with_file_name(name);
    if !path.is_file() {
        bail!("{} is not there; build it with: cargo build --release -p crossway-benches", path.display());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_found_in_whatever_words() {
        let line = "Serving `http://127.0.0.1:1/mcp` and http://127.0.0.1:1/sse, see \"http://x/\"\u{1b}[0m";
        let urls: Vec<_> = urls_in(line).collect();
        assert_eq!(urls, ["http://127.0.0.1:1/mcp", "http://127.0.0.1:1/sse", "http://x/"]);
    }

    #[test]
    fn a_program_that_says_no_url_is_quoted() {
        let arguments = ["-c".into(), "echo no address >&2".into()];
        let error = Program::start(Path::new("sh"), &arguments, &["/mcp"]).unwrap_err().to_string();
        assert!(error.contains("did not print a URL for /mcp") && error.contains("no address"), "{error}");
    }

    #[test]
    fn a_program_is_ended_when_dropped() {
        let arguments = ["-c".into(), "echo http://127.0.0.1:1/mcp; exec cat /dev/zero >/dev/null".into()];
        let program = Program::start(Path::new("sh"), &arguments, &["/mcp"]).unwrap();
        assert_eq!(program.url("/mcp"), "http://127.0.0.1:1/mcp");
        let stat = format!("/proc/{}/stat", program.pid());
        assert!(Path::new(&stat).exists());
        drop(program);
        assert!(!Path::new(&stat).exists());
    }
}
