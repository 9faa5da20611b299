//! Runs the commands of a page as one reader types them: exported variables and the current folder carry over between commands.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

/// The polling interval for a command that is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How long a server may take to end after the signal: longer than the drain of Crossway.
const END_LIMIT: Duration = Duration::from_secs(15);

/// Restores the state that the last command left, and saves it for the next one. A server saves nothing: when it ends, later commands have
/// long run.
const WRAPPER: &str = r#"
state=$1 script=$2 kind=$3
. "$state/exported"
cd "$(cat "$state/folder")"
[ "$kind" = server ] || trap 'code=$?; export -p > "$state/exported"; pwd > "$state/folder"; exit $code' EXIT
set -euo pipefail
. "$script"
"#;

/// A shell in a folder of its own.
#[derive(Debug)]
pub(super) struct Shell {
    dir: PathBuf,
    path: String,
    /// The page itself, for commands that check it for completeness.
    page: PathBuf,
    servers: Vec<Server>,
    /// The number of commands so far, used in their files' names.
    count: usize,
}

/// A command that runs in the background.
#[derive(Debug)]
struct Server {
    child: Child,
    line: usize,
    output: PathBuf,
}

/// The result of a command.
#[derive(Debug)]
pub(super) struct Finished {
    /// `None` if it was killed at its time limit.
    pub(super) status: Option<ExitStatus>,
    /// Standard output and standard error together, as a terminal shows them.
    pub(super) output: String,
}

impl Shell {
    /// A shell in `dir`, which is recreated; `bin` comes first in its `PATH`, and `PAGE` is the page's file.
    pub(super) fn new(dir: &Path, bin: &Path, page: &Path) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("{} cannot be removed", dir.display()))?;
        }
        let shell = Self {
            path: format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()),
            dir: dir.to_owned(),
            page: page.to_owned(),
            servers: Vec::new(),
            count: 0,
        };
        for part in [shell.work(), dir.join("home"), dir.join("state")] {
            fs::create_dir_all(&part).with_context(|| format!("{} cannot be created", part.display()))?;
        }
        fs::write(dir.join("state/exported"), "")?;
        fs::write(dir.join("state/folder"), format!("{}\n", shell.work().display()))?;
        Ok(shell)
    }

    /// The folder of the page's files.
    pub(super) fn work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// Runs a command to its end, or kills it at its time limit.
    pub(super) fn run(&mut self, script: &str, limit: Duration) -> Result<Finished> {
        let (mut child, output) = self.start(script, "command")?;
        let status = wait(&mut child, limit);
        if status.is_none() {
            end(&mut child, Duration::ZERO);
        }
        Ok(Finished { status, output: read(&output) })
    }

    /// Starts a server, and waits until `is_ready` accepts its output; returns what is wrong if that never happens.
    pub(super) fn start_server(
        &mut self,
        line: usize,
        script: &str,
        limit: Duration,
        is_ready: impl Fn(&str) -> bool,
    ) -> Result<Result<(), String>> {
        let (mut child, output) = self.start(script, "server")?;
        let until = Instant::now() + limit;
        let said = loop {
            if is_ready(&read(&output)) {
                break Ok(());
            }
            if let Some(status) = child.try_wait()? {
                break Err(format!("it ended ({status}) and never got ready"));
            }
            if Instant::now() > until {
                break Err(format!("it was not ready after {limit:?}"));
            }
            thread::sleep(LOOK_INTERVAL);
        };
        match said {
            Ok(()) => {
                self.servers.push(Server { child, line, output });
                Ok(Ok(()))
            }
            Err(what) => {
                end(&mut child, Duration::ZERO);
                Ok(Err(format!("{what}:\n{}", super::expect::indent(&read(&output)))))
            }
        }
    }

    /// Ends all servers; reports those that had already ended by themselves.
    pub(super) fn end_servers(&mut self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for mut server in self.servers.drain(..).rev() {
            if let Ok(Some(status)) = server.child.try_wait() {
                let output = super::expect::indent(&read(&server.output));
                found.push((server.line, format!("it ended ({status}) before the page did:\n{output}")));
            }
            end(&mut server.child, END_LIMIT);
        }
        found
    }

    fn start(&mut self, script: &str, kind: &str) -> Result<(Child, PathBuf)> {
        self.count += 1;
        let state = self.dir.join("state");
        let file = state.join(format!("{}.sh", self.count));
        let output = state.join(format!("{}.out", self.count));
        fs::write(&file, script).with_context(|| format!("{} cannot be written", file.display()))?;
        let out = File::create(&output).with_context(|| format!("{} cannot be written", output.display()))?;
        let child = Command::new("bash")
            .args(["-c", WRAPPER, "bash"])
            .args([&state, &file])
            .arg(kind)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.dir.join("home"))
            .env("LANG", "C.UTF-8")
            .env("USER", "reader")
            .env("PAGE", &self.page)
            .current_dir(self.work())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .context("bash cannot be started")?;
        Ok((child, output))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.end_servers();
    }
}

fn read(output: &Path) -> String {
    String::from_utf8_lossy(&fs::read(output).unwrap_or_default()).into_owned()
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK_INTERVAL),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Ends a command and the processes that it started.
fn end(child: &mut Child, patience: Duration) {
    let group = Pid::from_child(child);
    if !patience.is_zero() {
        let _ = kill_process_group(group, Signal::TERM);
        wait(child, patience);
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str) -> Shell {
        let dir = std::env::temp_dir().join(format!("crossway-guide-{name}-{}", std::process::id()));
        Shell::new(&dir, Path::new("/usr/bin"), Path::new("page.md")).unwrap()
    }

    fn output(shell: &mut Shell, script: &str) -> String {
        shell.run(script, Duration::from_secs(30)).unwrap().output
    }

    #[test]
    fn what_is_exported_and_where_one_stands_is_kept() {
        let mut shell = shell("kept");
        output(&mut shell, "export KEY='a \"b\"'; LOCAL=1; mkdir in && cd in");
        assert_eq!(output(&mut shell, "echo \"$KEY ${LOCAL:-} $(basename \"$PWD\")\""), "a \"b\"  in\n");
        fs::remove_dir_all(&shell.dir).unwrap();
    }

    #[test]
    fn a_command_that_fails_in_the_middle_fails() {
        let mut shell = shell("fails");
        let finished = shell.run("false | true\necho not reached", Duration::from_secs(30)).unwrap();
        assert_eq!(finished.status.and_then(|status| status.code()), Some(1));
        assert_eq!(finished.output, "");
        fs::remove_dir_all(&shell.dir).unwrap();
    }

    #[test]
    fn a_command_whose_time_is_up_is_ended() {
        let mut shell = shell("late");
        let finished = shell.run("echo begun; exec sleep 1000", Duration::from_millis(200)).unwrap();
        assert!(finished.status.is_none());
        fs::remove_dir_all(&shell.dir).unwrap();
    }

    #[test]
    fn a_server_that_ends_takes_nothing_back_that_was_exported_meanwhile() {
        let mut shell = shell("meanwhile");
        let ready = |text: &str| text.contains("ready");
        // Waits in the shell itself, which receives the signal.
        let server = "echo ready; while :; do sleep 0.1; done";
        assert!(shell.start_server(3, server, Duration::from_secs(30), ready).unwrap().is_ok());
        output(&mut shell, "export KEY=new");
        shell.end_servers();
        assert_eq!(output(&mut shell, "echo \"${KEY:-nothing}\""), "new\n");
        fs::remove_dir_all(&shell.dir).unwrap();
    }

    #[test]
    fn a_server_goes_on_until_it_is_ended_and_one_that_ended_is_told() {
        let mut shell = shell("server");
        let limit = Duration::from_secs(30);
        let ready = |text: &str| text.contains("ready");
        assert!(shell.start_server(3, "echo ready; exec sleep 1000", limit, ready).unwrap().is_ok());
        assert!(shell.end_servers().is_empty());
        assert!(shell.start_server(4, "echo no; exit 7", limit, ready).unwrap().unwrap_err().contains('7'));
        fs::remove_dir_all(&shell.dir).unwrap();
    }
}
