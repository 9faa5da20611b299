//! What makes a configuration of the identity edge unusable, or unwise.

use crate::identity::limits;

/// Why an identity edge can't be made of what the file says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A field is empty that must not be.
    #[error("identity.{0} is empty")]
    Empty(&'static str),
    /// A text can't name anybody.
    #[error("identity.{0} is too long, or has characters that nobody sees")]
    NotAName(&'static str),
    /// A number is over its bound.
    #[error("identity.{field} is over {at_most}")]
    TooMuch {
        /// The field.
        field: &'static str,
        /// The bound.
        at_most: u64,
    },
    /// A secret has characters that can't come as a bearer credential.
    #[error(
        "identity.{0} has characters that a bearer credential can't have: letters, digits and -._~+/ are possible"
    )]
    NotBearer(&'static str),
    /// Headers would be believed from everywhere.
    #[error(
        "identity.fence is open: list the networks that the headers come from, or the client certificates, besides the connection key"
    )]
    OpenFence,
    /// A name is no header's.
    #[error("identity.names: {0:?} is no header's name")]
    NotAHeader(String),
    /// A header has two meanings.
    #[error("identity.names: {0} has two meanings")]
    HeaderTwice(String),
    /// No header says who calls.
    #[error("identity.names: there has to be an id or an email")]
    NoSubject,
    /// Two API keys are the same.
    #[error("identity.keys[{0}] is a key that is there already")]
    KeyTwice(usize),
    /// An API key stands for nobody.
    #[error("identity.keys[{index}].{field} is empty, too long, or has characters that nobody sees")]
    KeyOfNobody {
        /// Which key.
        index: usize,
        /// The field.
        field: &'static str,
    },
}

/// What works, and is unwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityWarning {
    /// A secret is shorter than it should be.
    #[error("identity.{field} has {bytes} bytes; use {} random ones or more", limits::SECRET_BYTES)]
    ShortSecret {
        /// The field.
        field: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// A network lets everybody in.
    #[error("identity.fence.networks: {0} lets everybody in who has the connection key")]
    WideNetwork(String),
    /// Nothing proves who calls.
    #[error("identity.proof is none: everybody may do what is granted to anonymous")]
    NoProof,
}
