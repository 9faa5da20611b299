//! Errors and warnings of identity configuration.

use std::path::PathBuf;

use super::{JwksError, Said};
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
    /// Keys are to come from nowhere, or from two places.
    #[error("identity: say where the issuer's keys are, by one of jwks_file and jwks_url")]
    OneJwks,
    /// A URL is none that can be used here.
    #[error(
        "identity.jwks_url has to be an https URL, or an http one of this machine, without user and fragment"
    )]
    BadKeysUrl,
    /// A URL is not that of a server.
    #[error(
        "identity.resource is this server's URL without a path, as clients know it: https://gateway.example.com"
    )]
    BadResource,
    /// An authorization server is no URL.
    #[error("{0:?} is no URL of an authorization server; name some in identity.authorization_servers")]
    NotAServer(String),
    /// A scope has characters that none can have.
    #[error(
        "identity.scopes: {0:?} is no scope: it has to be one word, without quotation marks and backslashes"
    )]
    NotAScope(String),
    /// The file of keys can't be read.
    #[error("the keys in {} can't be read: {source}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of keys has none that can be used.
    #[error("the keys in {} can't be used: {source}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: JwksError,
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
    #[error(
        "identity.proof is none: everybody is anonymous, sees what is granted to anonymous, and can call nothing"
    )]
    NoProof,
    /// Clients are not told where to get a token.
    #[error(
        "without identity.resource clients are not told where to get a token, as MCP requires (RFC 9728): say this server's URL without a path, as clients know it, such as https://gateway.example.com"
    )]
    NoResource,
    /// A rule asks for what no token's caller has.
    #[error("nobody has the claim {0:?}: tokens say it, and identity.claims.keep does not name it")]
    ClaimNotKept(String),
    /// A rule asks for what the proof does not say of anybody.
    #[error(
        "nobody has {what}: the proof {proof} says none, as it is configured, and so this is about nobody"
    )]
    NotSaid {
        /// What is asked for.
        what: Said,
        /// The proof, as the config calls it.
        proof: &'static str,
    },
    /// Client certificates count that nobody verifies.
    #[error(
        "nobody can come by a client certificate: there is no `tls` with a `client_ca`, which verifies them"
    )]
    NoClientCa,
}
