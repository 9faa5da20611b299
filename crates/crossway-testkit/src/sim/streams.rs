//! A simulated connection with a stream for each request, as over HTTP.

use std::collections::HashMap;
use std::sync::Arc;

use crossway_proto::{Kind, Message, RequestId};
use crossway_service::{Ask, Call, CallError, Connection, Context, Link, Origin, Reason, Reply};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::lane::{Cut, Lane};
use super::pipe::gone;
use super::server::{Arrived, ServerEnd, Way};
use super::{Weather, over_the_wire};

/// Opens a connection with a stream for each request. Returns the client's link and the server's end. `is_session` tells whether it is a
/// legacy session.
pub(super) fn connect(weather: &Weather, cut: &Cut, is_session: bool) -> (Link, ServerEnd) {
    let (to_server, incoming) = mpsc::channel(65_536);
    let (weather, cut) = (weather.clone(), cut.clone());
    let end = ServerEnd { incoming, cut: cut.clone() };
    let streams = Streams { weather, cut, to_server, is_session, calls: Mutex::default() };
    (Link::new(StreamsConnection(Arc::new(streams))), end)
}

struct Streams {
    weather: Weather,
    cut: Cut,
    to_server: mpsc::Sender<Arrived>,
    is_session: bool,
    /// Ends the replies of calls that are cancelled by a message.
    calls: Mutex<HashMap<(Origin, RequestId), watch::Sender<bool>>>,
}

impl Streams {
    /// Carries a message to the server. It may overtake others.
    fn carry(&self, message: Option<Message>) -> (oneshot::Receiver<()>, mpsc::Receiver<Message>) {
        let (lane, answers) =
            Lane::new(&self.weather, &self.cut, |message: &Message| message.kind() == Kind::Notification);
        let (done, is_done) = oneshot::channel();
        let message = message.as_ref().map(over_the_wire);
        let arrived = Arrived { message, way: Way { lane, is_own: true } };
        let (delay, to_server) = (self.weather.delay(), self.to_server.clone());
        let cut = self.cut.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = cut.happened() => {}
                () = sleep(delay) => {
                    // A server that is gone has received nothing.
                    if to_server.send(arrived).await.is_ok() {
                        let _ = done.send(());
                    }
                }
            }
        });
        (is_done, answers)
    }

    /// The error once nothing can be sent any more.
    fn refuse(&self) -> Option<CallError> {
        if !self.cut.is_cut() {
            return None;
        }
        Some(match self.is_session {
            // "it MUST respond to requests containing that session ID with HTTP 404" (2025-11-25, basic/transports)
            true => CallError::answered(Reason::SessionEnded),
            false => CallError::not_sent(gone()),
        })
    }

    fn request(self: &Arc<Self>, request: Message, context: &Context) -> Reply {
        if let Some(error) = self.refuse() {
            return Reply::failed(error);
        }
        let Some(id) = request.request_id() else { return Reply::accepted() };
        let is_modern = request.meta_version().is_some();
        let can_be_cancelled = !request.is_method("initialize");
        let (cancel, is_cancelled) = watch::channel(false);
        let place = (context.origin, id.clone());
        self.calls.lock().insert(place.clone(), cancel);
        let (_, answers) = self.carry(Some(request));
        let exchange = Exchange {
            streams: Arc::clone(self),
            place,
            answers,
            is_cancelled,
            is_over: false,
            tells: !is_modern && can_be_cancelled,
        };
        Reply::stream(futures_util::stream::unfold(exchange, |mut exchange| async move {
            exchange.next().await.map(|item| (item, exchange))
        }))
    }

    fn notify(self: &Arc<Self>, message: Message, context: &Context) -> Reply {
        if let Some(error) = self.refuse() {
            return Reply::failed(error);
        }
        if let Some(id) = message.cancelled_id().filter(|_| message.is_method("notifications/cancelled")) {
            let calls = self.calls.lock();
            if let Some(cancel) = calls.get(&(context.origin, id)) {
                cancel.send_replace(true);
            } else {
                return Reply::accepted();
            }
            if !self.is_session {
                return Reply::accepted();
            }
        }
        let (done, _) = self.carry(Some(message));
        Reply::pending(async move {
            match done.await {
                Ok(()) => Reply::accepted(),
                Err(_) => Reply::failed(CallError::unknown(gone())),
            }
        })
    }

    fn listen(self: &Arc<Self>) -> Reply {
        if !self.is_session {
            return Reply::silent();
        }
        let (_, heard) = self.carry(None);
        let cut = self.cut.clone();
        Reply::stream(futures_util::stream::unfold((heard, cut), |(mut heard, cut)| async move {
            tokio::select! {
                biased;
                () = cut.happened() => None,
                message = heard.recv() => message.map(|message| (Ok(message), (heard, cut))),
            }
        }))
    }
}

/// The stream of one request.
struct Exchange {
    streams: Arc<Streams>,
    place: (Origin, RequestId),
    answers: mpsc::Receiver<Message>,
    is_cancelled: watch::Receiver<bool>,
    is_over: bool,
    /// Whether dropping the reply has to send a cancellation to the server.
    tells: bool,
}

impl Exchange {
    async fn next(&mut self) -> Option<Result<Message, CallError>> {
        if self.is_over {
            return None;
        }
        let message = tokio::select! {
            biased;
            _ = self.is_cancelled.wait_for(|is_cancelled| *is_cancelled) => None,
            message = self.answers.recv() => match message {
                Some(message) => Some(Ok(message)),
                None => Some(Err(CallError::unknown(gone()))),
            },
        };
        self.is_over = match &message {
            None | Some(Err(_)) => true,
            Some(Ok(message)) => message.is_response(),
        };
        message
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.streams.calls.lock().remove(&self.place);
        if !self.is_over && self.tells && !self.streams.cut.is_cut() {
            let cancellation = Message::cancellation_of(&self.place.1, "the client has gone away");
            let _ = self.streams.carry(Some(cancellation));
        }
    }
}

struct StreamsConnection(Arc<Streams>);

impl Connection for StreamsConnection {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) if message.is_request() => self.0.request(message, &call.context),
            Ask::Message(message) => self.0.notify(message, &call.context),
            Ask::Listen => self.0.listen(),
        }
    }
}

impl Drop for StreamsConnection {
    fn drop(&mut self) {
        if self.0.is_session {
            self.0.cut.cut();
        }
    }
}
