//! HTTP/2 connections. Each carries at most as many exchanges as both sides allow. One more would wait within the
//! connection for a stream to end, and hold up all that come after it.

use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crossway_service::with_causes;
use futures_util::task::AtomicWaker;
use h2::Reason;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioTimer;
use tokio::time::Instant;

use super::body::Outgoing;
use super::io::Io;
use crate::client::limits;

/// A connection in the pool. It is closed once this is dropped and its last exchange has ended.
pub(super) struct Http2 {
    sender: SendRequest<Outgoing>,
    load: Arc<Load>,
    /// Since when the pool has seen the connection idle.
    pub(super) idle_since: Option<Instant>,
}

/// Room for one exchange on a connection.
pub(super) struct Stream {
    pub(super) sender: SendRequest<Outgoing>,
    pub(super) place: Place,
}

/// Counts as an exchange of its connection until dropped.
pub(super) struct Place(Arc<Load>);

struct Load {
    open: AtomicUsize,
    /// The number of exchanges that the server allows, by its latest settings.
    allowed: AtomicUsize,
}

impl Http2 {
    /// Begins HTTP/2 on a new connection, and waits until the server has said how many exchanges it allows.
    pub(super) async fn open(io: Io) -> Result<Self, String> {
        let tasks = Tasks::default();
        let (sender, mut connection) = Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .keep_alive_interval(limits::HTTP2_PING)
            .keep_alive_timeout(limits::HTTP2_PONG)
            // Until the server has said so.
            .initial_max_send_streams(0)
            .handshake(io)
            .await
            .map_err(|error| with_causes(&error))?;
        let ended = std::future::poll_fn(|cx| {
            tasks.stepped.register(cx.waker());
            if connection.current_max_send_streams() > 0 {
                return Poll::Ready(None);
            }
            Pin::new(&mut connection).poll(cx).map(Some)
        });
        match ended.await {
            None => {}
            Some(Ok(())) => return Err("it closed the connection at its beginning".to_owned()),
            Some(Err(error)) => return Err(with_causes(&error)),
        }
        let allowed = AtomicUsize::new(connection.current_max_send_streams());
        let load = Arc::new(Load { open: AtomicUsize::new(0), allowed });
        let told = Arc::clone(&load);
        // One task for the connection, which all streams share. It ends with the last sender.
        tokio::spawn(std::future::poll_fn(move |cx| {
            let polled = Pin::new(&mut connection).poll(cx);
            told.allowed.store(connection.current_max_send_streams(), Ordering::Relaxed);
            polled
        }));
        Ok(Self { sender, load, idle_since: None })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.load.open.load(Ordering::Acquire) == 0
    }

    pub(super) fn has_room(&self) -> bool {
        let allowed = self.load.allowed.load(Ordering::Relaxed).min(limits::HTTP2_EXCHANGES);
        self.load.open.load(Ordering::Acquire) < allowed
    }

    /// Reserves room for an exchange. The caller holds the pool's lock, or is the connection's only owner.
    pub(super) fn take(&mut self) -> Stream {
        self.idle_since = None;
        self.load.open.fetch_add(1, Ordering::AcqRel);
        Stream { sender: self.sender.clone(), place: Place(Arc::clone(&self.load)) }
    }
}

impl Place {
    /// Marks that the server accepts nothing more on this connection.
    pub(super) fn retire(&self) {
        self.0.allowed.store(0, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether, and why, the server says that it has not processed a request.
///
/// "The GOAWAY mechanism indicates the highest stream number that can be processed. Requests on streams with higher
/// numbers are therefore guaranteed to be safe to retry", and a stream with `REFUSED_STREAM` "is being closed prior to
/// any processing having occurred" (RFC 9113, 8.7). Only such streams end with a GOAWAY that is no error.
pub(super) fn unprocessed(error: &hyper::Error) -> Option<Unprocessed> {
    let cause = error.source()?.downcast_ref::<h2::Error>().filter(|cause| cause.is_remote())?;
    match cause.reason()? {
        Reason::NO_ERROR if cause.is_go_away() => Some(Unprocessed::GoesAway),
        Reason::REFUSED_STREAM if cause.is_reset() => Some(Unprocessed::Refused),
        _ => None,
    }
}

/// Why a server has not processed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unprocessed {
    /// The server is closing the connection.
    GoesAway,
    Refused,
}

/// Runs a connection's tasks, and wakes the code that opens the connection after each step: nothing else tells that the
/// server's settings have arrived.
#[derive(Clone, Default)]
struct Tasks {
    stepped: Arc<AtomicWaker>,
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let stepped = Arc::clone(&self.stepped);
        tokio::spawn(async move {
            let mut task = pin!(task);
            std::future::poll_fn(|cx| {
                let polled = task.as_mut().poll(cx);
                stepped.wake();
                polled
            })
            .await;
        });
    }
}
