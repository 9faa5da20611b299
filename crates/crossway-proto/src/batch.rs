//! Batches: arrays of messages, which revision 2025-03-26 alone allows.

use bytes::Bytes;

use crate::message::without_bom;
use crate::{Limits, Message, ParseError, scan};

/// What a text holds: one message or, in revision 2025-03-26, several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A single message.
    One(Message),
    /// The messages of a batch, in their order; never empty.
    Batch(Vec<Message>),
}

impl Incoming {
    /// Reads a message or a batch. The messages of a batch share its bytes.
    ///
    /// Whether a batch is allowed is the caller's to decide ([`Revision::allows_batches`](crate::Revision)).
    ///
    /// # Errors
    ///
    /// As [`Message::parse`]; also when a batch is empty or has too many messages.
    pub fn parse(text: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        let text = without_bom(text);
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
            return Message::parse_bare(text, limits).map(Self::One);
        }
        let elements = scan::elements(&text, limits)?;
        if elements.is_empty() {
            return Err(ParseError::NotJsonRpc { what: "a batch is empty" });
        }
        elements
            .into_iter()
            .map(|element| Message::parse_bare(text.slice(element), limits))
            .collect::<Result<_, _>>()
            .map(Self::Batch)
    }
}
