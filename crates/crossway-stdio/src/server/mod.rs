//! Serves a client on a stream of lines: this process's stdin and stdout, a Unix socket, or any byte stream.
//!
//! 2026-07-28, basic/transports/stdio: the wire format "works unchanged over Unix domain sockets, TCP connections, or
//! any similar channel."

mod batches;
mod own;
mod serving;

use std::io;

use crossway_service::{Extensions, Link, Pump};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::ServeOptions;
pub use own::OwnStdio;
use serving::Serving;

/// Why a client is no longer served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Served {
    /// It has closed its side. What it had asked before was answered, within
    /// [`ServeOptions::drain`](crate::ServeOptions).
    Left,
    /// The connection with the upstream has ended.
    UpstreamEnded,
}

/// Serves one client, which writes a message a line to `reader` and reads as many from `writer`. The link should be
/// its own; it is closed in the end.
///
/// What is no message is answered with an error whose id is null, and the lines after it are served. Batches are
/// answered as revision 2025-03-26 says where the session is of that revision, and refused elsewhere.
///
/// # Cancel safety
///
/// Dropping the future cancels the calls in flight and ends the link with them.
///
/// # Errors
///
/// When reading or writing fails. That the client has gone away is no error.
pub async fn serve<R, W>(reader: R, writer: W, link: Link, options: ServeOptions) -> io::Result<Served>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    serve_with_extensions(reader, writer, link, options, Extensions::new()).await
}

/// Serves one client of whom layers and transports are to know something, such as who it is, from its first call on. Otherwise as
/// [`serve`].
///
/// # Cancel safety
///
/// As [`serve`].
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with_extensions<R, W>(
    reader: R,
    writer: W,
    link: Link,
    options: ServeOptions,
    extensions: impl Into<Extensions>,
) -> io::Result<Served>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let pump = Pump::with_extensions(link.clone(), options.service, extensions);
    let mut serving = Serving::new(reader, writer, pump, options);
    let served = serving.run().await;
    drop(serving);
    let _ = tokio::time::timeout(crossway_service::Limits::CLOSE, link.close()).await;
    match served {
        Err(error) if own::is_gone(&error) => Ok(Served::Left),
        served => served,
    }
}

/// Serves one client on this process's own stdin and stdout, as [`OwnStdio`] does from the first; its
/// [`with_extensions`](OwnStdio::with_extensions) says who the client is.
///
/// # Errors
///
/// As [`serve`].
///
/// # Panics
///
/// Outside of a tokio runtime with I/O and time.
pub async fn serve_stdio(link: Link, options: ServeOptions) -> io::Result<Served> {
    OwnStdio::open().serve(link, options).await
}
