//! Calls that are permitted.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use crossway_service::{Call, Closing, Connection, Reply};
use tower_service::Service;

use super::{AuthorizeFuture, AuthorizeLayer};
use crate::seam::{self, Course};

/// Calls that are permitted; see the [module](super).
#[derive(Clone)]
pub struct Authorize<S> {
    stage: AuthorizeLayer,
    inner: S,
}

impl<S> Authorize<S> {
    pub(super) fn new(stage: AuthorizeLayer, inner: S) -> Self {
        Self { stage, inner }
    }
}

impl<S> Service<Call> for Authorize<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = AuthorizeFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> AuthorizeFuture<S> {
        AuthorizeFuture(Course::new(&self.stage, &mut self.inner, call))
    }
}

impl<S: Connection + Clone> Connection for Authorize<S> {
    fn call(&self, call: Call) -> Reply {
        seam::call(&self.stage, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<S> fmt::Debug for Authorize<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorize").field(&self.stage).finish()
    }
}
