//! Calls that are recorded.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use crossway_service::{Call, Closing, Connection, Reply};
use tower_service::Service;

use super::{AuditFuture, AuditLayer};
use crate::seam::{self, Course};

/// Calls that are recorded; see the [module](super).
#[derive(Clone)]
pub struct Audit<S> {
    stage: AuditLayer,
    inner: S,
}

impl<S> Audit<S> {
    pub(super) fn new(stage: AuditLayer, inner: S) -> Self {
        Self { stage, inner }
    }
}

impl<S> Service<Call> for Audit<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = AuditFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> AuditFuture<S> {
        AuditFuture(Course::new(&self.stage, &mut self.inner, call))
    }
}

impl<S: Connection + Clone> Connection for Audit<S> {
    fn call(&self, call: Call) -> Reply {
        seam::call(&self.stage, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<S> fmt::Debug for Audit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audit").field(&self.stage).finish()
    }
}
