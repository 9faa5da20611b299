//! The OpenAPI face of a server or of several.

use crossway_openapi::face::{Directory, OpenApi, ResponseFuture};
use crossway_router::{Router, RouterOptions, Unprefixed};
use crossway_service::Upstream;
use http::Request;
use hyper::body::Incoming;
use tower_service::Service;

/// The OpenAPI face of one server or of several.
#[derive(Debug, Clone)]
pub enum OpenApiFace {
    /// One server, whose tools are at the root.
    One(OpenApi),
    /// Several servers, each below its name.
    Many(Directory),
}

impl OpenApiFace {
    pub(crate) fn call(&mut self, request: Request<Incoming>) -> ResponseFuture {
        match self {
            Self::One(one) => one.call(request),
            Self::Many(many) => many.call(request),
        }
    }

    /// Closes what only this face uses. Of several servers that is nothing: each has a face of its own beside MCP.
    pub(crate) async fn close(&self) {
        if let Self::One(one) = self {
            one.close().await;
        }
    }

    /// Closes the faces of all servers.
    pub(crate) async fn close_all(&self) {
        match self {
            Self::One(one) => one.close().await,
            Self::Many(many) => many.close().await,
        }
    }
}

/// Returns an empty router for an OpenAPI face without identities: all callers share the lists of the server that is inserted later.
pub(crate) fn empty() -> Router {
    Router::with_naming(RouterOptions::default().same_for_all().alone(), Unprefixed)
}

/// Returns such a router with its server.
pub(crate) fn alone(name: &str, upstream: &dyn Upstream) -> Router {
    let router = empty();
    router.insert(name, upstream);
    router
}
