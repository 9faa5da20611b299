//! A connection with an upstream, as a `tower` service.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use crate::{Call, Reply};

/// The future of [`Connection::close`].
pub type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One connection with an upstream: a session of its own, or the one that stateless requests share.
///
/// The connection ends when its last [`Link`] is dropped.
pub trait Connection: Send + Sync + 'static {
    /// Takes a call. Never waits: all waiting is done by the reply.
    ///
    /// What the reply has to be depends on what is [asked](crate::Ask):
    ///
    /// - **A request**: interim messages that belong to it, if there are any, then one response with its id, or a failure. Only the reply of a
    ///   request that was cancelled may end without a response.
    /// - **A notification or a response**: [`Reply::accepted`], or a failure if it can't be delivered.
    /// - **[`Ask::Listen`](crate::Ask::Listen)**: messages that belong to no call, for as long as the connection lasts. The end of this reply
    ///   says that the connection has ended, and clients are told so: a connection that has nothing to say gives [`Reply::silent`].
    ///
    /// Cancellations come in two ways, and an implementation that works for long has to respect both. The
    /// reply is dropped when nobody waits for it any more: a modern client has closed its request, a session
    /// has ended, or a layer has given up. A legacy client instead sends `notifications/cancelled`, which
    /// arrives as a call of its own, with the [origin](crate::Context::origin) of the request's call; its
    /// transport's server keeps the reply until that ends. [`Mux`](crate::Mux) does both.
    fn call(&self, call: Call) -> Reply;

    /// Ends the session: calls in flight fail, a child process is ended, an HTTP session is deleted. The future is
    /// ready when that is done, and may be dropped without undoing it.
    fn close(&self) -> Closing {
        Box::pin(ready(()))
    }
}

/// A handle on a [`Connection`]; a `tower` service from [`Call`] to [`Reply`].
///
/// It is always ready, and it never fails: failures are replies, so that they carry their outcome.
#[derive(Clone)]
pub struct Link(Arc<dyn Connection>);

impl Link {
    /// A handle on a connection.
    pub fn new(connection: impl Connection) -> Self {
        Self(Arc::new(connection))
    }

    /// Makes a link from a service, as `tower` layers return it. Closing it closes `inner`.
    pub fn from_service<S>(service: S, inner: Self) -> Self
    where
        S: Service<Call, Response = Reply, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self::new(FromService { service, inner })
    }

    /// Takes a call.
    pub fn call(&self, call: Call) -> Reply {
        self.0.call(call)
    }

    /// Ends the session; see [`Connection::close`].
    #[must_use = "a future does nothing unless it is awaited"]
    pub fn close(&self) -> Closing {
        self.0.close()
    }
}

/// So that wrappers of a connection can also wrap a link.
impl Connection for Link {
    fn call(&self, call: Call) -> Reply {
        self.0.call(call)
    }

    fn close(&self) -> Closing {
        self.0.close()
    }
}

impl Service<Call> for Link {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        ready(Ok(self.0.call(call)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

struct FromService<S> {
    service: S,
    inner: Link,
}

impl<S> Connection for FromService<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    fn call(&self, call: Call) -> Reply {
        let mut service = self.service.clone();
        Reply::pending(async move {
            let Ok(()) = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
            let Ok(reply) = service.call(call).await;
            reply
        })
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}
