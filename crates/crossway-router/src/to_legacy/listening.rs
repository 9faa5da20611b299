//! `subscriptions/listen` on a legacy session.

use std::collections::BTreeSet;
use std::sync::Arc;

use crossway_era::SubscriptionFilter;
use crossway_era::to_legacy::{ClientFeatures, Listener};
use crossway_proto::{Message, RequestId};
use crossway_service::{CallError, Context, Origin, Reply};
use futures_util::future::{join, join_all};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use super::pool::Pool;
use super::pooled_session::{Lease, PooledSession, Service};
use super::sharers::Sharer;
use crate::mailbox::{Found, Mailbox};

/// Serves a client's subscription until the client cancels it or the session ends.
pub(super) fn listen(pool: Arc<Pool>, id: RequestId, message: Message, context: Context) -> Reply {
    let filter = match SubscriptionFilter::of(&message) {
        Ok(filter) => filter,
        Err(malformed) => return Reply::once(Message::error_of(Some(&id), &malformed)),
    };
    let noted = Noted::new(Arc::clone(&pool), context.origin, id);
    Reply::pending(async move {
        match begin(&pool, &message, filter, &context, noted).await {
            Ok(listening) => Reply::stream(futures_util::stream::unfold(listening, |mut listening| async {
                listening.next().await.map(|message| (Ok::<_, CallError>(message), listening))
            })),
            Err(error) => Reply::failed(error),
        }
    })
}

async fn begin(
    pool: &Arc<Pool>,
    message: &Message,
    filter: SubscriptionFilter,
    context: &Context,
    noted: Noted,
) -> Result<Listening, CallError> {
    let asks = ClientFeatures::of(message);
    let mut lease = pool.lease_to_listen(pool.owner(message, &asks, context), &asks)?;
    let session = lease.member.open().await?;
    let (changes, service) = (lease.member.audience.changes(), lease.member.service());
    let mut listener = Listener::new(noted.id.clone(), filter, session);
    let sharer = pool.options.sharers.of(context);
    let mut subscriptions = Subscriptions::new(pool, &lease.member, sharer, listener.uris());
    if !listener.uris().is_empty() {
        for uri in subscriptions.begin().await {
            listener.handle_refused(&uri);
        }
    }
    lease.listens();
    Ok(Listening {
        listener,
        changes,
        service,
        noted,
        is_acknowledged: false,
        has_ended: false,
        _subscriptions: subscriptions,
        _lease: lease,
    })
}

struct Listening {
    listener: Listener,
    changes: broadcast::Receiver<Message>,
    service: watch::Receiver<Service>,
    noted: Noted,
    is_acknowledged: bool,
    has_ended: bool,
    _subscriptions: Subscriptions,
    _lease: Lease,
}

impl Listening {
    async fn next(&mut self) -> Option<Message> {
        if self.has_ended {
            return None;
        }
        if !std::mem::replace(&mut self.is_acknowledged, true) {
            return self.listener.acknowledged();
        }
        loop {
            tokio::select! {
                () = self.noted.cancelled() => return None,
                _ = self.service.wait_for(|service| !service.is_open()) => break,
                change = self.changes.recv() => match change {
                    Ok(change) => {
                        if let Some(change) = self.listener.handle_change(&change) {
                            return Some(change);
                        }
                    }
                    // Missed changes cannot be sent any more: the client has to subscribe again and refresh.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                },
            }
        }
        self.has_ended = true;
        Some(self.listener.ended())
    }
}

/// One listener's subscriptions to resources, until it is dropped.
struct Subscriptions {
    pool: Arc<Pool>,
    /// The listener's own session. The listener ends with it.
    member: Arc<PooledSession>,
    sharer: Sharer,
    uris: Vec<String>,
}

impl Subscriptions {
    fn new(pool: &Arc<Pool>, member: &Arc<PooledSession>, sharer: Sharer, uris: &BTreeSet<String>) -> Self {
        uris.iter().for_each(|uri| member.audience.join(uri, &sharer));
        let (pool, member) = (Arc::clone(pool), Arc::clone(member));
        Self { pool, member, sharer, uris: uris.iter().cloned().collect() }
    }

    /// Tells the server of the resources: on the listener's session, and on those whose calls in flight may change them. Other sessions
    /// follow before their next call. Removes and returns the resources that no session could subscribe to.
    async fn begin(&mut self) -> Vec<String> {
        let is_another =
            |member: &Arc<PooledSession>| !Arc::ptr_eq(member, &self.member) && member.busy() > 0;
        let others: Vec<_> = self.pool.open_beside(&self.member).into_iter().filter(is_another).collect();
        // A server that handles its calls one by one takes the subscriptions after them.
        join(self.member.follow(), join_all(others.iter().map(|it| it.catch_up(&self.sharer)))).await;
        let is_followed = |uri: &str| {
            let is_followed_by = |member: &Arc<PooledSession>| member.follows(uri) == Some(true);
            is_followed_by(&self.member) || others.iter().any(is_followed_by)
        };
        let refused: Vec<_> = self.uris.extract_if(.., |uri| !is_followed(uri)).collect();
        self.end(&refused);
        refused
    }

    fn end(&self, uris: &[String]) {
        uris.iter().for_each(|uri| self.member.audience.leave(uri, &self.sharer));
        for member in self.pool.open_beside(&self.member) {
            if uris.iter().any(|uri| member.follows(uri).is_some()) {
                tokio::spawn(async move { member.follow().await });
            }
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.end(&self.uris);
    }
}

/// Registers the listener among the calls that a message can cancel.
struct Noted {
    pool: Arc<Pool>,
    origin: Origin,
    id: RequestId,
    mailbox: Arc<Mailbox>,
}

impl Noted {
    fn new(pool: Arc<Pool>, origin: Origin, id: RequestId) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        pool.note_call(origin, &id, &mailbox);
        Self { pool, origin, id, mailbox }
    }

    async fn cancelled(&self) {
        std::future::poll_fn(|cx| match self.mailbox.look(cx) {
            Found::Ended(_) => std::task::Poll::Ready(()),
            Found::Nothing | Found::Message(_) => std::task::Poll::Pending,
        })
        .await;
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.pool.forget_call(self.origin, &self.id, &self.mailbox);
    }
}
