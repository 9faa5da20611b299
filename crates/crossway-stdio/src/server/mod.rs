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
    /// It has closed its side. The requests that it had made before were answered, within
    /// [`ServeOptions::drain`](crate::ServeOptions).
    Left,
    /// The connection with the upstream has ended.
    UpstreamEnded,
}

/// Serves one client, which writes one message per line to `reader` and reads one per line from `writer`. The
/// link should be its own; it is closed in the end.
///
/// A line that is not a message is answered with an error whose id is null, and the lines after it are
/// served. Batches are answered as revision 2025-03-26 requires where the session has that revision, and
/// refused elsewhere.
///
/// # Cancel safety
///
/// Dropping the future cancels the calls in flight and ends the link with them.
///
/// # Errors
///
/// When reading or writing fails. A client that goes away is not an error.
pub async fn serve<R, W>(reader: R, writer: W, link: Link, options: ServeOptions) -> io::Result<Served>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    serve_with_extensions(reader, writer, link, options, Extensions::new()).await
}

/// Serves one client with extensions for layers and transports, such as its identity, from its first call on.
/// Otherwise as [`serve`].
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

/// Serves one client on this process's own stdin and stdout, like [`OwnStdio`]. Its
/// [`with_extensions`](OwnStdio::with_extensions) sets who the client is.
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
