//! Calls whose answers are made harmless.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use crossway_service::{Call, Closing, Connection, Reply};
use tower_service::Service;

use super::{SanitizeFuture, SanitizeLayer};
use crate::seam::{self, Course};

/// Calls whose answers are made harmless; see the [module](super).
#[derive(Clone)]
pub struct Sanitize<S> {
    stage: SanitizeLayer,
    inner: S,
}

impl<S> Sanitize<S> {
    pub(super) fn new(stage: SanitizeLayer, inner: S) -> Self {
        Self { stage, inner }
    }
}

impl<S> Service<Call> for Sanitize<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = SanitizeFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> SanitizeFuture<S> {
        SanitizeFuture(Course::new(&self.stage, &mut self.inner, call))
    }
}

impl<S: Connection + Clone> Connection for Sanitize<S> {
    fn call(&self, call: Call) -> Reply {
        seam::call(&self.stage, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<S> fmt::Debug for Sanitize<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sanitize").field(&self.stage).finish()
    }
}
