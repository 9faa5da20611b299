//! The future of a response.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use crossway_proto::ErrorCode;
use crossway_proto::http_rules::{CorsOrigin, Refusal};
use crossway_service::later;
use http::{Response, StatusCode};
use pin_project::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::head::Routed;
use super::intake::{Intake, IntakeError};
use super::limits::DISCARD;
use super::post::{Post, Why};
use super::waiting::Waiting;
use super::{Body, Limits, answer};

/// The future of a response of [`StreamableHttp`](super::StreamableHttp). It never fails.
///
/// # Cancel safety
///
/// Dropping it cancels its call in modern revisions. In legacy ones the call continues, since "disconnection
/// **SHOULD NOT** be interpreted as the client cancelling its request" (2025-11-25, basic/transports).
#[pin_project]
pub struct ResponseFuture<B> {
    #[pin]
    state: State<B>,
    /// The page's origin, which may read the response.
    page: CorsOrigin,
}

#[pin_project(project = StateNow)]
enum State<B> {
    /// The response is known; the rest of the request's body may still have to be thrown away.
    Answered {
        response: Option<Response<Body>>,
        #[pin]
        rest: Option<Intake<B>>,
    },
    Reading {
        post: Option<Post>,
        #[pin]
        intake: Intake<B>,
    },
    Waiting {
        waiting: Option<Waiting>,
        #[pin]
        timer: Option<Sleep>,
    },
}

impl<B: http_body::Body<Data: Buf>> ResponseFuture<B> {
    pub(crate) fn new(
        routed: Routed,
        page: CorsOrigin,
        body: B,
        limits: &Limits,
        expects_continue: bool,
    ) -> Self {
        let has_body = !body.is_end_stream();
        // A client that waits for `100 Continue` has not sent its body, and need not.
        let budget = if expects_continue { 0 } else { DISCARD };
        let intake = Intake::new(body, limits.message.message_bytes, budget, limits.body_idle);
        let state = match routed {
            Routed::Post(post) => State::Reading { post: Some(post), intake },
            Routed::Answered(response) => {
                State::Answered { response: Some(response), rest: has_body.then(|| intake.refused()) }
            }
        };
        Self { state, page }
    }
}

impl<B: http_body::Body<Data: Buf>> Future for ResponseFuture<B> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.state.poll(cx));
        this.page.allow(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

impl<B: http_body::Body<Data: Buf>> State<B> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let mut state = self;
        loop {
            let next = match state.as_mut().project() {
                StateNow::Answered { response, rest } => {
                    if let Some(rest) = rest.as_pin_mut() {
                        let _ = ready!(rest.poll_collect(cx));
                    }
                    return response.take().map_or(Poll::Pending, Poll::Ready);
                }
                StateNow::Reading { post, intake } => {
                    let opened = match (ready!(intake.poll_collect(cx)), post.take()) {
                        (Ok(body), Some(post)) => post.open(body),
                        (Err(error), Some(post)) => Err(refusal(error, &post.endpoint.limits).into()),
                        (_, None) => return Poll::Pending,
                    };
                    match opened {
                        Ok(exchange) => State::Waiting { waiting: Some(Waiting::new(exchange)), timer: None },
                        Err(refused) => {
                            let response = match &refused.why {
                                Why::Refusal(refusal) => answer::refusal(refusal, refused.id.as_ref()),
                                Why::TooMany(error) => answer::too_many(error, refused.id.as_ref()),
                            };
                            State::Answered { response: Some(response), rest: None }
                        }
                    }
                }
                StateNow::Waiting { waiting, timer } => {
                    return poll_waiting(waiting, timer, cx);
                }
            };
            state.set(next);
        }
    }
}

/// Polls for the response, which starts once there is something to send, or after the client has waited long enough.
fn poll_waiting(
    waiting: &mut Option<Waiting>,
    mut timer: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<Response<Body>> {
    let Some(now) = waiting.as_mut() else { return Poll::Pending };
    let response = match now.poll_response(cx) {
        Poll::Ready(response) => response,
        Poll::Pending => {
            let Some(patience) = now.patience() else { return Poll::Pending };
            if timer.is_none() {
                now.keep_swept();
                timer.set(Some(sleep_until(later(Instant::now(), patience))));
            }
            let Some(timer) = timer.as_pin_mut() else { return Poll::Pending };
            ready!(timer.poll(cx));
            None
        }
    };
    let Some(waiting) = waiting.take() else { return Poll::Pending };
    Poll::Ready(response.unwrap_or_else(|| waiting.into_stream()))
}

fn refusal(error: IntakeError, limits: &Limits) -> Refusal {
    match error {
        IntakeError::TooLong => {
            let why = format!("the body has more than {} bytes", limits.message.message_bytes);
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::INVALID_REQUEST, why)
        }
        IntakeError::Stalled => {
            let why = format!("the body stopped coming for {} s before its end", limits.body_idle.as_secs());
            Refusal::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::INVALID_REQUEST, why)
        }
        IntakeError::Broken => {
            let why = "the body is shorter than announced, or badly chunked";
            Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::PARSE_ERROR, why)
        }
    }
}

impl<B> std::fmt::Debug for ResponseFuture<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseFuture")
    }
}
