//! A call on its way to be supplied.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crossway_service::{Call, Reply};
use pin_project::pin_project;
use tower_service::Service;

use super::CredentialsLayer;
use crate::seam::Course;

/// The future of an [`Supply`](super::Supply).
#[pin_project]
pub struct CredentialsFuture<S: Service<Call>>(#[pin] pub(super) Course<S, CredentialsLayer>);

impl<S> Future for CredentialsFuture<S>
where
    S: Service<Call, Response = Reply, Error = Infallible>,
{
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().0.poll(cx)
    }
}

impl<S: Service<Call>> fmt::Debug for CredentialsFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialsFuture")
    }
}
