//! Calls in their traces.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use crossway_service::{Call, Closing, Connection, Reply};
use tower_service::Service;

use super::{TraceFuture, TraceLayer};
use crate::seam::{self, Course};

/// Calls in their traces; see the [module](super).
#[derive(Clone)]
pub struct Trace<S> {
    stage: TraceLayer,
    inner: S,
}

impl<S> Trace<S> {
    pub(super) fn new(stage: TraceLayer, inner: S) -> Self {
        Self { stage, inner }
    }
}

impl<S> Service<Call> for Trace<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = TraceFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> TraceFuture<S> {
        TraceFuture(Course::new(&self.stage, &mut self.inner, call))
    }
}

impl<S: Connection + Clone> Connection for Trace<S> {
    fn call(&self, call: Call) -> Reply {
        seam::call(&self.stage, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<S> fmt::Debug for Trace<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.stage).finish()
    }
}
