//! Denials and their reasons.

use std::fmt;

use crate::condition::ConditionError;
use crate::rule_ref::RuleRef;

/// The denial of a call. Its `Display` text is the same for every reason, so that callers learn nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied(Box<DenyReason>);

/// Why a call is denied. For operators, audit and explanations, never for callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DenyReason {
    /// No grant allows it.
    #[error("no grant allows it")]
    NoGrant,
    /// A grant denies it.
    #[error("{0} denies it")]
    DeniedBy(RuleRef),
    /// A grant would allow it, but its condition does not hold. Names the first such grant.
    #[error("the condition of {0} does not hold")]
    ConditionFalse(RuleRef),
    /// A condition gives no answer, and nothing else allows it.
    #[error("the condition of {0} gives no answer: {1}")]
    ConditionFailed(RuleRef, ConditionError),
    /// There is no such upstream.
    #[error("there is no such upstream")]
    NoUpstream,
    /// The caller is anonymous, and may call nothing.
    #[error("who proves nothing may call nothing")]
    Anonymous,
    /// The name is longer than [`limits::NAME_BYTES`](crate::limits::NAME_BYTES).
    #[error("the name is too long")]
    NameTooLong,
    /// The URI may be read as another one: no pattern with wildcards grants it, and no grant names it.
    #[error("the URI may be read as another one, and no grant names it without wildcards")]
    AmbiguousUri,
}

impl DenyReason {
    /// The reason as one word, for metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoGrant => "no_grant",
            Self::DeniedBy(_) => "denied_by_grant",
            Self::ConditionFalse(_) => "condition_false",
            Self::ConditionFailed(..) => "condition_failed",
            Self::NoUpstream => "no_upstream",
            Self::Anonymous => "anonymous",
            Self::NameTooLong => "name_too_long",
            Self::AmbiguousUri => "ambiguous_uri",
        }
    }
}

impl Denied {
    pub(crate) fn new(reason: DenyReason) -> Self {
        Self(Box::new(reason))
    }

    /// The reason, for operators.
    #[must_use]
    pub fn reason(&self) -> &DenyReason {
        &self.0
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such thing, or it is not granted")
    }
}

impl std::error::Error for Denied {}
