//! Idle connections for POSTs, shared by all sessions.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::wire::Wire;

pub(super) struct Pool {
    idle: Mutex<Vec<(Instant, Box<Wire>)>>,
    max_connections: usize,
    max_age: Duration,
}

impl Pool {
    pub(super) fn new(max_connections: usize, max_age: Duration) -> Self {
        Self { idle: Mutex::default(), max_connections, max_age }
    }

    /// Takes the most recently used connection, if it is fresh enough.
    pub(super) fn take(&self) -> Option<Box<Wire>> {
        let mut idle = self.idle();
        let (since, wire) = idle.pop()?;
        if since.elapsed() < self.max_age {
            return Some(wire);
        }
        // All others are older.
        drop(std::mem::take(&mut *idle));
        None
    }

    /// Returns a connection to the pool.
    pub(super) fn put(&self, wire: Box<Wire>) {
        let now = Instant::now();
        let mut idle = self.idle();
        let first_fresh = idle.partition_point(|(since, _)| now.duration_since(*since) >= self.max_age);
        let surplus = (idle.len() + 1).saturating_sub(self.max_connections);
        let out = first_fresh.max(surplus).min(idle.len());
        if out > 0 {
            idle.drain(..out);
        }
        if self.max_connections > 0 {
            idle.push((now, wire));
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Box<Wire>)>> {
        self.idle.lock()
    }
}
