//! A POST that waits for the first message of its reply, which decides between JSON and an event stream.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossway_proto::{Kind, Message};
use http::{HeaderValue, Response, StatusCode};

use super::events::EventStream;
use super::exchange::{Asked, Caller, Exchange, Step};
use super::session::{Handles, Session};
use super::{Body, answer, modern};

/// A POST that was passed on and has no response yet.
pub(crate) struct Waiting {
    exchange: Exchange,
    /// The responses so far to a batch, or the messages so far before a response.
    gathered: Vec<Message>,
    /// The session that is being opened for the client.
    opening: Option<Box<Opening>>,
}

/// A session whose client does not know its id yet.
struct Opening {
    session: Arc<Session>,
    params: Option<Box<Bytes>>,
}

impl Waiting {
    pub(crate) fn new(mut exchange: Exchange) -> Self {
        let opening = match &mut exchange.caller {
            Caller::Opening { session, params, .. } => {
                Some(Box::new(Opening { session: Arc::clone(session), params: params.take() }))
            }
            _ => None,
        };
        Self { exchange, gathered: Vec::new(), opening }
    }

    /// How long the client may wait without hearing anything; `None` if it gets no answer.
    pub(crate) fn patience(&self) -> Option<std::time::Duration> {
        (!matches!(self.exchange.asked, Asked::Nothing)).then_some(self.exchange.endpoint.limits.keep_alive)
    }

    /// Makes sure that the sweeper runs, whose timer is nearer than this one's.
    pub(crate) fn keep_swept(&self) {
        self.exchange.endpoint.sessions.keep_swept();
    }

    /// Polls for the response that the upstream's messages lead to. There is only one.
    ///
    /// [`Poll::Ready`] with `None` means that it has to be [a stream](Self::into_stream).
    pub(crate) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Option<Response<Body>>> {
        loop {
            let Poll::Ready(step) = self.exchange.poll_step(cx) else {
                return if self.is_closed(cx) { Poll::Ready(None) } else { Poll::Pending };
            };
            return Poll::Ready(match step {
                Step::Response(message) if matches!(self.exchange.asked, Asked::Batch(_)) => {
                    self.gathered.push(message);
                    if !self.exchange.is_over() {
                        continue;
                    }
                    Some(answer::batch(&self.gathered))
                }
                Step::Response(message) => Some(self.respond(&message)),
                Step::Interim(message) => {
                    self.gathered.push(message);
                    None
                }
                Step::Failed(error) => Some(match (&self.exchange.caller, self.exchange.asked.id()) {
                    (Caller::Session(_), Some(id)) => answer::failure_in_session(&error, Some(id)),
                    (_, id) => answer::failure(&error, id),
                }),
                Step::Ended if matches!(self.exchange.asked, Asked::Nothing) => {
                    Some(answer::empty(StatusCode::ACCEPTED))
                }
                Step::Ended if !self.gathered.is_empty() => Some(answer::batch(&self.gathered)),
                // The client has cancelled the request, and waits for nothing.
                Step::Ended => {
                    let period = self.exchange.endpoint.limits.keep_alive;
                    Some(answer::events(EventStream::ended(period)))
                }
            });
        }
    }

    fn respond(&self, message: &Message) -> Response<Body> {
        let status = match &self.exchange.caller {
            Caller::Stateless(_) if message.kind() == Kind::Error => modern::status_of(message),
            _ if self.opening.is_some() => modern::status_of_opening(message),
            _ => StatusCode::OK,
        };
        let response = answer::message(status, message);
        // "by including it in an `MCP-Session-Id` header on the HTTP response containing the `InitializeResult`"
        // (2025-11-25, basic/transports): an error opens no session.
        match &self.opening {
            Some(opening) if message.kind() == Kind::Result => {
                answer::with_session(response, self.name(opening))
            }
            _ => response,
        }
    }

    /// Whether the upstream asks to close the stream that this would become.
    fn is_closed(&mut self, cx: &Context<'_>) -> bool {
        let can_come_back = self.exchange.session().is_some_and(|session| session.primes_streams());
        can_come_back && self.exchange.control.as_ref().is_some_and(|control| control.poll_closed(cx))
    }

    /// Begins a stream with the messages so far.
    pub(crate) fn into_stream(mut self) -> Response<Body> {
        self.exchange.announce();
        let name = self.opening.as_ref().map(|opening| self.name(opening));
        let response = answer::events(EventStream::call(self.exchange, &self.gathered));
        match name {
            Some(name) => answer::with_session(response, name),
            None => response,
        }
    }

    /// The session id for the client.
    fn name(&self, opening: &Opening) -> HeaderValue {
        let handles = self.exchange.endpoint.handles.as_ref();
        handles
            .zip(opening.params.as_ref())
            .and_then(|(handles, params)| Handles::issue(handles, &opening.session, params))
            .unwrap_or_else(|| opening.session.id.to_header())
    }
}
