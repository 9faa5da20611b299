//! The one `subscriptions/listen` behind a legacy client's standing stream.

use crossway_proto::{Kind, Message, Part};

use crate::keys;

/// What to do after a message on the subscription stream.
// Exhaustive on purpose: whoever drives the machine has to carry out each of these, so one that is new must not compile unnoticed.
#[derive(Debug)]
pub enum ListenEvent {
    /// Send this to the client.
    Pass(Message),
    /// The server has accepted the subscription: an earlier one can be closed.
    Acknowledged,
    /// The message is not for the client.
    Nothing,
    /// The stream has ended; open a new one.
    Ended,
}

/// Reads the stream of `subscriptions/listen` for a legacy client.
#[derive(Debug, Default)]
pub struct Listening {
    is_acknowledged: bool,
}

impl Listening {
    /// A stream that was just requested.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the server has accepted the subscription.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }

    /// Handles a message of the stream.
    pub fn handle_message(&mut self, mut message: Message) -> ListenEvent {
        match message.kind() {
            Kind::Result | Kind::Error => ListenEvent::Ended,
            Kind::Request => ListenEvent::Nothing,
            // "A server MUST send `notifications/cancelled` referencing a `subscriptions/listen` request ID when it tears
            // down that subscription stream" (2026-07-28, basic/patterns/cancellation), and for no other purpose.
            Kind::Notification if message.is_method("notifications/cancelled") => ListenEvent::Ended,
            Kind::Notification if message.is_method("notifications/subscriptions/acknowledged") => {
                self.is_acknowledged = true;
                ListenEvent::Acknowledged
            }
            Kind::Notification => {
                let only_id = message.members(Part::Meta).count() == 1;
                if message.subscription_id().is_some() {
                    let (part, member) =
                        if only_id { (Part::Params, "_meta") } else { (Part::Meta, keys::SUBSCRIPTION_ID) };
                    let _ = message.edit(part, &[member], &[]);
                }
                ListenEvent::Pass(message)
            }
        }
    }
}
