//! Programs that run in the background, and programs that are waited for.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a program may take to end after SIGTERM: longer than the bridge's own drain time.
const END_LIMIT: Duration = Duration::from_secs(15);
/// The polling interval for a program that is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A program that runs in the background until it is dropped.
#[derive(Debug)]
pub(super) struct Background {
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts a program. Its stderr goes to the log; the receiver gets the lines of its stdout.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<(Self, Receiver<String>)> {
        let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .with_context(|| format!("{command:?} cannot be started"))?;
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().context("a child without stdout")?);
        // Keeps reading when the receiver is gone, so that the program never blocks.
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| {
                let _ = sender.send(line);
            });
        });
        Ok((Self { child, log: log.to_owned() }, lines))
    }

    /// Waits for a line for which `pick` returns a value.
    pub(super) fn wait_for_line<T>(
        &self,
        lines: &Receiver<String>,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let end = Instant::now() + START_LIMIT;
        loop {
            let line = lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
                .map_err(|_| anyhow!("it does not say that it serves; {}", self.last_words()))?;
            if let Some(found) = pick(&line) {
                return Ok(found);
            }
        }
    }

    /// Waits until `ready` is true, as long as the program lives.
    pub(super) fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        while !ready() {
            if Instant::now() > end || self.child.try_wait()?.is_some() {
                return Err(anyhow!("it does not serve; {}", self.last_words()));
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(5).collect();
        format!(
            "the end of {}: {}",
            self.log.display(),
            last.into_iter().rev().collect::<Vec<_>>().join(" | ")
        )
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        if wait(&mut self.child, END_LIMIT).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The result of a program that was waited for.
#[derive(Debug)]
pub(super) struct Finished {
    /// The exit code; `None` if the program was killed, by us or by others.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a program to its end, or kills it after `limit`.
pub(super) fn run_to_end(command: &mut Command, limit: Duration) -> Result<Finished> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{command:?} cannot be started"))?;
    let stdout = collect(child.stdout.take().context("a child without stdout")?);
    let stderr = collect(child.stderr.take().context("a child without stderr")?);
    let code = wait(&mut child, limit);
    if code.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let received = |text: Receiver<String>| text.recv_timeout(END_LIMIT).unwrap_or_default();
    Ok(Finished { code: code.flatten(), stdout: received(stdout), stderr: received(stderr) })
}

/// Reads to the end on a thread of its own: a surviving grandchild may keep the pipe open for long.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, text) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    text
}

/// The exit code, or `None` if the program still runs after `limit`.
fn wait(child: &mut Child, limit: Duration) -> Option<Option<i32>> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.code()),
            Ok(None) if Instant::now() < end => thread::sleep(LOOK_INTERVAL),
            Ok(None) | Err(_) => return None,
        }
    }
}
