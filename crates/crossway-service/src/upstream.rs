//! An MCP server that can be connected to.

use std::convert::Infallible;
use std::sync::Arc;

use tower_layer::Layer;
use tower_service::Service;

use crate::{Call, Connection, Link, Reply};

/// Who shares a connection.
// Exhaustive on purpose: whoever connects decides by it, so a new one must not compile unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Nobody: it belongs to one client session, and ends with it.
    Session,
    /// Calls of many clients, in one session that belongs to none of them. A client that does not read must
    /// not hold up the others.
    Pooled,
    /// All stateless (modern) requests.
    Shared,
}

impl Scope {
    /// Whether the connection is a session, which ends with it: one client's own, or one of a pool.
    #[must_use]
    pub fn is_session(self) -> bool {
        matches!(self, Self::Session | Self::Pooled)
    }
}

/// An MCP server that can be connected to.
pub trait Upstream: Send + Sync + 'static {
    /// Opens a connection. Returns at once and cannot fail: connection errors are reported by the replies to the calls made on the link.
    fn connect(&self, scope: Scope) -> Link;

    /// Puts `layer` around each connection. The layer that is added last sees a call first.
    fn layered<L>(self, layer: L) -> Layered<Self, L>
    where
        Self: Sized,
    {
        Layered::new(self, layer)
    }
}

impl<U: Upstream + ?Sized> Upstream for Arc<U> {
    fn connect(&self, scope: Scope) -> Link {
        (**self).connect(scope)
    }
}

impl<U: Upstream + ?Sized> Upstream for Box<U> {
    fn connect(&self, scope: Scope) -> Link {
        (**self).connect(scope)
    }
}

/// An upstream with a layer around each of its connections; see [`Upstream::layered`].
///
/// The layer makes a [`Connection`] from a [`Link`], so nothing is allocated for a call's future. The layers of
/// `crossway-layers` do that. A layer that makes a plain `tower` service goes into a [`ServiceLayer`].
#[derive(Debug, Clone)]
pub struct Layered<U, L> {
    upstream: U,
    layer: L,
}

impl<U, L> Layered<U, L> {
    /// Puts `layer` around each connection of `upstream`.
    pub fn new(upstream: U, layer: L) -> Self {
        Self { upstream, layer }
    }
}

impl<U, L> Upstream for Layered<U, L>
where
    U: Upstream,
    L: Layer<Link> + Send + Sync + 'static,
    L::Service: Connection,
{
    fn connect(&self, scope: Scope) -> Link {
        Link::new(self.layer.layer(self.upstream.connect(scope)))
    }
}

/// Makes connections of the services of any `tower` layer. The future of each call is allocated.
///
/// The future of a layer's service is over when the [`Reply`] is there, and that is at once: what a call waits for is in the reply. So a
/// layer that was written for services whose future is the whole call may compile and have no effect. Tower's `ConcurrencyLimit`
/// limits nothing: it gives its permit back before the server has answered. Use the layers of `crossway-layers`, which hold on to the
/// reply, or write a layer that wraps the reply.
#[derive(Debug, Clone)]
pub struct ServiceLayer<L>(pub L);

impl<L> Layer<Link> for ServiceLayer<L>
where
    L: Layer<Link>,
    L::Service: Service<Call, Response = Reply, Error = Infallible> + Clone + Send + Sync + 'static,
    <L::Service as Service<Call>>::Future: Send + 'static,
{
    type Service = Link;

    fn layer(&self, link: Link) -> Link {
        Link::from_service(self.0.layer(link.clone()), link)
    }
}
