//! An HTTP server for any service: the accept loop and its limits.
//!
//! This module is independent of MCP. It does three things that hyper leaves to others: it closes connections that send nothing, or
//! not enough, with one timer per connection rather than per request; it closes connections whose client does not read; and it
//! drains all connections on shutdown.

mod accept;
mod activity;
mod connection;
mod limits;
mod listeners;
mod stall;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tower_service::Service;
use tracing::{debug, warn};

use activity::Requests;

pub use accept::{Accept, Accepted, Plain};
pub use limits::HttpLimits;
pub use listeners::Listeners;

/// A service for HTTP connections: a `tower` service that is always ready and never fails.
pub trait HttpService:
    Service<Request<Incoming>, Response = Response<Self::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
    /// The body of the responses.
    type Body: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> HttpService for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
}

/// Serves HTTP/1.1 and HTTP/2 connections from `listener` until `shutdown` is ready and all connections have ended.
///
/// After `shutdown`, connections are accepted until the requests in flight have been answered, as an answer may need another request of
/// its client. From then on no more are accepted; idle connections are closed at once, the others once their requests are
/// answered. The caller has to limit that time: dropping the future closes them at once.
///
/// # Cancel safety
///
/// Dropping the future closes the listener and all connections.
pub async fn serve<S: HttpService>(
    listener: TcpListener,
    service: S,
    limits: HttpLimits,
    shutdown: impl Future<Output = ()>,
) {
    serve_with(listener, Plain, service, limits, shutdown).await;
}

/// Like [`serve`], for one listener or [several](Listeners), with a layer between the sockets and HTTP, such as TLS. Connections count
/// against the limit as soon as they are accepted.
///
/// # Cancel safety
///
/// As for [`serve`].
pub async fn serve_with<A: Accept, S: HttpService>(
    listeners: impl Into<Listeners>,
    accept_by: A,
    service: S,
    limits: HttpLimits,
    shutdown: impl Future<Output = ()>,
) {
    let mut listeners = listeners.into();
    let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let requests = Arc::new(Requests::new(limits.accepts_in_drain));
    let mut shutdown = pin!(async {
        shutdown.await;
        requests.end().await;
    });
    let mut failures = 0_u64;
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => {
                note_panic(&ended);
                continue;
            }
            accepted = accept(&mut listeners, &room) => accepted,
        };
        match accepted {
            Ok((stream, from, permit)) => {
                failures = 0;
                // Answers are small and should go out at once.
                let _ = stream.set_nodelay(true);
                let (accept_by, service, mut stopped) = (accept_by.clone(), service.clone(), stopped.clone());
                let requests = Arc::clone(&requests);
                connections.spawn(async move {
                    let shutdown = async move { while stopped.changed().await.is_ok() {} };
                    if let Some(Accepted { io, known }) = accept_by.accept(stream, from).await {
                        connection::serve(TokioIo::new(io), known, service, &limits, requests, shutdown)
                            .await;
                    }
                    drop(permit);
                });
            }
            Err(error) if is_of_one_connection(&error) => debug!(%error, "a connection was not accepted"),
            Err(error) => {
                failures += 1;
                // A resource that has run out stays so for a while: not every failure is logged.
                if failures.is_power_of_two() {
                    warn!(%error, failures, "connections can't be accepted; trying again soon");
                }
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listeners);
    drop((stop, stopped));
    while let Some(ended) = connections.join_next().await {
        note_panic(&ended);
    }
}

/// Logs that the task of a connection has panicked, if it has.
fn note_panic(ended: &Result<(), JoinError>) {
    if ended.as_ref().is_err_and(JoinError::is_panic) {
        warn!("a connection's task has panicked");
    }
}

/// Accepts the next connection, once there is room for it.
async fn accept(
    listeners: &mut Listeners,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = listeners.accept().await?;
    Ok((stream, from, permit))
}

/// Whether the error concerns this connection only.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves one connection of any kind until it ends or, once `shutdown` is ready, until its requests are
/// answered.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub async fn serve_connection<S: HttpService>(
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    service: S,
    limits: &HttpLimits,
    shutdown: impl Future<Output = ()>,
) {
    connection::serve(TokioIo::new(io), None, service, limits, Arc::default(), shutdown).await;
}
