//! The OpenAPI face of a server or of several.

use crossway_openapi::face::{Directory, OpenApi, ResponseFuture};
use crossway_router::{Router, RouterOptions, Unprefixed};
use crossway_service::Upstream;
use http::Request;
use hyper::body::Incoming;
use tower_service::Service;

/// The OpenAPI face of a server, or of several.
#[derive(Debug, Clone)]
pub enum Tools {
    /// Of one: its tools are at the root.
    One(OpenApi),
    /// Of several, each below its name.
    Many(Directory),
}

impl Tools {
    pub(crate) fn call(&mut self, request: Request<Incoming>) -> ResponseFuture {
        match self {
            Self::One(one) => one.call(request),
            Self::Many(many) => many.call(request),
        }
    }

    /// Ends what is only this face's.
    pub(crate) async fn close(&self) {
        if let Self::One(one) = self {
            one.close().await;
        }
    }
}

/// What an OpenAPI face stands before where nobody is known: it knows the lists of the server that is put in, one for all.
pub(crate) fn empty() -> Router {
    Router::with_naming(RouterOptions::default().same_for_all().alone(), Unprefixed)
}

/// The same with its server.
pub(crate) fn alone(name: &str, upstream: &dyn Upstream) -> Router {
    let router = empty();
    router.insert(name, upstream);
    router
}
