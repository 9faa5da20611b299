//! A reply whose refusal may show that the URL's server has changed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use crossway_proto::{ErrorCode, Message};
use crossway_router::EraSupport;
use crossway_service::{Call, CallError, Reason, Reply, Scope};
use futures_core::Stream;
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::{Kind, Way};

type Item = Result<Message, CallError>;

/// The context of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Opens a session.
    Opening,
    InSession,
    /// A modern request, outside of any session.
    Modern,
    /// A modern request with a method that all modern servers know.
    Discovery,
}

impl Course {
    pub(super) fn of(call: &Call, scope: Scope) -> Self {
        if call.is_method("initialize") {
            Self::Opening
        } else if !scope.is_session() || call.is_modern() {
            if call.is_method("server/discover") { Self::Discovery } else { Self::Modern }
        } else {
            Self::InSession
        }
    }

    /// Returns what the reply to such a request shows about the server.
    fn shown(self, of: Kind, item: &Item) -> Shown {
        if self == Self::Opening && of == Kind::Streamable(EraSupport::Modern) {
            // Modern servers need not accept sessions.
            return Shown::Nothing;
        }
        match item {
            Err(error) => match error.reason() {
                // "400 Bad Request", "404 Not Found" or "405 Method Not Allowed" (2025-11-25, basic/transports, Backwards
                // Compatibility); 406 of a server that has nothing of the kind that is asked for.
                Reason::Refused { status: 400 | 404 | 405 | 406, .. } => Shown::WasNotHandled,
                // There is no event stream, or no server at all.
                Reason::Unavailable(_) if of == Kind::HttpSse && self == Self::Opening => {
                    Shown::WasNotHandled
                }
                Reason::InvalidAnswer(_) if self != Self::InSession => Shown::MayHaveBeen,
                _ => Shown::Nothing,
            },
            Ok(message) if message.error().is_some() => match (self, code_of(message)) {
                // No session was opened, and nothing was done.
                (Self::Opening | Self::Discovery, _) => Shown::WasNotHandled,
                (_, Some(ErrorCode::UNSUPPORTED_PROTOCOL_VERSION)) => Shown::WasNotHandled,
                // "The JSON sent is not a valid Request object" (JSON-RPC 2.0, section 5.1), such as one without a session.
                (Self::Modern, Some(ErrorCode::INVALID_REQUEST)) => Shown::WasNotHandled,
                // The server misses the headers of modern requests.
                (Self::InSession, Some(ErrorCode::HEADER_MISMATCH)) => Shown::WasNotHandled,
                // The SDKs' legacy servers answer a request without a session so. A tool may, too.
                (_, Some(ErrorCode::INVALID_REQUEST | NO_SESSION)) if self == Self::Modern => {
                    Shown::MayHaveBeen
                }
                _ => Shown::Nothing,
            },
            Ok(_) => Shown::Nothing,
        }
    }
}

/// The SDKs' error code for failures below JSON-RPC.
const NO_SESSION: ErrorCode = ErrorCode(-32000);

/// What a reply shows about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Nothing unusual.
    Nothing,
    /// Another server may be there, and the request was not handled.
    WasNotHandled,
    /// Another server may be there, or the call itself has failed.
    MayHaveBeen,
}

fn code_of(error: &Message) -> Option<ErrorCode> {
    #[derive(Deserialize)]
    struct Code {
        code: i64,
    }
    serde_json::from_slice::<Code>(error.error()?).ok().map(|error| ErrorCode(error.code))
}

/// The reply to one request.
pub(super) struct Watched {
    way: Arc<Way>,
    course: Course,
    /// The number of the server that the call was sent to, and what it speaks.
    to: (u64, Kind),
    /// The call, for sending it again; `None` once it was sent again, or the client got a message.
    call: Option<Call>,
    reply: Reply,
    /// The probe for another server, and the item for the client if there is none.
    looking: Option<(BoxFuture<'static, bool>, Box<Item>)>,
}

impl Watched {
    /// Sends a call.
    pub(super) fn new(way: Arc<Way>, course: Course, call: Call) -> Self {
        let there = way.there(course != Course::InSession);
        let (to, reply) = ((there.number, there.kind), there.link.call(call.clone()));
        Self { way, course, to, call: Some(call), reply, looking: None }
    }

    /// Reacts to another server. Returns the item for the client, unless the call was sent to that server.
    fn turn(&mut self, refused: Item) -> Option<Item> {
        let Some(call) = self.call.take() else { return Some(refused) };
        match self.course {
            // The client opens another session.
            Course::InSession => Some(Err(CallError::answered(Reason::SessionEnded))),
            Course::Modern | Course::Discovery if self.way.shared.speaks() == EraSupport::Legacy => {
                Some(Err(CallError::not_sent(Reason::LegacyOnly)))
            }
            Course::Modern | Course::Discovery | Course::Opening => {
                let there = self.way.there(true);
                self.reply = there.link.call(call);
                self.to = (there.number, there.kind);
                None
            }
        }
    }
}

impl Stream for Watched {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Item>> {
        let this = &mut *self;
        loop {
            if let Some((looking, _)) = &mut this.looking {
                let is_another = ready!(looking.as_mut().poll(cx));
                let Some((_, refused)) = this.looking.take() else { return Poll::Ready(None) };
                if !is_another {
                    return Poll::Ready(Some(*refused));
                }
                match this.turn(*refused) {
                    Some(item) => return Poll::Ready(Some(item)),
                    None => continue,
                }
            }
            let Some(item) = ready!(Pin::new(&mut this.reply).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            let (number, kind) = this.to;
            let shown = if this.call.is_some() { this.course.shown(kind, &item) } else { Shown::Nothing };
            let shared = Arc::clone(&this.way.shared);
            match shown {
                Shown::WasNotHandled => {
                    let looking = Box::pin(shared.is_another(number));
                    this.looking = Some((looking, Box::new(item)));
                }
                shown => {
                    if shown == Shown::MayHaveBeen {
                        // For the next request.
                        tokio::spawn(shared.is_another(number));
                    }
                    this.call = None;
                    return Poll::Ready(Some(item));
                }
            }
        }
    }
}
