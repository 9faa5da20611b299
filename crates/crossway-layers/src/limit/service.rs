//! Calls that are held to their quotas.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use crossway_service::{Call, Closing, Connection, Reply};
use tower_service::Service;

use super::{LimitFuture, LimitLayer};
use crate::seam::{self, Course};

/// Calls that are held to their quotas; see the [module](super).
#[derive(Clone)]
pub struct Limit<S> {
    stage: LimitLayer,
    inner: S,
}

impl<S> Limit<S> {
    pub(super) fn new(stage: LimitLayer, inner: S) -> Self {
        Self { stage, inner }
    }
}

impl<S> Service<Call> for Limit<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = LimitFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> LimitFuture<S> {
        LimitFuture(Course::new(&self.stage, &mut self.inner, call))
    }
}

impl<S: Connection + Clone> Connection for Limit<S> {
    fn call(&self, call: Call) -> Reply {
        seam::call(&self.stage, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<S> fmt::Debug for Limit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limit").field(&self.stage).finish()
    }
}
