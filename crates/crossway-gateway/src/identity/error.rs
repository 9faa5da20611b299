//! Errors and warnings of identity configuration.

use std::path::PathBuf;

use super::{JwksError, Said};
use crate::identity::limits;

/// Why an [`Identity`](super::Identity) can't be created from the config.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A required field is empty.
    #[error("identity.{0} is empty")]
    Empty(&'static str),
    /// A text can't be a name.
    #[error("identity.{0} is too long, or has characters that nobody sees")]
    NotAName(&'static str),
    /// A number or a length is over its bound.
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
    /// The fence names neither networks nor client certificates, so that headers would be trusted from everywhere.
    #[error(
        "identity.fence is open: list the networks that the headers come from, or the client certificates, besides the connection key"
    )]
    OpenFence,
    /// A name can't be a header's name.
    #[error("identity.names: {0:?} is no header's name")]
    NotAHeader(String),
    /// A header's name is configured for two meanings.
    #[error("identity.names: {0} has two meanings")]
    HeaderTwice(String),
    /// No header is configured for the subject: neither `id` nor `email`.
    #[error("identity.names: there has to be an id or an email")]
    NoSubject,
    /// Two API keys are the same.
    #[error("identity.keys[{0}] is a key that is there already")]
    KeyTwice(usize),
    /// An API key has a field that can't be a name or an e-mail address.
    #[error("identity.keys[{index}].{field} is empty, too long, or has characters that nobody sees")]
    KeyOfNobody {
        /// The index of the key.
        index: usize,
        /// The field.
        field: &'static str,
    },
    /// Neither or both of `jwks_file` and `jwks_url` are configured.
    #[error("identity: say where the issuer's keys are, by one of jwks_file and jwks_url")]
    OneJwks,
    /// `jwks_url` is not an `https` URL or an `http` URL of this machine, or has a user or a fragment.
    #[error(
        "identity.jwks_url has to be an https URL, or an http one of this machine, without user and fragment"
    )]
    BadKeysUrl,
    /// `resource` is not a server's URL without a path.
    #[error(
        "identity.resource is this server's URL without a path, as clients know it: https://gateway.example.com"
    )]
    BadResource,
    /// The name of an authorization server is not a URL.
    #[error("{0:?} is no URL of an authorization server; name some in identity.authorization_servers")]
    NotAServer(String),
    /// A scope has characters that scopes can't have.
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
    /// The file of keys has no usable key.
    #[error("the keys in {} can't be used: {source}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: JwksError,
    },
}

/// A problem with a config that works, but is unwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityWarning {
    /// A secret is shorter than it should be.
    #[error("identity.{field} has {bytes} bytes; use {} random ones or more", limits::SECRET_BYTES)]
    ShortSecret {
        /// The field.
        field: &'static str,
        /// The length of the secret.
        bytes: usize,
    },
    /// A network of the fence contains all addresses.
    #[error("identity.fence.networks: {0} lets everybody in who has the connection key")]
    WideNetwork(String),
    /// The proof is `none`, so that all callers are anonymous.
    #[error(
        "identity.proof is none: everybody is anonymous, sees what is granted to anonymous, and can call nothing"
    )]
    NoProof,
    /// Clients are not told where to get a token.
    #[error(
        "without identity.resource clients are not told where to get a token, as MCP requires (RFC 9728): say this server's URL without a path, as clients know it, such as https://gateway.example.com"
    )]
    NoResource,
    /// A rule tests a claim that is not kept from tokens.
    #[error("nobody has the claim {0:?}: tokens say it, and identity.claims.keep does not name it")]
    ClaimNotKept(String),
    /// A rule tests an attribute that the configured proof never provides.
    #[error(
        "nobody has {what}: the proof {proof} says none, as it is configured, and so this is about nobody"
    )]
    NotSaid {
        /// The attribute.
        what: Said,
        /// The proof, as the config calls it.
        proof: &'static str,
    },
    /// The fence lists client certificates, but TLS verifies none.
    #[error(
        "nobody can come by a client certificate: there is no `tls` with a `client_ca`, which verifies them"
    )]
    NoClientCa,
}
