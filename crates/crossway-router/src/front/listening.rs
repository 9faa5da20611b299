//! The standing stream of a legacy client, made of `subscriptions/listen`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossway_era::from_legacy::{Heard, Listening};
use crossway_proto::Message;
use crossway_service::{CallError, Context, Reply};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::session::Session;
use crate::limits::{RELISTEN_FIRST, RELISTEN_MOST};

/// What the upstream has to say to this client that belongs to no call.
///
/// It opens `subscriptions/listen` when the client's session is open, again when the client's filter changes (the old one
/// goes when the new one is acknowledged), and again, after a pause, when it ends.
pub(super) fn listen(session: &Arc<Session>, context: Context) -> Reply {
    // Only a reply that is read holds the session.
    let state = Standing {
        filter: session.filter(),
        session: Arc::downgrade(session),
        context,
        current: None,
        next: None,
        pause: RELISTEN_FIRST,
        due: None,
    };
    Reply::stream(futures_util::stream::unfold(state, |mut state| async move {
        state.next().await.map(|message| (Ok::<_, CallError>(message), state))
    }))
}

struct Standing {
    filter: watch::Receiver<Option<Bytes>>,
    session: std::sync::Weak<Session>,
    context: Context,
    current: Option<Stream>,
    /// The one that is to take its place.
    next: Option<Stream>,
    pause: Duration,
    /// When to listen again.
    due: Option<Instant>,
}

struct Stream {
    reply: Reply,
    machine: Listening,
}

impl Stream {
    /// What it says next.
    async fn heard(stream: &mut Option<Self>) -> Heard {
        let Some(stream) = stream else { return std::future::pending().await };
        match stream.reply.next().await {
            Some(Ok(message)) => stream.machine.handle_message(message),
            Some(Err(_)) | None => Heard::Ended,
        }
    }
}

impl Standing {
    /// The next message for the client; `None` once its session has ended.
    async fn next(&mut self) -> Option<Message> {
        self.filter.wait_for(Option::is_some).await.ok()?;
        if self.current.is_none() && self.next.is_none() && self.due.is_none() {
            self.open()?;
        }
        loop {
            let due = self.due;
            tokio::select! {
                // What the old stream still has comes first.
                biased;
                heard = Stream::heard(&mut self.current) => match heard {
                    Heard::Pass(message) => return Some(message),
                    Heard::Ended => {
                        self.current = None;
                        self.retry();
                    }
                    Heard::Acknowledged | Heard::Nothing => {}
                },
                heard = Stream::heard(&mut self.next) => match heard {
                    Heard::Pass(message) => return Some(message),
                    Heard::Ended => {
                        self.next = None;
                        self.retry();
                    }
                    Heard::Acknowledged => {
                        self.pause = RELISTEN_FIRST;
                        self.current = self.next.take();
                    }
                    Heard::Nothing => {}
                },
                changed = self.filter.changed() => {
                    changed.ok()?;
                    self.filter.borrow_and_update().as_ref()?;
                    self.open()?;
                }
                () = async { match due { Some(due) => sleep_until(due).await, None => std::future::pending().await } } => {
                    self.open()?;
                }
            }
        }
    }

    fn open(&mut self) -> Option<()> {
        self.due = None;
        self.filter.mark_unchanged();
        let session = self.session.upgrade()?;
        let request = session.listen_request()?;
        self.next = Some(Stream { reply: session.send(request, &self.context), machine: Listening::new() });
        Some(())
    }

    fn retry(&mut self) {
        if self.current.is_none() && self.next.is_none() {
            self.due = Some(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(RELISTEN_MOST);
        }
    }
}
