//! Upstreams that become available later; calls wait for them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crossway_service::{
    Call, CallError, Closing, Connection, ErrorText, Link, Reason, Reply, Scope, Upstream,
};
use tokio::sync::watch;

use crate::limits::UPSTREAM_PATIENCE;

/// An upstream that becomes available later. Calls wait for it, for a bounded time, and fail with the reason for its absence.
#[derive(Clone)]
pub(crate) struct PendingUpstream(watch::Receiver<State>);

/// Sets the upstream of a [`PendingUpstream`]. Dropping it makes waiting calls fail.
pub(crate) struct UpstreamReady(watch::Sender<State>);

#[derive(Clone)]
enum State {
    /// Not connected yet, and no attempt has failed.
    Waiting,
    /// The last attempt failed; there will be another.
    Failing(String),
    Here(Arc<dyn Upstream>),
}

impl PendingUpstream {
    pub(crate) fn new() -> (UpstreamReady, Self) {
        let (sender, receiver) = watch::channel(State::Waiting);
        (UpstreamReady(sender), Self(receiver))
    }

    fn here(&self) -> Option<Arc<dyn Upstream>> {
        match &*self.0.borrow() {
            State::Here(upstream) => Some(Arc::clone(upstream)),
            State::Waiting | State::Failing(_) => None,
        }
    }

    /// Waits until the upstream is available, or an attempt has failed.
    async fn arrived(mut self) -> Result<Arc<dyn Upstream>, Reason> {
        let state = tokio::time::timeout(
            UPSTREAM_PATIENCE,
            self.0.wait_for(|state| !matches!(state, State::Waiting)),
        );
        match state.await {
            Ok(Ok(state)) => match &*state {
                State::Here(upstream) => Ok(Arc::clone(upstream)),
                State::Failing(why) => Err(Reason::Unavailable(ErrorText::private(why.clone()))),
                State::Waiting => Err(Reason::Closing),
            },
            Ok(Err(_)) => Err(Reason::Closing),
            Err(_) => Err(Reason::Unavailable("it has not started yet; try again soon".into())),
        }
    }
}

impl UpstreamReady {
    /// Sets the upstream, and sends waiting calls to it.
    pub(crate) fn arrive(&self, upstream: Arc<dyn Upstream>) {
        self.0.send_replace(State::Here(upstream));
    }

    /// Records a failed attempt. Waiting calls fail with the reason.
    pub(crate) fn fail(&self, why: String) {
        self.0.send_replace(State::Failing(why));
    }
}

impl Upstream for PendingUpstream {
    fn connect(&self, scope: Scope) -> Link {
        match self.here() {
            Some(upstream) => upstream.connect(scope),
            None => Link::new(PendingConnection(Arc::new(Waiting {
                late: self.clone(),
                scope,
                link: OnceLock::new(),
            }))),
        }
    }
}

struct Waiting {
    late: PendingUpstream,
    scope: Scope,
    link: OnceLock<Link>,
}

struct PendingConnection(Arc<Waiting>);

impl Connection for PendingConnection {
    fn call(&self, call: Call) -> Reply {
        let waiting = &self.0;
        if let Some(link) = waiting.link.get() {
            return link.call(call);
        }
        if let Some(upstream) = waiting.late.here() {
            return waiting.link.get_or_init(|| upstream.connect(waiting.scope)).call(call);
        }
        let waiting = Arc::clone(waiting);
        Reply::pending(async move {
            match waiting.late.clone().arrived().await {
                Ok(upstream) => waiting.link.get_or_init(|| upstream.connect(waiting.scope)).call(call),
                Err(reason) => Reply::failed(CallError::not_sent(reason)),
            }
        })
    }

    fn close(&self) -> Closing {
        match self.0.link.get() {
            Some(link) => link.close(),
            None => Box::pin(std::future::ready(())),
        }
    }
}

impl fmt::Debug for PendingUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingUpstream")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use crossway_proto::{Limits, Message};
    use crossway_service::{Context, Outcome};
    use crossway_testkit::Scripted;

    use super::*;

    fn call(link: &Link) -> Reply {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#;
        let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        link.call(Call::message(message, Context::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_its_upstream_and_goes_to_it() {
        let (arrival, late) = PendingUpstream::new();
        let link = late.connect(Scope::Session);
        let mut reply = call(&link);
        let (upstream, mut servers) = Scripted::new();
        let answered = tokio::spawn(async move { reply.next().await.unwrap().unwrap() });
        tokio::task::yield_now().await;
        arrival.arrive(Arc::new(upstream));
        let (_, server) = servers.recv().await.unwrap();
        let id = server.expect("m").await;
        server.answer(&id, "{}");
        assert_eq!(answered.await.unwrap().to_bytes(), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upstream_that_can_t_be_reached_fails_calls_at_once_until_it_is_there() {
        let (arrival, late) = PendingUpstream::new();
        let link = late.connect(Scope::Shared);
        arrival.fail("no such command".to_owned());
        let error = call(&link).next().await.unwrap().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(error.to_string().contains("no such command"), "{error}");
        let (upstream, mut servers) = Scripted::new();
        arrival.arrive(Arc::new(upstream));
        let _reply = call(&link);
        servers.recv().await.unwrap().1.expect("m").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_does_not_wait_for_ever() {
        let (_arrival, late) = PendingUpstream::new();
        let error = call(&late.connect(Scope::Shared)).next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("has not started yet"), "{error}");
    }
}
