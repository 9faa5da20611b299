//! Resource subscriptions on a legacy session.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossway_era::to_legacy::Session;
use crossway_proto::Kind;
use futures_util::future::{BoxFuture, Shared, ready};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::pooled_session::PooledSession;
use super::sharers::Sharer;
use crate::limits::{OPEN_TIME, SUBSCRIBE_WAIT, SUBSCRIBES_AT_ONCE};

/// A task that waits for its turn and then tells the server of all subscriptions at that time.
pub(super) type Following = Shared<BoxFuture<'static, ()>>;

impl PooledSession {
    /// Whether the server does not know yet of all resources that `sharer` listens to.
    pub(super) fn is_behind(&self, sharer: &Sharer) -> bool {
        // Few clients listen to resources; without any, there is nothing to look up.
        !self.audience.is_without_resources() && self.can_subscribe() && {
            let state = self.state();
            self.audience.has_besides(sharer, |uri| state.followed.contains_key(uri))
        }
    }

    /// Whether the server sends this session a resource's updates; `None` if it was not asked to.
    pub(super) fn follows(&self, uri: &str) -> Option<bool> {
        self.state().followed.get(uri).copied()
    }

    /// Subscribes to the resources that are listened to, and unsubscribes from the others. Goes on if the caller is dropped, so that the
    /// server's subscriptions are always known. Whatever is not begun within [`OPEN_TIME`] is left to the next call.
    pub(super) async fn follow(self: &Arc<Self>) {
        if !self.can_subscribe() {
            return;
        }
        let following = {
            let mut state = self.state();
            // A task that waits for its turn already covers the current subscriptions.
            let next = state.next_to_follow.get_or_insert_with(|| {
                let told = tokio::spawn(tell_of_resources(Arc::clone(self)));
                told.map(drop).boxed().shared()
            });
            next.clone()
        };
        following.await;
    }

    /// Like [`follow`](Self::follow), for a call, which does not wait long: a missed change is better than no answer. Nor does it wait for
    /// what others listen to, which may never end.
    pub(super) async fn catch_up(self: &Arc<Self>, sharer: &Sharer) {
        if self.is_behind(sharer) {
            let _ = timeout(SUBSCRIBE_WAIT, self.follow()).await;
        }
    }

    /// Ends a subscription. Until the server has answered, it may still send updates.
    fn unfollow(self: &Arc<Self>, uri: &str) {
        let mut request = Session::unsubscribe(uri);
        request.set_id(&self.next_id());
        let (reply, member) = (self.send(request), Arc::clone(self));
        member.unfollowing.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            let _ = timeout(OPEN_TIME, reply.drain()).await;
            member.unfollowing.fetch_sub(1, Ordering::AcqRel);
        });
    }

    /// Whether the server may send something in this session about a resource that somebody listens to, or did until just now.
    pub(super) fn may_tell_of_resources(&self) -> bool {
        let is_being_told = self.following.try_lock().is_err();
        is_being_told
            || !self.audience.is_without_resources()
            || !self.state().followed.is_empty()
            || self.unfollowing.load(Ordering::Acquire) > 0
    }

    fn can_subscribe(&self) -> bool {
        self.session().is_some_and(|session| session.can("resources.subscribe"))
    }

    /// Subscribes to one resource.
    async fn follow_one(&self, uri: String) {
        if self.is_dead() {
            return;
        }
        let answer = self.ask_in_time(Session::subscribe(&uri)).await;
        // A refused subscription is not requested again while somebody listens to the resource on another session.
        let is_taken = answer.is_ok_and(|answer| answer.kind() == Kind::Result);
        self.state().followed.insert(uri, is_taken);
    }

    fn unfollowed(&self) -> Vec<String> {
        let state = self.state();
        self.audience.besides(|uri| state.followed.contains_key(uri))
    }

    fn take_unheard(&self) -> Vec<(String, bool)> {
        self.state().followed.extract_if(|uri, _| !self.audience.listens_to(uri)).collect()
    }
}

async fn tell_of_resources(member: Arc<PooledSession>) {
    // One task at a time, so that the server gets the start and end of a subscription in order.
    let _turn = member.following.lock().await;
    member.state().next_to_follow = None;
    for (uri, is_taken) in member.take_unheard() {
        if is_taken && !member.is_dead() {
            member.unfollow(&uri);
        }
    }
    // Each request that was sent is recorded: the time limit only keeps further requests from starting.
    let until = Instant::now() + OPEN_TIME;
    let in_time = stream::iter(member.unfollowed()).take_while(|_| ready(Instant::now() < until));
    in_time.for_each_concurrent(SUBSCRIBES_AT_ONCE, |uri| member.follow_one(uri)).await;
}
