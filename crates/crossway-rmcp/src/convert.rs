//! Conversion between our messages and rmcp's.

use bytes::Bytes;
use crossway_proto::{ErrorCode, ErrorObject, Limits, Message, RequestId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ConvertError;

pub(crate) fn to_message(item: &impl Serialize) -> Result<Message, ConvertError> {
    let text = serde_json::to_vec(item).map_err(ConvertError::Encode)?;
    Message::parse(Bytes::from(text), &Limits::default()).map_err(ConvertError::NotAMessage)
}

pub(crate) fn from_message<T: DeserializeOwned>(message: &Message) -> Result<T, serde_json::Error> {
    serde_json::from_slice(&message.to_bytes())
}

/// The answer to a request that rmcp can't decode.
pub(crate) fn refusal(id: Option<&RequestId>) -> Message {
    let why = ErrorObject::new(ErrorCode::INVALID_PARAMS, "the request's parameters don't fit its method");
    Message::error_of(id, &why)
}
