//! Calls of legacy clients that can be asked, on a modern server that takes sessions too.
//!
//! Some servers of both eras ask their clients something in sessions only, so these calls get one.

use std::sync::Arc;

use crossway_era::to_legacy::{self, ClientFeatures};
use crossway_proto::{Kind, Part};
use crossway_service::{Call, CallError, Context, Origin, Outcome, Reason, Reply, Scope};
use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::{ModernLinks, Ways, answer_to_initialize};
use crate::ClientSession;
use crate::limits::OPEN_TIME;

/// Whether a modern server takes sessions too.
#[derive(Default)]
pub(super) struct Sessions {
    /// `None` while it is unknown. A parked call comes back by this, so only the server's own answer changes it.
    are_taken: Mutex<Option<bool>>,
    /// When the server was last asked in vain.
    failed_at: Mutex<Option<Instant>>,
    /// Held while the server is asked.
    asking: tokio::sync::Mutex<()>,
}

impl Sessions {
    fn are_taken(&self) -> Option<bool> {
        *self.are_taken.lock()
    }

    /// Whether the server was asked in vain a moment ago, so that a call need not wait for the same again.
    fn have_just_failed(&self) -> bool {
        self.failed_at.lock().is_some_and(|at| at.elapsed() < OPEN_TIME)
    }
}

/// Whether the server may ask the client something in the course of this call, and the client is a legacy one.
pub(super) fn may_ask_legacy_client(call: &Call) -> bool {
    call.context.extensions.get::<ClientSession>().is_some()
        && call
            .request()
            .is_some_and(|request| to_legacy::may_ask(request) && !ClientFeatures::of(request).is_empty())
}

impl ModernLinks {
    /// Sends such a call on a session if the server takes sessions, or else as it is.
    pub(super) fn prefer_session(self: &Arc<Self>, call: Call) -> Reply {
        let brings_answers =
            || call.request().is_some_and(|it| it.member(Part::Params, "requestState").is_some());
        match self.ways.sessions.are_taken() {
            Some(true) => self.in_session(call),
            Some(false) => self.pass(call),
            // The question did not come from a session.
            None if brings_answers() || self.ways.sessions.have_just_failed() => self.pass(call),
            None => {
                let links = Arc::clone(self);
                Reply::pending(async move {
                    links.ways.ask_for_session().await;
                    match links.ways.sessions.are_taken() {
                        Some(true) => links.in_session(call),
                        _ => links.pass(call),
                    }
                })
            }
        }
    }

    fn in_session(self: &Arc<Self>, call: Call) -> Reply {
        let links = Arc::clone(self);
        let reply = self.way(true).call(call);
        Reply::stream(reply.inspect(move |item| {
            if matches!(item, Err(error) if may_be_replaced(error)) {
                let links = Arc::clone(&links);
                tokio::spawn(async move { links.ways.ask_again().await });
            }
        }))
    }
}

impl Ways {
    /// Finds out whether the server takes sessions, unless that is known. A failure leaves it unknown, also for those who waited for it.
    async fn ask_for_session(&self) {
        let _asking = self.sessions.asking.lock().await;
        if self.sessions.are_taken().is_none() && !self.sessions.have_just_failed() {
            self.try_initialize().await;
        }
    }

    async fn ask_again(&self) {
        if let Ok(_asking) = self.sessions.asking.try_lock()
            && !self.sessions.have_just_failed()
        {
            self.try_initialize().await;
        }
    }

    async fn try_initialize(&self) {
        // No client's: the pool opens its sessions so, too.
        let context = Context::new(Origin::unique(), None);
        let raw = self.raw.connect(Scope::Session);
        let opening = to_legacy::Session::opening(&ClientFeatures::default());
        let mut reply = raw.call(Call::message(opening, context.clone()));
        let answer = timeout(OPEN_TIME, answer_to_initialize(&raw, &mut reply, &context, |_| {})).await;
        match answer {
            Ok(Ok(Some(answer))) => *self.sessions.are_taken.lock() = Some(answer.kind() == Kind::Result),
            // A connection that breaks, and a status that something in front of the server may have given, can pass.
            Ok(Ok(None) | Err(_)) | Err(_) => *self.sessions.failed_at.lock() = Some(Instant::now()),
        }
        drop(reply);
        tokio::spawn(raw.close());
    }
}

/// Whether a failure may come from a server that has been replaced by one without sessions.
fn may_be_replaced(error: &CallError) -> bool {
    let is_refusal = matches!(
        error.reason(),
        Reason::Unavailable(_) | Reason::Refused { .. } | Reason::Ended(_) | Reason::SessionEnded
    );
    is_refusal && error.outcome() == Outcome::NotSent
}
