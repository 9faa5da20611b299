//! A child's process tree (process group, or job object on Windows), and its end.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use process_wrap::tokio::ChildWrapper;
use tokio::time::timeout;

use crate::limits::KILL_WAIT;
#[cfg(unix)]
use crate::limits::{GROUP_POLL_FIRST, GROUP_POLL_MOST};

/// A process group (on Windows: a job object) with our child as its first process. Dropping it kills what is left of it.
///
/// A descendant that leaves the group on purpose (`setsid`, like daemons) is no longer tracked.
pub(super) struct Tree {
    child: Box<dyn ChildWrapper>,
    #[cfg(unix)]
    group: rustix::process::Pid,
    status: Option<ExitStatus>,
    is_gone: bool,
}

impl Tree {
    pub(super) fn new(child: Box<dyn ChildWrapper>) -> io::Result<Self> {
        #[cfg(unix)]
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            child,
            #[cfg(unix)]
            group,
            status: None,
            is_gone: false,
        })
    }

    /// The child's process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The child's own exit status, if it has exited.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Waits for the child itself. Cancel safe.
    pub(super) async fn wait(&mut self) {
        if self.status.is_none() {
            // Not the wrapper's own wait, which waits for the whole group.
            match self.child.inner_mut().wait().await {
                Ok(status) => self.status = Some(status),
                Err(error) => tracing::warn!(%error, "can't wait for a child"),
            }
        }
    }

    /// Ends the tree: waits for the child, whose stdin was closed; then asks the remaining processes to terminate; then
    /// kills them (2025-11-25, basic/lifecycle, Shutdown, stdio).
    pub(super) async fn end(&mut self, close_wait: Duration, term_wait: Duration) {
        let _ = timeout(close_wait, self.wait()).await;
        if self.terminate() && self.is_gone_within(term_wait).await {
            return;
        }
        self.kill();
        if !self.is_gone_within(KILL_WAIT).await {
            tracing::warn!("processes of an MCP server are still there after they were killed");
        }
    }

    async fn is_gone_within(&mut self, limit: Duration) -> bool {
        timeout(limit, self.gone()).await.is_ok()
    }
}

#[cfg(unix)]
impl Tree {
    /// Asks the remaining processes to terminate. Returns whether the system supports that.
    fn terminate(&mut self) -> bool {
        if !self.is_gone() {
            let _ = rustix::process::kill_process_group(self.group, rustix::process::Signal::TERM);
        }
        true
    }

    fn kill(&mut self) {
        if !self.is_gone {
            let _ = rustix::process::kill_process_group(self.group, rustix::process::Signal::KILL);
        }
    }

    async fn gone(&mut self) {
        self.wait().await;
        let mut pause = GROUP_POLL_FIRST;
        while !self.is_gone() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(GROUP_POLL_MOST);
        }
    }

    /// Whether no process of the group is left.
    ///
    /// While a process is left, the group's number can't be reused; once there is none, no more signals are sent.
    fn is_gone(&mut self) -> bool {
        if self.is_gone || self.status.is_none() {
            return self.is_gone;
        }
        // If this is the first process, as in containers, descendants whose parents are gone become its children.
        let reap = || rustix::process::waitpgid(self.group, rustix::process::WaitOptions::NOHANG);
        while let Ok(Some(_)) = reap() {}
        self.is_gone =
            rustix::process::test_kill_process_group(self.group).is_err() || has_only_dead(self.group);
        self.is_gone
    }
}

/// Whether all processes of a group have ended and only wait to be reaped by their parents, which the first processes
/// of some containers never do.
#[cfg(target_os = "linux")]
fn has_only_dead(group: rustix::process::Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let group = group.as_raw_nonzero().to_string();
    let mut dead = 0;
    for process in processes.flatten() {
        if !process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // `12 (name) S 1 12 ...`: state, parent and group come after the name, which may contain anything.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        let (state, its_group) = (fields.next(), fields.nth(1));
        match state {
            _ if its_group != Some(&*group) => {}
            Some("Z" | "X") => dead += 1,
            _ => return false,
        }
    }
    // If no process is visible, nothing is known.
    dead > 0
}

#[cfg(all(unix, not(target_os = "linux")))]
fn has_only_dead(_: rustix::process::Pid) -> bool {
    false
}

#[cfg(not(unix))]
impl Tree {
    /// Not supported on this system.
    fn terminate(&mut self) -> bool {
        false
    }

    fn kill(&mut self) {
        let _ = self.child.start_kill();
    }

    async fn gone(&mut self) {
        self.wait().await;
        self.is_gone = true;
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.is_gone {
            self.kill();
        }
    }
}
