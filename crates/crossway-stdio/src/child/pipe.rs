//! The pipe to a child's stdin.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

use crossway_proto::Message;
use tokio::io::Interest;
use tokio::net::unix::pipe;

/// The length up to which a line and its end are written to a pipe as a whole or not at all (POSIX, write: `PIPE_BUF`).
pub(super) const SHORT: usize = rustix::pipe::PIPE_BUF - 1;

/// A pipe that is enlarged when a message does not fit.
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

    /// Writes as much as fits.
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

    /// Writes a message of at most [`SHORT`] bytes as a line, as a whole or not at all. Returns whether it was written.
    pub(super) fn try_write_short(&self, message: &Message) -> bool {
        let mut line = Vec::with_capacity(message.len() + 1);
        message.write_to(&mut line);
        // Newlines are only whitespace between tokens: within strings, JSON escapes them.
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        line.push(b'\n');
        self.sender.try_write(&line).is_ok()
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.sender.writable().await
    }

    /// Waits until nobody can read the pipe any more.
    pub(super) async fn deaf(&self) {
        if self.sender.ready(Interest::ERROR).await.is_err() {
            // Can't be detected here; the next write will.
            std::future::pending().await
        }
    }
}

/// Enlarges a pipe. If the user has used up the pipe memory that the system allows, the pipe stays as it is.
///
/// Done only once a message has not fit, and not for each child: the system allows 64 MiB for all of a user's
/// processes, and after that, new pipes have two pages.
#[cfg(target_os = "linux")]
pub(super) fn grow(pipe: impl std::os::fd::AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, crate::limits::PIPE_BYTES);
}
