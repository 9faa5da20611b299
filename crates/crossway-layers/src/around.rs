//! Wraps a layer around each connection of an upstream.

use std::fmt;

use crossway_service::{Connection, Link, Scope, Upstream};
use tower_layer::Layer;

/// An upstream with a layer around each of its connections, like [`Layered`](crossway_service::Layered), for layers that make a
/// [`Connection`] of a link, as all of this crate do: nothing is allocated for the future of a call.
#[derive(Clone)]
pub struct Around<U, L> {
    upstream: U,
    layer: L,
}

impl<U, L> Around<U, L> {
    /// Puts `layer` around each connection of `upstream`.
    pub fn new(upstream: U, layer: L) -> Self {
        Self { upstream, layer }
    }

    /// The upstream.
    pub fn upstream(&self) -> &U {
        &self.upstream
    }
}

impl<U, L> Upstream for Around<U, L>
where
    U: Upstream,
    L: Layer<Link> + Send + Sync + 'static,
    L::Service: Connection,
{
    fn connect(&self, scope: Scope) -> Link {
        Link::new(self.layer.layer(self.upstream.connect(scope)))
    }
}

impl<U, L> fmt::Debug for Around<U, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Around")
    }
}
