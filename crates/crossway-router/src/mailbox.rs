//! A per-call mailbox: messages, cancellation and failure that arrive outside its reply stream.

use std::collections::VecDeque;
use std::task::Context;

use crossway_proto::Message;
use crossway_service::{CallError, WakerSlot};
use parking_lot::{Mutex, MutexGuard};

use crate::limits::MAIL;

/// A call's mailbox: messages for it, and whether it has ended.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Mail>);

#[derive(Default)]
struct Mail {
    end: Option<End>,
    is_closed: bool,
    messages: VecDeque<Message>,
    reader: WakerSlot,
}

/// Why a call ends before its answer.
#[derive(Clone)]
enum End {
    Cancelled,
    Failed(CallError),
}

/// The content of a call's mailbox.
pub(crate) enum Found {
    Nothing,
    /// It has ended: its client has cancelled it, or it has failed.
    Ended(Option<CallError>),
    Message(Box<Message>),
}

impl Mailbox {
    pub(crate) fn cancel(&self) {
        self.end(End::Cancelled);
    }

    /// Ends the call with an error, unless its client has cancelled it before.
    pub(crate) fn fail(&self, error: CallError) {
        self.end(End::Failed(error));
    }

    fn end(&self, end: End) {
        let mut mail = self.mail();
        mail.end.get_or_insert(end);
        mail.reader.wake();
    }

    pub(crate) fn deliver(&self, message: Message) {
        let _ = self.offer(message);
    }

    /// Delivers a message, or gives it back if the mailbox is closed.
    pub(crate) fn offer(&self, message: Message) -> Result<(), Box<Message>> {
        let mut mail = self.mail();
        if mail.is_closed {
            return Err(Box::new(message));
        }
        mail.messages.push_back(message);
        mail.reader.wake();
        Ok(())
    }

    /// Like `offer`, for a server's own messages: gives the message back also if too many are unread.
    pub(crate) fn tell(&self, message: Message) -> Result<(), Box<Message>> {
        if self.mail().messages.len() >= MAIL {
            return Err(Box::new(message));
        }
        self.offer(message)
    }

    /// Drops the unread messages.
    pub(crate) fn clear(&self) {
        self.mail().messages.clear();
    }

    /// Closes the mailbox for good. Returns the unread messages.
    pub(crate) fn close(&self) -> VecDeque<Message> {
        let mut mail = self.mail();
        mail.is_closed = true;
        std::mem::take(&mut mail.messages)
    }

    /// Takes the next entry. Wakes `cx` when something comes.
    pub(crate) fn look(&self, cx: &Context<'_>) -> Found {
        let mut mail = self.mail();
        mail.reader.register(cx.waker());
        match &mail.end {
            Some(End::Cancelled) => return Found::Ended(None),
            Some(End::Failed(error)) => return Found::Ended(Some(error.clone())),
            None => {}
        }
        mail.messages.pop_front().map_or(Found::Nothing, |message| Found::Message(Box::new(message)))
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.0.lock()
    }
}
