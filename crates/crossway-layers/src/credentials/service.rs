//! Calls that are supplied with credentials.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use crossway_service::{Call, Closing, Connection, Reply};
use tower_service::Service;

use super::{CredentialsFuture, CredentialsLayer};
use crate::seam::{self, Course};

/// Calls that are supplied with credentials; see the [module](super).
#[derive(Clone)]
pub struct Supply<S> {
    stage: CredentialsLayer,
    inner: S,
}

impl<S> Supply<S> {
    pub(super) fn new(stage: CredentialsLayer, inner: S) -> Self {
        Self { stage, inner }
    }
}

impl<S> Service<Call> for Supply<S>
where
    S: Service<Call, Response = Reply, Error = Infallible> + Clone,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = CredentialsFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> CredentialsFuture<S> {
        CredentialsFuture(Course::new(&self.stage, &mut self.inner, call))
    }
}

impl<S: Connection + Clone> Connection for Supply<S> {
    fn call(&self, call: Call) -> Reply {
        seam::call(&self.stage, &self.inner, call)
    }

    fn close(&self) -> Closing {
        self.inner.close()
    }
}

impl<S> fmt::Debug for Supply<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supply").field(&self.stage).finish()
    }
}
