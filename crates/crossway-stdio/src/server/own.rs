//! This process's own stdin and stdout, without blocking threads where possible.

use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite, BufWriter};

/// This process's stdin.
pub(super) type Input = Pin<Box<dyn AsyncRead + Send>>;
/// This process's stdout.
pub(super) type Output = Pin<Box<dyn AsyncWrite + Send>>;

/// What the threads behind stdout are handed at once.
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

    /// A pipe is opened once more, so that "do not block" is set for us alone and not for those who share it, our
    /// own stderr (`2>&1`) among them. A socket can't be: it is used as it is, unless stderr is the same.
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
