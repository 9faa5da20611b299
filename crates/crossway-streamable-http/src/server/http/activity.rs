//! Counts the requests in flight: per connection, and of the whole server.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use tokio::sync::Notify;
use tower_service::Service;

/// Counts a server's requests that came before its shutdown, if the server waits for them.
#[derive(Debug, Default)]
pub(super) struct Requests {
    is_counting: AtomicBool,
    in_flight: AtomicUsize,
    none_left: Notify,
}

impl Requests {
    pub(super) fn new(is_counting: bool) -> Self {
        Self { is_counting: AtomicBool::new(is_counting), ..Self::default() }
    }

    /// Stops counting new requests. Ready when the counted ones have ended.
    pub(super) async fn end(&self) {
        self.is_counting.store(false, Ordering::SeqCst);
        while self.in_flight.load(Ordering::SeqCst) > 0 {
            self.none_left.notified().await;
        }
    }

    /// Counts a request that begins now, if it is waited for; returns whether it is.
    fn begin(&self) -> bool {
        let is_counted = self.is_counting.load(Ordering::Relaxed);
        if is_counted {
            self.in_flight.fetch_add(1, Ordering::SeqCst);
        }
        is_counted
    }

    fn ended(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 && !self.is_counting.load(Ordering::SeqCst) {
            self.none_left.notify_one();
        }
    }
}

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicUsize,
    ended: AtomicUsize,
    of_all: Arc<Requests>,
}

impl Activity {
    pub(super) fn new(of_all: Arc<Requests>) -> Self {
        Self { of_all, ..Self::default() }
    }

    /// The number of completed requests, up to the ends of their responses; `None` while one is in flight.
    pub(super) fn ended(&self) -> Option<usize> {
        let ended = self.ended.load(Ordering::Relaxed);
        (ended == self.begun.load(Ordering::Relaxed)).then_some(ended)
    }
}

/// One request in flight.
struct InFlight {
    activity: Arc<Activity>,
    is_waited_for: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.activity.ended.fetch_add(1, Ordering::Relaxed);
        if self.is_waited_for {
            self.activity.of_all.ended();
        }
    }
}

/// Counts a service's requests, from their heads to the ends of their responses, and adds data about their connection to
/// them.
pub(super) struct Counted<S> {
    service: S,
    activity: Arc<Activity>,
    known: Option<Extensions>,
}

impl<S> Counted<S> {
    pub(super) fn new(service: S, activity: Arc<Activity>, known: Option<Extensions>) -> Self {
        Self { service, activity, known }
    }
}

impl<S, R, B> hyper::service::Service<Request<R>> for Counted<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
{
    type Response = Response<CountedBody<B>>;
    type Error = S::Error;
    type Future = CountedFuture<S::Future>;

    fn call(&self, mut request: Request<R>) -> Self::Future {
        if let Some(known) = &self.known {
            request.extensions_mut().extend(known.clone());
        }
        self.activity.begun.fetch_add(1, Ordering::Relaxed);
        let is_waited_for = self.activity.of_all.begin();
        let in_flight = InFlight { activity: Arc::clone(&self.activity), is_waited_for };
        CountedFuture { future: self.service.clone().call(request), in_flight: Some(in_flight) }
    }
}

#[pin_project]
pub(super) struct CountedFuture<F> {
    #[pin]
    future: F,
    in_flight: Option<InFlight>,
}

impl<F, B, E> Future for CountedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<CountedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        let in_flight = this.in_flight.take();
        Poll::Ready(Ok(response.map(|body| CountedBody { body, _in_flight: in_flight })))
    }
}

#[pin_project]
pub(super) struct CountedBody<B> {
    #[pin]
    body: B,
    _in_flight: Option<InFlight>,
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
