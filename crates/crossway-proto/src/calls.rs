//! Correlation: calls in flight on an upstream connection, and the ids that the upstream knows them by.

use slab::Slab;

use crate::{Limits, Message, RequestId};

/// The name of a call on its upstream connection; also the id under which the upstream knows it.
///
/// The low bits are the number of a slot, the bits above them a count, so that a late answer never matches a
/// newer call in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallKey(u64);

const SLOT_BITS: u32 = Limits::CALLS_IN_FLIGHT.trailing_zeros();
/// JavaScript servers preserve whole numbers below 2^53.
const COUNT_LIMIT: u64 = 1 << (53 - SLOT_BITS);

impl CallKey {
    fn new(count: u64, slot: usize) -> Self {
        Self(count << SLOT_BITS | slot as u64)
    }

    fn slot(self) -> usize {
        (self.0 & ((1 << SLOT_BITS) - 1)) as usize
    }

    /// The id under which the upstream knows the call.
    #[must_use]
    pub fn to_id(self) -> RequestId {
        RequestId::from(self.0)
    }

    /// The call that the upstream knows under `id`; `None` for an id that no table assigns.
    ///
    /// Some servers return ids as floating-point numbers or as text. These are accepted: all ids on such a
    /// connection are ours, so they can mean nothing else.
    #[must_use]
    pub fn from_id(id: &RequestId) -> Option<Self> {
        id.to_whole().map(Self)
    }
}

/// The calls in flight on one upstream connection, each with state of the owner.
///
/// Requests are sent under ids of the connection's own. So two clients with the same id never collide, and an
/// id that a server could not preserve (above 2^53, fractional) comes back unchanged. The same holds for
/// progress tokens, for the ids in cancellations and for subscription ids (2026-07-28,
/// basic/utilities/subscriptions: the id of the listen request names the subscription).
///
/// ```
/// use bytes::Bytes;
/// use crossway_proto::{Calls, Limits, Message};
///
/// let parse = |text: &'static str| Message::parse(Bytes::from(text), &Limits::default());
/// let mut calls = Calls::new(100);
/// let mut request = parse(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#)?;
/// let key = calls.open(1, &mut request, ()).unwrap();
/// let upstream_id = request.id().unwrap();
///
/// let mut answer = Message::result_of(&upstream_id, b"{}")?;
/// assert_eq!(calls.answered(&mut answer), Some(key));
/// assert_eq!(answer.to_bytes(), r#"{"jsonrpc":"2.0","id":"a","result":{}}"#);
/// # Ok::<(), crossway_proto::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Calls<T> {
    slots: Slab<Slot<T>>,
    count: u64,
    limit: usize,
    left: Option<Left>,
}

/// Calls that ended without an answer. Until the upstream has heard of that, it may still log for them.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// The client that made them; `None` if there were several.
    origin: Option<u64>,
    /// The count of the last call that was sent before the upstream was told. An answer to a later call shows
    /// that it has read that.
    count: u64,
}

#[derive(Debug)]
struct Slot<T> {
    key: CallKey,
    origin: u64,
    id: RequestId,
    token: Option<RequestId>,
    is_listen: bool,
    /// Log messages may belong to it.
    may_log: bool,
    is_answered: bool,
    state: T,
}

/// The reason for not opening a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The table is full.
    #[error("there are too many calls in flight")]
    Full,
    /// The message is not a request, so nothing answers it.
    #[error("the message is no request")]
    NoRequest,
}

impl<T> Slot<T> {
    fn is_open(&self) -> bool {
        !self.is_answered && !self.is_listen
    }
}

impl<T> Calls<T> {
    /// Creates a table for at most `limit` calls, and never more than [`Limits::CALLS_IN_FLIGHT`].
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { slots: Slab::new(), count: 0, limit: limit.min(Limits::CALLS_IN_FLIGHT), left: None }
    }

    /// Adds a request of the client `origin`, and writes the upstream's id and progress token into it.
    ///
    /// # Errors
    ///
    /// When the message is not a request, or the table is full.
    pub fn open(&mut self, origin: u64, request: &mut Message, state: T) -> Result<CallKey, NotOpened> {
        let id = request.request_id().ok_or(NotOpened::NoRequest)?;
        if self.slots.len() >= self.limit {
            return Err(NotOpened::Full);
        }
        // From 1 to the last count, and again: the same count never occurs twice in a row, which could be in
        // the same slot.
        self.count = self.count % (COUNT_LIMIT - 1) + 1;
        let entry = self.slots.vacant_entry();
        let key = CallKey::new(self.count, entry.key());
        let token = request.progress_token();
        let is_listen = request.is_method("subscriptions/listen");
        // A server has nothing to log about a ping.
        let may_log =
            (request.meta_version().is_none() || request.log_level().is_some()) && !request.is_method("ping");
        request.set_id(&key.to_id());
        if token.is_some() {
            request.set_progress_token(&key.to_id());
        }
        entry.insert(Slot { key, origin, id, token, is_listen, may_log, is_answered: false, state });
        Ok(key)
    }

    /// Finds the call that a response answers, and writes the client's id into it. `None` for an answer to an
    /// unknown call, and for a second answer.
    ///
    /// The call stays in the table until it is [closed](Calls::close).
    pub fn answered(&mut self, response: &mut Message) -> Option<CallKey> {
        let key = CallKey::from_id(&response.id()?)?;
        let slot = self.slot_mut(key).filter(|slot| !slot.is_answered)?;
        slot.is_answered = true;
        response.set_id(&slot.id);
        if response.subscription_id().is_some() {
            response.set_subscription_id(&slot.id);
        }
        // The upstream reads in order, so by now it has read everything that was sent before this call.
        self.left = self.left.filter(|left| key.0 >> SLOT_BITS <= left.count);
        Some(key)
    }

    /// Finds the call to which a notification of the upstream belongs by its progress token or subscription id,
    /// and writes the client's into it.
    pub fn owner(&self, notification: &mut Message) -> Owner {
        if notification.is_method("notifications/progress") {
            let key = notification.progress_token().and_then(|token| CallKey::from_id(&token));
            return match key.and_then(|key| self.slot(key)) {
                Some(Slot { key, token: Some(token), is_answered: false, .. }) => {
                    notification.set_progress_token(token);
                    Owner::Call(*key)
                }
                // Progress of a call that has ended, or that never asked for it.
                _ => Owner::Late,
            };
        }
        if let Some(subscription) = notification.subscription_id() {
            return match CallKey::from_id(&subscription).and_then(|key| self.slot(key)) {
                Some(slot) if !slot.is_answered => {
                    notification.set_subscription_id(&slot.id);
                    Owner::Call(slot.key)
                }
                _ => Owner::Late,
            };
        }
        // A modern server ends a subscription by cancelling the listen request (2026-07-28,
        // basic/utilities/cancellation). A legacy one cancels its own requests, which are not in this table.
        let cancelled = notification.cancelled_id().and_then(|id| CallKey::from_id(&id));
        match cancelled.and_then(|key| self.slot(key)).filter(|slot| slot.is_listen && !slot.is_answered) {
            Some(slot) if notification.is_method("notifications/cancelled") => {
                notification.set_cancelled_id(&slot.id);
                Owner::Call(slot.key)
            }
            _ => Owner::Nobody,
        }
    }

    /// Finds the call that the client `origin` cancels, and writes the upstream's id into the notification.
    pub fn cancelled(&self, origin: u64, notification: &mut Message) -> Option<CallKey> {
        let id = notification.cancelled_id()?;
        let mut slots = self.slots.iter().map(|(_, slot)| slot);
        let key = slots.find(|slot| slot.origin == origin && !slot.is_answered && slot.id == id)?.key;
        notification.set_cancelled_id(&key.to_id());
        Some(key)
    }

    /// The newest call that is still without an answer, and whether it is the only one.
    #[must_use]
    pub fn newest(&self) -> Option<(CallKey, bool)> {
        let mut open = self.slots.iter().map(|(_, slot)| slot).filter(|slot| slot.is_open());
        let first = open.next()?.key;
        let (newest, others) = open.fold((first, 0), |(newest, others), slot| {
            (if slot.key.0 >> SLOT_BITS > newest.0 >> SLOT_BITS { slot.key } else { newest }, others + 1)
        });
        Some((newest, others == 0))
    }

    /// The call to which a log message belongs, if that is certain: the newest of those that it may belong
    /// to, if all of them are of one client. Calls that ended without an answer count too, until the upstream
    /// has answered one that was sent later.
    ///
    /// A modern request counts only if it asks for log messages: "The server **MUST NOT** emit
    /// `notifications/message` for a request that does not include this field" (2026-07-28,
    /// server/utilities/logging).
    #[must_use]
    pub fn log_owner(&self) -> Option<CallKey> {
        let open = || self.slots.iter().map(|(_, slot)| slot).filter(|slot| slot.is_open());
        if let Some(left) = self.left
            && !open().all(|slot| left.origin == Some(slot.origin))
        {
            return None;
        }
        if open().count() == 1 {
            return open().next().map(|slot| slot.key);
        }
        let meant = || open().filter(|slot| slot.may_log);
        let first = meant().next()?;
        let newest = meant().max_by_key(|slot| slot.key.0 >> SLOT_BITS)?;
        meant().all(|slot| slot.origin == first.origin).then_some(newest.key)
    }

    /// Whether the upstream may still log for a call that has ended without an answer.
    #[must_use]
    pub fn may_log_for_ended_calls(&self) -> bool {
        self.left.is_some()
    }

    /// The state of a call.
    pub fn state_mut(&mut self, key: CallKey) -> Option<&mut T> {
        self.slot_mut(key).map(|slot| &mut slot.state)
    }

    /// Whether the call is in the table and has its answer.
    #[must_use]
    pub fn is_answered(&self, key: CallKey) -> bool {
        self.slot(key).is_some_and(|slot| slot.is_answered)
    }

    /// The client's id of a call.
    #[must_use]
    pub fn id(&self, key: CallKey) -> Option<&RequestId> {
        self.slot(key).map(|slot| &slot.id)
    }

    /// Removes a call, and returns its state. A later answer to it is an answer to an unknown call.
    pub fn close(&mut self, key: CallKey) -> Option<T> {
        self.slot(key)?;
        let slot = self.slots.remove(key.slot());
        if slot.is_open() && slot.may_log {
            let is_others = self.left.is_some_and(|left| left.origin != Some(slot.origin));
            self.left = Some(Left { origin: (!is_others).then_some(slot.origin), count: self.count });
        }
        let state = slot.state;
        // An idle connection holds no table, because there are many sessions.
        if self.slots.is_empty() && self.slots.capacity() > 16 {
            self.slots.shrink_to_fit();
        }
        Some(state)
    }

    /// All calls with their states.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (CallKey, &mut T)> {
        self.slots.iter_mut().map(|(_, slot)| (slot.key, &mut slot.state))
    }

    /// The number of calls in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no call is in the table.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The `notifications/cancelled` that tells the upstream of a cancelled call.
    #[must_use]
    pub fn cancellation(key: CallKey, reason: &str) -> Message {
        Message::cancellation_of(&key.to_id(), reason)
    }

    /// The call of a request that this table has rewritten.
    #[must_use]
    pub fn key_of(request: &Message) -> Option<CallKey> {
        request.request_id().and_then(|id| CallKey::from_id(&id))
    }

    fn slot(&self, key: CallKey) -> Option<&Slot<T>> {
        self.slots.get(key.slot()).filter(|slot| slot.key == key)
    }

    fn slot_mut(&mut self, key: CallKey) -> Option<&mut Slot<T>> {
        self.slots.get_mut(key.slot()).filter(|slot| slot.key == key)
    }
}

/// The owner of a notification of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// To this call.
    Call(CallKey),
    /// A call that has ended: the notification has to be dropped (2025-11-25, basic/utilities/progress:
    /// "Progress notifications MUST stop after completion").
    Late,
    /// No known call.
    Nobody,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn an_answer_and_progress_find_their_call_however_the_server_writes_its_number() {
        let parse = |text: String| Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        let mut calls = Calls::new(1);
        for written in ["65536", "131072.0", "1.96608e5", r#""262144""#] {
            let mut request = parse(
                r#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"_meta":{"progressToken":"p"}}}"#
                    .to_owned(),
            );
            let key = calls.open(0, &mut request, ()).unwrap();
            let mut progress = parse(format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{written},"progress":1}}}}"#
            ));
            assert_eq!(calls.owner(&mut progress), Owner::Call(key), "{written}");
            let mut answer = parse(format!(r#"{{"jsonrpc":"2.0","id":{written},"result":{{}}}}"#));
            assert_eq!(calls.answered(&mut answer), Some(key), "{written}");
            assert_eq!(answer.to_bytes(), r#"{"jsonrpc":"2.0","id":"a","result":{}}"#);
            calls.close(key);
        }
    }

    #[test]
    fn a_progress_token_that_was_put_in_is_rewritten_like_one_that_came() {
        let text = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"m","params":{}}"#);
        let mut request = Message::parse(text, &Limits::default()).unwrap();
        request.edit(crate::Part::Meta, &[], &[("progressToken", b"\"p\"")]).unwrap();
        let mut calls = Calls::new(1);
        let key = calls.open(0, &mut request, ()).unwrap();
        assert_eq!(request.reread().unwrap().progress_token(), Some(key.to_id()));
        let params = [br#"{"progressToken":"#, key.to_id().as_json(), br#","progress":1}"#].concat();
        let mut progress = Message::notification_of("notifications/progress", Some(&params)).unwrap();
        assert_eq!(calls.owner(&mut progress), Owner::Call(key));
        assert_eq!(progress.progress_token(), Some(RequestId::from("p")));
    }

    #[test]
    fn a_full_table_is_told_from_what_is_no_request() {
        let parse = |text: &'static str| Message::parse(Bytes::from(text), &Limits::default()).unwrap();
        let mut request = parse(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
        let mut notification = parse(r#"{"jsonrpc":"2.0","method":"m"}"#);
        let mut calls = Calls::new(1);
        assert_eq!(calls.open(0, &mut notification, ()), Err(NotOpened::NoRequest));
        calls.open(0, &mut request.clone(), ()).unwrap();
        assert_eq!(calls.open(0, &mut request, ()), Err(NotOpened::Full));
        assert_eq!(calls.open(0, &mut notification, ()), Err(NotOpened::NoRequest));
    }

    #[test]
    fn counts_start_over_without_giving_an_id_twice_in_a_row() {
        let mut calls = Calls::new(1);
        calls.count = COUNT_LIMIT - 3;
        let mut open = || {
            let text = Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
            let mut request = Message::parse(text, &Limits::default()).unwrap();
            let key = calls.open(0, &mut request, ()).unwrap();
            calls.close(key);
            key.0 >> SLOT_BITS
        };
        let counts = [(); 5].map(|()| open());
        assert_eq!(counts, [COUNT_LIMIT - 2, COUNT_LIMIT - 1, 1, 2, 3]);
    }
}
