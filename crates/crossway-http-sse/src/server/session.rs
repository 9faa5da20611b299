//! One client's session.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossway_proto::{Message, RequestId};
use crossway_service::{CallError, Link, Pump, Reason, SessionOwner, SessionPermit, WakerSlot};
use http::Extensions;
use parking_lot::{Mutex, MutexGuard};

use super::sessions::Sessions;

use crate::limits::ServerLimits;

/// A session's id: 128 random bits, in URLs as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionId(u128);

impl SessionId {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        Ok(Self(u128::from_ne_bytes(bits)))
    }

    /// Parses the output of [`Display`](fmt::Display), and nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_public =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_public.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One client's session. It is in the table, which it references in turn, until its stream ends.
pub(super) struct Session {
    id: SessionId,
    owner: Option<SessionOwner>,
    /// The session's share of its caller's limit, held for its lifetime.
    _place: Option<SessionPermit>,
    sessions: Arc<Sessions>,
    limits: ServerLimits,
    state: Mutex<State>,
}

struct State {
    /// `None` once the session has ended.
    pump: Option<Pump>,
    /// Whether the client has sent a message.
    has_spoken: bool,
    /// The stream's task.
    reader: WakerSlot,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The session has ended.
    Ended,
    /// Too much of the client's is in progress already, as when it does not read its stream.
    Full,
    /// The server is about to stop.
    Draining,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        owner: Option<SessionOwner>,
        place: Option<SessionPermit>,
        sessions: Arc<Sessions>,
        limits: ServerLimits,
    ) -> Self {
        Self {
            id,
            owner,
            _place: place,
            sessions,
            limits,
            state: Mutex::new(State { pump: None, has_spoken: false, reader: WakerSlot::default() }),
        }
    }

    /// Starts serving the client on a link of its own.
    pub(super) fn begin(&self, link: Link, extensions: Extensions) {
        self.state().pump = Some(Pump::with_extensions(link, self.limits.service, extensions));
    }

    pub(super) fn is_of(&self, owner: Option<&SessionOwner>) -> bool {
        self.owner.as_ref() == owner
    }

    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    pub(super) fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// Handles a message of the client, with the extensions of the request that brought it.
    ///
    /// # Errors
    ///
    /// The reason why it was not accepted, and its id if it was a request.
    pub(super) fn handle(
        &self,
        message: Message,
        extensions: Extensions,
    ) -> Result<(), (NotTaken, Option<RequestId>)> {
        // Calls in flight may need responses to finish.
        let is_draining = message.is_request() && self.sessions.is_draining();
        let mut state = self.state();
        let State { pump, has_spoken, reader } = &mut *state;
        let reason = match pump {
            None => NotTaken::Ended,
            Some(_) if is_draining => NotTaken::Draining,
            Some(pump) if !pump.takes(&message) => NotTaken::Full,
            Some(pump) => {
                pump.context_mut().extensions = extensions.into();
                if !std::mem::replace(has_spoken, true) {
                    pump.listen();
                    // The pump wakes nobody once the upstream has failed.
                    reader.wake();
                }
                pump.handle(message);
                return Ok(());
            }
        };
        Err((reason, message.request_id()))
    }

    /// Answers a request with an error, on the stream like every other answer, without calling the upstream.
    ///
    /// # Errors
    ///
    /// The reason why it was not accepted, and the request's id.
    pub(super) fn refuse(
        &self,
        request: &Message,
        error: &CallError,
    ) -> Result<(), (NotTaken, Option<RequestId>)> {
        let Some(id) = request.id() else { return Ok(()) };
        let mut state = self.state();
        match state.pump.as_mut().map(|pump| pump.refuse(&id, error)) {
            Some(true) => {
                // The pump wakes nobody once the upstream has failed.
                state.reader.wake();
                Ok(())
            }
            Some(false) => Err((NotTaken::Full, Some(id))),
            None => Err((NotTaken::Ended, Some(id))),
        }
    }

    /// The next message for the client; `None` once there will be no more. When the server is closed, calls without an answer fail first.
    ///
    /// If the upstream can't be connected to, the stream waits for the client's first message, whose answer says why.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.state();
        let has_spoken = state.has_spoken;
        let Some(pump) = &mut state.pump else { return Poll::Ready(None) };
        match pump.poll_next(cx) {
            Poll::Ready(None) if !has_spoken => {}
            Poll::Ready(next) => return Poll::Ready(next),
            Poll::Pending => {}
        }
        if self.sessions.is_closed() {
            pump.fail_all(&Reason::Closing);
            return pump.poll_next(cx);
        }
        let is_idle = pump.is_idle();
        state.reader.register(cx.waker());
        drop(state);
        if is_idle && self.sessions.is_draining() { Poll::Ready(None) } else { Poll::Pending }
    }

    /// Ends the session: cancels its calls, and ends the upstream's session.
    pub(super) fn end(&self) {
        self.sessions.remove(self.id);
        let Some(pump) = self.state().pump.take() else { return };
        let link = pump.link().clone();
        drop(pump);
        let closing = link.close();
        drop(link);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(closing);
        }
    }

    pub(super) fn wake(&self) {
        self.state().reader.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_read_as_it_was_written_and_in_no_other_way() {
        let id = SessionId(7);
        assert_eq!(id.to_string(), "00000000000000000000000000000007");
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        for not in [
            "",
            "7",
            "0000000000000000000000000000000G",
            "+0000000000000000000000000000007",
            &"0".repeat(33),
            "0000000000000000000000000000000A",
        ] {
            assert_eq!(SessionId::parse(not), None, "{not}");
        }
    }
}
