//! The pipe to a child's stdin.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

use crossway_proto::Message;
use tokio::io::Interest;
use tokio::net::unix::pipe;

/// A line of this length and its end go into a pipe as a whole or not at all (POSIX, write: `PIPE_BUF`).
pub(super) const SHORT: usize = rustix::pipe::PIPE_BUF - 1;

/// A pipe that grows when a message does not fit.
#[derive(Debug)]
pub(super) struct Pipe {
    sender: pipe::Sender,
    #[cfg(target_os = "linux")]
    has_grown: std::sync::atomic::AtomicBool,
}

impl Pipe {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            sender: pipe::Sender::from_owned_fd(pipe)?,
            #[cfg(target_os = "linux")]
            has_grown: false.into(),
        })
    }

    /// Writes as much as there is room for.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.sender.try_write_vectored(slices)?;
        #[cfg(target_os = "linux")]
        if written < slices.iter().map(|slice| slice.len()).sum()
            && !self.has_grown.swap(true, std::sync::atomic::Ordering::Relaxed)
        {
            grow(&self.sender);
        }
        Ok(written)
    }

    /// Writes a message of at most [`SHORT`] bytes as a line, and tells whether it did: wholly or not at all.
    pub(super) fn try_write_short(&self, message: &Message) -> bool {
        let mut line = Vec::with_capacity(message.len() + 1);
        message.write_to(&mut line);
        // Newlines are whitespace between tokens, and nothing else: within strings JSON has them escaped.
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        line.push(b'\n');
        self.sender.try_write(&line).is_ok()
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.sender.writable().await
    }

    /// Waits until nobody can read any more what is written.
    pub(super) async fn deaf(&self) {
        if self.sender.ready(Interest::ERROR).await.is_err() {
            // Then it can't be told; the next write does.
            std::future::pending().await
        }
    }
}

/// Enlarges a pipe. Where the user has used up the share of pipe memory that the system allows, it stays as it is.
///
/// Done once a message has not fit, and not for each child: that share is 64 MiB for all of a user's processes,
/// and those that come too late for it get pipes of two pages.
#[cfg(target_os = "linux")]
pub(super) fn grow(pipe: impl std::os::fd::AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, crate::limits::PIPE_BYTES);
}
