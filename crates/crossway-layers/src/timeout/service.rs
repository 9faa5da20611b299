//! Calls that end in time.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use crossway_service::{Call, Closing, Connection, Reply};
use tower_service::Service;

use super::{TimeoutFuture, TimeoutLayer};
use crate::seam::{self, Course};

/// Calls that end in time; see the [module](super).
#[derive(Clone)]
pub struct Timeout<S> {
    stage: TimeoutLayer,
    inner: S,
}

impl<S> Timeout<S> {
    pub(super) fn new(stage: TimeoutLayer, inner: S) -> Self {
        Self { stage, inner }
    }
}

impl<S> Service<Call> for Timeout<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = TimeoutFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> TimeoutFuture<S> {
        TimeoutFuture(Course::new(&self.stage, &mut self.inner, call))
    }
}

impl<S: Connection + Clone> Connection for Timeout<S> {
    fn call(&self, call: Call) -> Reply {
        seam::call(&self.stage, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<S> fmt::Debug for Timeout<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeout").field(&self.stage).finish()
    }
}
