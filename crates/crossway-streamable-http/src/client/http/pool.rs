//! The pool of idle connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Context;
use std::time::Duration;

use crossway_service::{Running, SoleTask, later};
use hyper::body::Incoming;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::http1::Http1;
use super::http2::{Http2, Stream};
use super::response;
use crate::client::limits;

/// Connections with one origin. The newest is taken first, so that the others can expire when they are not needed.
pub(super) struct Pool {
    kept: Mutex<Kept>,
    idle: Duration,
    capacity: usize,
    /// Whether the upstream may speak HTTP/2: over TLS, until it negotiates something else.
    may_be_http2: AtomicBool,
}

#[derive(Default)]
struct Kept {
    http1: Vec<Idle>,
    /// The first one with room carries the next exchange, so that the others can expire when they are not needed.
    http2: Vec<Http2>,
    /// How long the server keeps idle connections, by its latest answer that says so. Node's answers do, except event streams.
    said: Option<Duration>,
    reaper: SoleTask,
}

struct Idle {
    wire: Box<Http1>,
    until: Instant,
    /// The rest of a response whose answer was read already: servers commonly end an event stream a moment later.
    rest: Option<Incoming>,
}

impl Pool {
    pub(super) fn new(idle: Duration, capacity: usize) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), idle, capacity, may_be_http2: AtomicBool::new(false) })
    }

    /// Takes a connection that accepts a request now.
    pub(super) fn take(&self, cx: &mut Context<'_>) -> Option<Box<Http1>> {
        let now = Instant::now();
        let mut unfinished = Vec::new();
        let found = loop {
            let Some(mut idle) = self.kept().http1.pop() else { break None };
            if idle.until <= now {
                continue;
            }
            if let Some(rest) = &mut idle.rest
                && !response::is_over(rest, &mut idle.wire, cx)
            {
                unfinished.push(idle);
                if unfinished.len() == limits::DRAIN_TRIES {
                    break None;
                }
                continue;
            }
            // A connection that the server has closed meanwhile is noticed here, before anything is sent.
            if idle.wire.is_ready(cx) {
                break Some(idle.wire);
            }
        };
        if !unfinished.is_empty() {
            self.kept().http1.extend(unfinished);
        }
        found
    }

    /// Keeps a connection. Its last response may not have ended yet.
    pub(super) fn put(self: &Arc<Self>, wire: Box<Http1>, rest: Option<Incoming>) {
        if !wire.is_poolable {
            return;
        }
        let mut kept = self.kept();
        kept.said = wire.kept_for.or(kept.said);
        let idle =
            kept.said.unwrap_or(limits::KEPT_UNSAID).saturating_sub(limits::KEPT_MARGIN).min(self.idle);
        let idle = if rest.is_some() { idle.min(limits::DRAIN) } else { idle };
        if kept.http1.len() >= self.capacity || idle.is_zero() {
            return;
        }
        kept.http1.push(Idle { wire, until: later(Instant::now(), idle), rest });
        self.watch(&kept);
    }

    pub(super) fn may_be_http2(&self) -> bool {
        self.may_be_http2.load(Ordering::Relaxed)
    }

    pub(super) fn learn_http2(&self, may_be: bool) {
        self.may_be_http2.store(may_be, Ordering::Relaxed);
    }

    /// Reserves room for an exchange on an open connection, if there is any.
    pub(super) fn http2(&self) -> Option<Stream> {
        if !self.may_be_http2() {
            return None;
        }
        let mut kept = self.kept();
        kept.http2.retain(|connection| !connection.is_closed());
        kept.http2.iter_mut().find(|connection| connection.has_room()).map(Http2::take)
    }

    pub(super) fn put_http2(self: &Arc<Self>, connection: Http2) {
        let mut kept = self.kept();
        kept.http2.push(connection);
        self.watch(&kept);
    }

    /// Starts the task that closes unused connections, unless it is running. It ends when there are none left.
    fn watch(self: &Arc<Self>, kept: &Kept) {
        if let Some(running) = kept.reaper.claim()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(reap(Arc::downgrade(self), self.idle, running));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept().http1.len()
    }
}

async fn reap(pool: Weak<Pool>, idle: Duration, running: Running) {
    let mut running = Some(running);
    loop {
        tokio::time::sleep((idle / 4).max(Duration::from_millis(100))).await;
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        let mut kept = pool.kept();
        // Taken out under the lock and closed after it.
        let over: Vec<_> = kept.http1.extract_if(.., |idle| idle.until <= now).collect();
        let unused: Vec<_> =
            kept.http2.extract_if(.., |connection| is_unused(connection, now, idle)).collect();
        if kept.http1.is_empty() && kept.http2.is_empty() {
            // Under the lock: whoever puts a connection into the pool after it starts another.
            running = None;
        }
        drop(kept);
        drop((over, unused));
        if running.is_none() {
            return;
        }
    }
}

/// Whether a connection was idle for this long, or is closed.
fn is_unused(connection: &mut Http2, now: Instant, idle: Duration) -> bool {
    if !connection.is_idle() {
        connection.idle_since = None;
        return connection.is_closed();
    }
    let since = *connection.idle_since.get_or_insert(now);
    now.duration_since(since) >= idle || connection.is_closed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_expire_in_each_runtime_that_calls_after_another() {
        let pool = Pool::new(Duration::from_secs(1), 1);
        pool.watch(&pool.kept());
        for _ in 0..2 {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                pool.watch(&pool.kept());
                assert!(pool.kept().reaper.claim().is_none(), "it runs");
            });
        }
        assert!(pool.kept().reaper.claim().is_some(), "it ended with its runtime");
    }

    #[tokio::test(start_paused = true)]
    async fn what_closes_connections_ends_when_there_are_none() {
        let pool = Pool::new(Duration::from_secs(1), 1);
        for _ in 0..2 {
            pool.watch(&pool.kept());
            assert!(pool.kept().reaper.claim().is_none());
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(pool.kept().reaper.claim().is_some());
        }
    }
}
