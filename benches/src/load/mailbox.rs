//! Matches answers to calls, on transports where all answers of a session arrive on one stream.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::scan;

/// The calls in flight of one session, by their id.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
    strays: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    calls: HashMap<u64, oneshot::Sender<Bytes>>,
    closed: bool,
}

impl Mailbox {
    /// Expects the answer to `id`; the receiver fails if the stream of answers ends first.
    pub(crate) fn expect(&self, id: u64) -> oneshot::Receiver<Bytes> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.calls.insert(id, sender);
        }
        receiver
    }

    /// Stops expecting an answer, which then counts as a stray if it still comes.
    pub(crate) fn forget(&self, id: u64) {
        self.lock().calls.remove(&id);
    }

    /// Delivers a response to its call; a response to no call is a stray. The server's requests and notifications are ignored.
    pub(crate) fn deliver(&self, text: Bytes) {
        let (mut id, mut has_method) = (None, false);
        for member in scan::members(&text).map_while(Result::ok) {
            match member {
                (b"id", value) => id = Some(value),
                (b"method", _) => has_method = true,
                _ => {}
            }
        }
        if has_method {
            return;
        }
        let number = id.and_then(|raw| std::str::from_utf8(raw).ok()?.parse::<u64>().ok());
        match number.and_then(|number| self.lock().calls.remove(&number)) {
            // A receiver that gave up has been counted already.
            Some(sender) => drop(sender.send(text)),
            None => {
                self.strays.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Ends the stream of answers: all waiting calls fail.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.calls.clear();
    }

    /// The number of answers that no call expected.
    pub(crate) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_find_who_asked_and_strays_are_counted() {
        let mailbox = Mailbox::default();
        let first = mailbox.expect(1);
        let second = mailbox.expect(2);
        mailbox.deliver(Bytes::from_static(b"{\"id\":2,\"result\":{}}"));
        mailbox.deliver(Bytes::from_static(b"{\"id\":2,\"result\":{}}"));
        mailbox.deliver(Bytes::from_static(b"{\"id\":\"1\",\"result\":{}}"));
        mailbox.deliver(Bytes::from_static(b"{\"id\":1,\"method\":\"ping\"}"));
        mailbox.deliver(Bytes::from_static(b"garbage"));
        assert!(second.await.is_ok());
        mailbox.close();
        assert!(first.await.is_err());
        assert!(mailbox.expect(3).await.is_err());
        assert_eq!(mailbox.strays(), 3);
    }
}
