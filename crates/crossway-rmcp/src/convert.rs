//! Conversion between our messages and rmcp's.

use bytes::Bytes;
use crossway_proto::{ErrorCode, ErrorObject, Limits, Message, ParseError, RequestId};
use crossway_service::Reason;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a message could not be handed between rmcp and a transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// rmcp's models could not be written as JSON.
    #[error("the message can't be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// What rmcp wrote is no message.
    #[error("rmcp wrote something that is no message")]
    NotAMessage(#[source] ParseError),
    /// The transport took no more messages.
    #[error("the transport has ended: {0}")]
    Ended(Reason),
}

pub(crate) fn to_message(item: &impl Serialize) -> Result<Message, ConvertError> {
    let text = serde_json::to_vec(item).map_err(ConvertError::Encode)?;
    Message::parse(Bytes::from(text), &Limits::default()).map_err(ConvertError::NotAMessage)
}

pub(crate) fn from_message<T: DeserializeOwned>(message: &Message) -> Result<T, serde_json::Error> {
    serde_json::from_slice(&message.to_bytes())
}

/// The answer to a request that rmcp can't decode.
pub(crate) fn refusal(id: Option<&RequestId>) -> Option<Message> {
    let why = ErrorObject::new(ErrorCode::INVALID_PARAMS, "the request's parameters don't fit its method");
    Message::error_of(id, &why).ok()
}
