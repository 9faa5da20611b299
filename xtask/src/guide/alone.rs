//! Isolates a page as if it had a machine of its own: its own loopback, so that every page may use port 8808, and its own processes, so
//! that none outlives it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// How to give a program namespaces of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alone {
    /// The arguments of `unshare` that this machine allows; `None` if it allows none.
    words: Option<&'static [&'static str]>,
}

const PROCESSES: [&str; 5] = ["--net", "--pid", "--fork", "--mount-proc", "--kill-child"];
const WAYS: [&[&str]; 2] = [&["--user", "--map-root-user"], &[]];
/// The loopback of a new namespace is down.
const UP: &str = "ip link set lo up && exec \"$@\"";

impl Alone {
    /// Finds out what this machine allows.
    pub(super) fn find() -> Self {
        let works = |words: &&&[&str]| {
            let status = unshare(words).args(["true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        Self { words: WAYS.iter().find(works).copied() }
    }

    /// Whether pages can run at the same time.
    pub(super) fn is_possible(self) -> bool {
        self.words.is_some()
    }

    /// A command that starts this program again, isolated where that is possible.
    pub(super) fn command(self, arguments: &[&str], path: &Path) -> Result<Command> {
        let program = std::env::current_exe().context("this program's own file")?;
        let mut command = match self.words {
            Some(words) => {
                let mut command = unshare(words);
                command.arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).arg(path);
        Ok(command)
    }
}

fn unshare(words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(words).args(PROCESSES).args(["sh", "-c", UP, "sh"]);
    command
}
