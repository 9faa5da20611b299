//! Why a message can't be converted.

use crossway_proto::ParseError;
use crossway_service::Reason;

/// Why a message could not be handed between rmcp and a transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// rmcp's models could not be written as JSON.
    #[error("the message can't be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// The text that rmcp wrote is not a message.
    #[error("rmcp wrote something that is no message")]
    NotAMessage(#[source] ParseError),
    /// The transport took no more messages.
    #[error("the transport has ended: {0}")]
    Ended(Reason),
}
