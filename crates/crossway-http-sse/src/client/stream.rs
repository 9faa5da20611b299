//! Reads the event stream of a session.

use std::task::{Context, Poll, ready};

use crossway_proto::Slices;
use crossway_proto::http_rules::content_encoding::coding;
use crossway_proto::http_rules::content_type::BodyKind;
use crossway_proto::sse::{self, EventTooLarge, SseDecoder, SseEvent};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use url::Url;

use super::endpoint::{redirect, resolve};
use super::error::{ENDPOINT_EVENT, OpenError};
use super::post::{Target, retry_after};
use super::wire::Wire;
use super::{ClientLimits, Shared};

/// An open stream.
pub(super) struct EventStream {
    wire: Box<Wire>,
    body: Incoming,
    decoder: SseDecoder,
}

/// The next item of a stream.
pub(super) enum Streamed {
    Event(SseEvent),
    TooLarge(EventTooLarge),
    /// The stream has ended; the text says how.
    Ended(&'static str),
}

impl EventStream {
    /// Opens the stream and waits for the `endpoint` event.
    pub(super) async fn open(shared: &Shared) -> Result<(Self, Target), OpenError> {
        let after = shared.limits.endpoint;
        match tokio::time::timeout(after, Self::try_open(shared)).await {
            Ok(opened) => opened,
            Err(_) => Err(OpenError::TimedOut { what: ENDPOINT_EVENT, after }),
        }
    }

    async fn try_open(shared: &Shared) -> Result<(Self, Target), OpenError> {
        let (wire, response, url) = Self::get(shared).await?;
        let mut stream = Self {
            wire,
            body: response.into_body(),
            decoder: SseDecoder::new(shared.limits.message.message_bytes),
        };
        let endpoint = loop {
            match std::future::poll_fn(|cx| stream.poll_next(cx)).await {
                Streamed::Event(event) if event.event == sse::ENDPOINT => break resolve(&url, &event.data)?,
                Streamed::Event(event) if event.event == sse::MESSAGE => {
                    return Err(OpenError::NoEndpoint("sent a message"));
                }
                // Events that this revision does not know are skipped.
                Streamed::Event(_) => {}
                Streamed::TooLarge(_) => return Err(OpenError::NoEndpoint("sent too large an event")),
                Streamed::Ended(_) => return Err(OpenError::NoEndpoint("ended")),
            }
        };
        Ok((stream, Target::new(shared, endpoint, shared.post_headers.clone())?))
    }

    async fn get(shared: &Shared) -> Result<(Box<Wire>, Response<Incoming>, Url), OpenError> {
        let mut url = shared.url.clone();
        for _ in 0..=shared.limits.redirects {
            let mut request = Request::new(Full::new(Slices::default()));
            *request.uri_mut() = shared.target(&url)?;
            *request.headers_mut() = shared.get_headers.clone();
            let mut wire = Wire::connect(&shared.connector).await?;
            let response = wire.send(request).await.map_err(|fault| OpenError::Broken(fault.error))?;
            let status = response.status();
            if let Some(refused) = shared.refused_by_proxy(status) {
                return Err(refused);
            }
            if status.is_redirection() {
                url = redirect(&url, response.headers().get(LOCATION))?;
            } else if status != StatusCode::OK {
                return Err(OpenError::Status { status, retry_after: retry_after(&response) });
            } else {
                check_is_event_stream(&response)?;
                return Ok((wire, response, url));
            }
        }
        Err(OpenError::Redirect("too often"))
    }

    /// The next item. Must not be polled after the end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Streamed> {
        loop {
            match self.decoder.next_event() {
                Ok(Some(event)) => return Poll::Ready(Streamed::Event(event)),
                Err(too_large) => return Poll::Ready(Streamed::TooLarge(too_large)),
                Ok(None) => {}
            }
            match ready!(self.wire.poll_data(&mut self.body, cx)) {
                Some(Ok(data)) => self.decoder.feed(data),
                Some(Err(_)) => return Poll::Ready(Streamed::Ended("its stream broke")),
                None if self.decoder.finish() => {
                    return Poll::Ready(Streamed::Ended("its stream ended within an event"));
                }
                None => return Poll::Ready(Streamed::Ended("its stream ended")),
            }
        }
    }
}

fn check_is_event_stream(response: &Response<Incoming>) -> Result<(), OpenError> {
    if BodyKind::of(response.headers()) == BodyKind::EventStream {
        return coding(response.headers()).map_or(Ok(()), |coding| Err(OpenError::Encoded(coding)));
    }
    let name =
        response.headers().get(CONTENT_TYPE).and_then(|name| name.to_str().ok()).unwrap_or("an untyped body");
    // The media type is enough; the rest is the server's text.
    let name = name.split(';').next().unwrap_or_default();
    Err(OpenError::NotEvents(
        name.chars().filter(|c| !c.is_control()).take(ClientLimits::QUOTED_TYPE_CHARS).collect(),
    ))
}
