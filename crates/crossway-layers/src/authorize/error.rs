//! Denials, as callers see them.

use crossway_policy::Kind;
use crossway_proto::{ErrorCode, ErrorObject, Message};
use crossway_service::Reply;

use crate::stage::short;

/// Why a call is not permitted. The text is the one that servers use for items that do not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPermitted {
    /// An item of this kind and name.
    #[error("Unknown {0}: {1}")]
    Thing(Kind, String),
    /// A method that is unknown here.
    #[error("there is no such method")]
    Method,
    /// Some servers would take a member of the message for another one; see
    /// [`Message::has_lookalikes`](crossway_proto::Message::has_lookalikes).
    #[error(
        "a member of the request has the name of one that the protocol knows in another case: names of members are case-sensitive, leave it out"
    )]
    Lookalike,
}

impl NotPermitted {
    pub(super) fn thing(kind: Kind, name: &str) -> Self {
        Self::Thing(kind, short(name).to_owned())
    }

    pub(super) fn to_reply(&self, request: &Message) -> Reply {
        let code = match self {
            Self::Thing(..) => ErrorCode::INVALID_PARAMS,
            Self::Method => ErrorCode::METHOD_NOT_FOUND,
            Self::Lookalike => ErrorCode::INVALID_REQUEST,
        };
        let error = ErrorObject::new(code, self.to_string());
        Reply::once(Message::error_of(request.id().as_ref(), &error))
    }
}
