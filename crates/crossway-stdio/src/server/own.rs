//! This process's own stdin and stdout, without blocking threads where possible.

use std::fmt;
use std::io;
use std::pin::Pin;

use crossway_service::{Extensions, Link};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, BufWriter};

use super::{Served, serve_with_extensions};
use crate::ServeOptions;
use crate::limits::READ_AHEAD_BYTES;

/// A client on this process's own stdin and stdout, which may be there before its upstream. Nothing else may
/// use either.
///
/// If they are terminals or files, threads read and write them. One thread may wait for input when the client
/// is no longer served: end the process then, and do not wait for the runtime to shut down.
pub struct OwnStdio {
    input: Input,
    output: Output,
    /// The client's input so far.
    ahead: Vec<u8>,
    has_left: bool,
    extensions: Extensions,
}

impl OwnStdio {
    /// Opens stdin and stdout.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    #[must_use]
    pub fn open() -> Self {
        Self {
            input: input(),
            output: output(),
            ahead: Vec::new(),
            has_left: false,
            extensions: Extensions::new(),
        }
    }

    /// Sets extensions of the client for layers and transports, such as its identity, from its first call on.
    #[must_use]
    pub fn with_extensions(mut self, extensions: impl Into<Extensions>) -> Self {
        self.extensions = extensions.into();
        self
    }

    /// Reads ahead, up to 1 MiB, and is ready when the client has closed its side. The input is kept for
    /// [`serve`](Self::serve).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// When reading fails.
    pub async fn left(&mut self) -> io::Result<()> {
        while !self.has_left {
            if self.ahead.len() >= READ_AHEAD_BYTES {
                return std::future::pending().await;
            }
            self.has_left = self.input.read_buf(&mut self.ahead).await? == 0;
        }
        Ok(())
    }

    /// Whether the client has sent nothing so far.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Serves the client, beginning with the input that was read ahead.
    ///
    /// # Errors
    ///
    /// As [`serve`](crate::serve).
    pub async fn serve(self, link: Link, options: ServeOptions) -> io::Result<Served> {
        let Self { input, output, ahead, has_left, extensions } = self;
        let input: Input = match (ahead.is_empty(), has_left) {
            (true, false) => input,
            (_, true) => Box::pin(io::Cursor::new(ahead)),
            (false, false) => Box::pin(io::Cursor::new(ahead).chain(input)),
        };
        serve_with_extensions(input, output, link, options, extensions).await
    }
}

impl fmt::Debug for OwnStdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnStdio").field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}

/// This process's stdin.
pub(super) type Input = Pin<Box<dyn AsyncRead + Send>>;
/// This process's stdout.
pub(super) type Output = Pin<Box<dyn AsyncWrite + Send>>;

/// The largest piece that is given to the threads behind stdout at once.
const BLOCK: usize = 64 * 1024;

/// Stdin: pipes and sockets by the event loop; terminals, files and whatever else by a thread.
pub(super) fn input() -> Input {
    #[cfg(target_os = "linux")]
    match linux::input() {
        Ok(input) => return input,
        Err(error) => tracing::debug!(%error, "stdin is read by a thread"),
    }
    Box::pin(tokio::io::stdin())
}

/// Stdout, as [`input`].
pub(super) fn output() -> Output {
    #[cfg(target_os = "linux")]
    match linux::output() {
        Ok(output) => return output,
        Err(error) => tracing::debug!(%error, "stdout is written by a thread"),
    }
    Box::pin(BufWriter::with_capacity(BLOCK, tokio::io::stdout()))
}

/// Whether an error means that the client no longer reads.
pub(super) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, WriteZero};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | WriteZero)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream as StdUnixStream;

    use rustix::fs::{FileType, fstat};
    use tokio::net::UnixStream;
    use tokio::net::unix::pipe;

    use super::{Input, Output};

    pub(super) fn input() -> io::Result<Input> {
        let stdin = io::stdin();
        match file_type(stdin.as_fd())? {
            FileType::Fifo => Ok(Box::pin(pipe::OpenOptions::new().open_receiver("/proc/self/fd/0")?)),
            FileType::Socket => Ok(Box::pin(socket(stdin.as_fd())?)),
            other => Err(unsuited(other)),
        }
    }

    pub(super) fn output() -> io::Result<Output> {
        let stdout = io::stdout();
        match file_type(stdout.as_fd())? {
            FileType::Fifo => Ok(Box::pin(pipe::OpenOptions::new().open_sender("/proc/self/fd/1")?)),
            FileType::Socket => Ok(Box::pin(socket(stdout.as_fd())?)),
            other => Err(unsuited(other)),
        }
    }

    /// A pipe is opened a second time, so that non-blocking mode is set for us alone and not for those who
    /// share it, such as our own stderr (`2>&1`). A socket can't be opened again: it is used as it is, unless
    /// stderr is the same one.
    fn socket(fd: BorrowedFd<'_>) -> io::Result<UnixStream> {
        let (ours, stderr) = (fstat(fd)?, fstat(io::stderr().as_fd())?);
        if (ours.st_dev, ours.st_ino) == (stderr.st_dev, stderr.st_ino) {
            return Err(io::Error::other("stderr is the same socket"));
        }
        let socket = StdUnixStream::from(fd.try_clone_to_owned()?);
        // Refused by sockets of other families, which are then left to a thread.
        socket.local_addr()?;
        socket.set_nonblocking(true)?;
        UnixStream::from_std(socket)
    }

    fn file_type(fd: BorrowedFd<'_>) -> io::Result<FileType> {
        Ok(FileType::from_raw_mode(fstat(fd)?.st_mode))
    }

    fn unsuited(file_type: FileType) -> io::Error {
        io::Error::other(format!("it is a {file_type:?}"))
    }
}
