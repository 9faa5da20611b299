//! Errors of supplying credentials.

use crossway_policy::config::Holder;
use crossway_policy::{CredentialMissing, MissingReason};
use crossway_proto::{ErrorCode, ErrorObject, Message, RequestId};
use crossway_service::{CallError, Reason, Reply};
use serde_json::json;

use super::SourceFailed;

/// Why a call has no credentials for its upstream. It is not sent then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSupplied {
    /// A required credential is missing.
    #[error(transparent)]
    Missing(#[from] CredentialMissing),
    /// A source does not work.
    #[error("a source of credentials does not work: {0}")]
    Failed(#[from] SourceFailed),
}

impl NotSupplied {
    /// The answer for the caller: what to do to get a credential, or when to try again. It never says where secrets come from.
    pub(super) fn to_reply(&self, id: &RequestId) -> Reply {
        let missing = match self {
            Self::Failed(failed) => {
                let why = match failed {
                    SourceFailed::TimedOut => "its credentials could not be had in time",
                    _ => "its credentials can't be had at the moment",
                };
                let reason = Reason::Unavailable(why.into());
                let again = crate::limits::SECRET_RETRY;
                return Reply::failed(CallError::not_sent(reason).with_retry_after(again));
            }
            Self::Missing(missing) => missing,
        };
        let what = match (missing.holder(), missing.reason()) {
            (Holder::User, MissingReason::NoSecret) => "needs a credential of yours",
            (Holder::Tenant | Holder::Shared, MissingReason::NoSecret | MissingReason::Unfit) => {
                "needs a credential that the gateway lacks"
            }
            _ => "needs a credential that can't be made for you",
        };
        let ask = missing.ask().unwrap_or("ask your administrator for it");
        let error = ErrorObject::new(ErrorCode::NOT_SENT, format!("{} {what}: {ask}", missing.upstream()));
        let error = error.with_data(&json!({ "outcome": "not sent", "credential": "missing" }));
        Reply::once(Message::error_of(Some(id), &error))
    }
}
