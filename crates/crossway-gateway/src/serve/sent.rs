//! Counts response bytes that clients have not read yet.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

use super::actor::Actor;
use crate::metrics::HeldBytes;
use crate::metrics::limits::UNSENT_PIECE;

/// A body whose large pieces count for their tenant until the connection has released them. They stay for long if the client does not
/// read.
#[pin_project]
pub(crate) struct Counted<B> {
    #[pin]
    body: B,
    /// `None` if the body counts for nobody.
    whose: Option<Actor>,
}

/// A piece of a body, which counts until it is dropped.
struct Piece {
    bytes: Bytes,
    _held: HeldBytes,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<B> Counted<B> {
    fn new(body: B, whose: Option<Actor>) -> Self {
        Self { body, whose }
    }
}

fn count(bytes: Bytes, whose: &Actor) -> Bytes {
    // Most pieces are small, and cost no allocation.
    if bytes.len() < UNSENT_PIECE {
        return bytes;
    }
    let held = whose.meter().hold_reply(bytes.len());
    Bytes::from_owner(Piece { bytes, _held: held })
}

impl<B: Body<Data = Bytes>> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let Some(whose) = this.whose else { return Poll::Ready(frame) };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| count(bytes, whose)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for Counted<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

/// The future of a response with a [`Counted`] body.
#[pin_project]
pub(crate) struct CountedFuture<F> {
    #[pin]
    future: F,
    whose: Option<Actor>,
}

impl<F> CountedFuture<F> {
    /// Counts the body of the response for an actor.
    pub(super) fn new(future: F, whose: Option<Actor>) -> Self {
        Self { future, whose }
    }
}

impl<F, B, E> Future for CountedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Counted<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        Poll::Ready(Ok(response.map(|body| Counted::new(body, this.whose.take()))))
    }
}

impl<F> fmt::Debug for CountedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountedFuture")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use crossway_policy::{Policy, Principal, Proof};
    use http_body_util::{BodyExt, Full};
    use serde_json::json;

    use super::super::actor::Actors;
    use super::super::session_limiters::SessionLimiters;
    use super::*;
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn a_large_piece_counts_until_the_connection_lets_go_of_it_and_a_small_one_never() {
        let config = json!({ "tenants": { "acme": { "groups": ["acme"] } } });
        let policy = Policy::compile(&serde_json::from_value(config).unwrap(), &[]).unwrap();
        let (alice, metrics) =
            (Principal::new("i", "alice", Proof::Jwt).with_groups(["acme"]), Metrics::new());
        let actor = Actors::new(policy, SessionLimiters::new(1), metrics.clone()).of(&alice, None).unwrap();
        let unsent = || {
            let text = metrics.scrape(&[], &[], None);
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(r#"crossway_reply_unsent_bytes{tenant="acme"} "#));
            line.unwrap().parse::<usize>().unwrap()
        };
        let piece = async |length: usize| {
            let response = Response::new(Full::new(Bytes::from(vec![7; length])));
            let future = std::future::ready(Ok::<_, Infallible>(response));
            let mut body = CountedFuture::new(future, Some(actor.clone())).await.unwrap().into_body();
            body.frame().await.unwrap().unwrap().into_data().unwrap()
        };
        let small = piece(UNSENT_PIECE - 1).await;
        assert_eq!((small.len(), unsent()), (UNSENT_PIECE - 1, 0));
        let large = piece(UNSENT_PIECE).await;
        // What is cut off holds the whole.
        let part = large.slice(..1);
        drop(large);
        assert_eq!((&part[..], unsent()), (&[7][..], UNSENT_PIECE));
        drop(part);
        assert_eq!(unsent(), 0);
    }
}
