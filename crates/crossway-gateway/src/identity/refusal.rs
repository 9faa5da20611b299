//! Why a request is refused: operators see the reason, callers do not.

use http::{HeaderName, StatusCode};

/// Why a request is refused.
///
/// [`message`](Self::message) is for the caller and says what to do next; [`reason`](Self::reason) is for operators.
/// Neither contains anything that was sent, except names of headers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The proof is missing.
    #[error("there is no proof of who calls")]
    Missing(Credential),
    /// The proof is invalid.
    #[error("the {0} is not accepted: {1}")]
    NotAccepted(Credential, Flaw),
    /// An identity header is there more than once.
    #[error("the header {0} is there more than once")]
    Twice(HeaderName),
    /// Two headers have a credential each.
    #[error("the headers {0} and {1} both have a credential")]
    Both(HeaderName, HeaderName),
    /// An identity header is empty, or has invalid characters.
    #[error("the header {0} is malformed")]
    Malformed(HeaderName),
    /// The header with the subject is missing, but there are others about the user.
    #[error("the header {0} is missing beside others about the user")]
    Incomplete(HeaderName),
    /// An identity header is too long.
    #[error("the header {0} is too long")]
    TooLong(HeaderName),
    /// A header's name equals an identity header's except for underscores in place of hyphens.
    #[error("the header {0} can be mistaken for one that says who calls")]
    LookAlike(HeaderName),
    /// A header belongs to another proof than the configured one.
    #[error("the header {0} belongs to another proof than the configured one")]
    Foreign(HeaderName),
    /// The fence does not trust headers on this connection.
    #[error("the connection is outside of the fence")]
    OutsideTheFence,
    /// The token is valid, but lacks a required scope.
    #[error("the access token lacks a scope")]
    LacksScope,
    /// No keys of the authorization server were read yet, so that no token can be checked.
    #[error("the authorization server's keys are not known yet")]
    NoKeys,
}

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credential {
    /// The key of the connection from Open WebUI.
    ConnectionKey,
    /// Open WebUI's signed statement about its user.
    Statement,
    /// Plain headers about a user.
    Headers,
    /// A key that stands for the caller.
    ApiKey,
    /// An access token of an authorization server.
    Token,
}

impl std::fmt::Display for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ConnectionKey => "connection key",
            Self::Statement => "signed statement about the user",
            Self::Headers => "headers about the user",
            Self::ApiKey => "API key",
            Self::Token => "access token",
        })
    }
}

/// Why a proof is invalid. For operators: callers are told nothing of it, except that a token has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// `Authorization` has no bearer credential.
    #[error("it is no bearer credential")]
    NotBearer,
    /// The key is not among the configured ones.
    #[error("it is not known")]
    Unknown,
    /// The credential is not a JWT of an accepted type.
    #[error("it is no JWT")]
    NotAToken,
    /// The token's algorithm is not among the configured ones, or not the key's.
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// The issuer has no key with the token's key id for this algorithm.
    #[error("its key is not known")]
    UnknownKey,
    /// The token's signature does not verify.
    #[error("its signature does not verify")]
    Signature,
    /// The token has another issuer.
    #[error("its issuer is another one")]
    Issuer,
    /// The token is for another audience.
    #[error("it is for another audience")]
    Audience,
    /// The token has expired.
    #[error("it has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("it is not valid yet")]
    NotYetValid,
    /// A required claim is absent, or a claim is malformed.
    #[error("a claim is absent or malformed")]
    Claim,
}

impl Refusal {
    /// Whether newer keys of the authorization server might be enough to accept the request.
    pub(super) fn is_of_missing_keys(&self) -> bool {
        matches!(self, Self::NoKeys | Self::NotAccepted(Credential::Token, Flaw::UnknownKey))
    }

    /// The HTTP status to answer with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_) | Self::NotAccepted(..) => StatusCode::UNAUTHORIZED,
            Self::Twice(_)
            | Self::Both(..)
            | Self::Malformed(_)
            | Self::Incomplete(_)
            | Self::LookAlike(_) => StatusCode::BAD_REQUEST,
            Self::TooLong(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Foreign(_) | Self::OutsideTheFence | Self::LacksScope => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A word for metrics and logs, from a fixed list.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::NotAccepted(_, flaw) => match flaw {
                Flaw::NotBearer => "not_bearer",
                Flaw::Unknown => "unknown",
                Flaw::NotAToken => "not_a_token",
                Flaw::Algorithm => "algorithm",
                Flaw::UnknownKey => "unknown_key",
                Flaw::Signature => "signature",
                Flaw::Issuer => "issuer",
                Flaw::Audience => "audience",
                Flaw::Expired => "expired",
                Flaw::NotYetValid => "not_yet_valid",
                Flaw::Claim => "claim",
            },
            Self::Twice(_) => "twice",
            Self::Both(..) => "both",
            Self::Malformed(_) => "malformed",
            Self::Incomplete(_) => "incomplete",
            Self::TooLong(_) => "too_long",
            Self::LookAlike(_) => "look_alike",
            Self::Foreign(_) => "foreign",
            Self::OutsideTheFence => "outside_the_fence",
            Self::LacksScope => "lacks_scope",
            Self::NoKeys => "no_keys",
        }
    }

    /// The message for the caller, which says what to do next.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Missing(credential) => credential.how_to_send().to_owned(),
            // The expiry is told only after the signature was verified.
            Self::NotAccepted(credential, Flaw::Expired) => {
                format!("the {credential} has expired; get a new one and try again")
            }
            Self::NotAccepted(credential, _) => {
                format!("the {credential} is not accepted here; {}", credential.how_to_send())
            }
            Self::Twice(name) => format!("the header {name} is there more than once; send it once"),
            Self::Both(one, other) => {
                format!("the headers {one} and {other} both say who calls; send one of them")
            }
            Self::Malformed(name) => {
                format!(
                    "the header {name} is empty or has characters that it can't have; send it well-formed or not at all"
                )
            }
            Self::Incomplete(name) => {
                format!(
                    "the header {name} is missing beside others about the user; send it, or have the gateway's operator say `id: null` in `identity.names` if the e-mail address says who calls"
                )
            }
            Self::TooLong(name) => format!("the header {name} is too long; send a shorter value"),
            Self::LookAlike(name) => {
                format!(
                    "the header {name} is written with underscores; leave it out, or write it with hyphens"
                )
            }
            Self::Foreign(name) => format!("the header {name} is not taken here; leave it out"),
            Self::OutsideTheFence => {
                "headers about a user are not taken from here; ask the gateway's operator".to_owned()
            }
            Self::LacksScope => {
                "the access token lacks a scope that is needed here; get one with all that WWW-Authenticate names".to_owned()
            }
            Self::NoKeys => "access tokens can't be checked at the moment; try again later".to_owned(),
        }
    }
}

impl Credential {
    fn how_to_send(self) -> &'static str {
        match self {
            Self::ConnectionKey => "send the connection's key, as Authorization: Bearer KEY",
            Self::Statement => {
                "have Open WebUI sign who calls: set FORWARD_USER_INFO_HEADER_JWT_SECRET to the secret that this server has"
            }
            Self::Headers => "have Open WebUI say who calls: set ENABLE_FORWARD_USER_INFO_HEADERS to true",
            Self::ApiKey => "send your API key, as Authorization: Bearer KEY",
            Self::Token => "get an access token for this server, and send it as Authorization: Bearer TOKEN",
        }
    }
}
