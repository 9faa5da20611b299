//! Starts a child and takes its pipes.

use std::process::Stdio;
use std::sync::Arc;

use process_wrap::tokio::CommandWrap;
#[cfg(windows)]
use process_wrap::tokio::JobObject;
#[cfg(unix)]
use process_wrap::tokio::ProcessGroup;
use tokio::process::ChildStderr;

use super::tree::Tree;
use super::{Stdin, Stdout};
use crate::{Command, StartError};

/// A running child.
pub(super) struct Started {
    pub(super) tree: Tree,
    pub(super) stdin: Stdin,
    pub(super) stdout: Stdout,
    pub(super) stderr: ChildStderr,
}

/// Starts a command as the leader of its own process group (on Windows: in its own job object).
pub(super) fn start(command: &Command) -> Result<Started, StartError> {
    let (tokio, path) = command.to_tokio()?;
    spawn(tokio)
        .map_err(|source| StartError::Spawn { path: command.shown_path(path), source: Arc::new(source) })
}

#[cfg(unix)]
fn spawn(mut command: tokio::process::Command) -> std::io::Result<Started> {
    use std::os::fd::OwnedFd;

    let (childs_in, stdin) = std::io::pipe()?;
    let (stdout, childs_out) = std::io::pipe()?;
    command.stdin(childs_in).stdout(childs_out).stderr(Stdio::piped());
    let mut wrapped = CommandWrap::from(command);
    let mut child = wrapped.wrap(ProcessGroup::leader()).spawn()?;
    // It still has the child's ends of the pipes, which only the child may have.
    drop(wrapped);
    let stderr = child.stderr().take();
    let tree = Tree::new(child)?;
    Ok(Started {
        tree,
        stdin: Stdin::new(super::pipe::Pipe::new(OwnedFd::from(stdin))?),
        stdout: Stdout::from_owned_fd(OwnedFd::from(stdout))?,
        stderr: stderr.ok_or(std::io::ErrorKind::BrokenPipe)?,
    })
}

#[cfg(not(unix))]
fn spawn(mut command: tokio::process::Command) -> std::io::Result<Started> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut wrapped = CommandWrap::from(command);
    #[cfg(windows)]
    wrapped.wrap(JobObject);
    let mut child = wrapped.spawn()?;
    let streams = (child.stdin().take(), child.stdout().take(), child.stderr().take());
    let tree = Tree::new(child)?;
    let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
        return Err(std::io::ErrorKind::BrokenPipe.into());
    };
    Ok(Started { tree, stdin, stdout, stderr })
}
