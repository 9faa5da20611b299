//! Config types of access tokens.

use std::path::PathBuf;

use jsonwebtoken::Algorithm;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::identity::limits;
use crate::identity::text::text_or_none;

/// An access token of an authorization server, sent as bearer token (RFC 6750), in the form of a JWT (RFC
/// 9068).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// The issuer, which the claim `iss` has to equal byte for byte.
    pub issuer: String,
    /// The audiences of tokens: the claim `aud` has to have one of these, byte for byte. With servers that
    /// know resource indicators (RFC 8707), it is the URL that clients call, such as
    /// `https://gateway.example.com/mcp`.
    pub audience: Vec<String>,
    /// The file with the issuer's keys (a JWK set, RFC 7517), which is read again when it changes. Either this or `jwks_url`.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// The URL of the issuer's keys: `https`, or `http` on this machine. Redirects are not followed.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// The algorithms that are accepted. Only those with public keys can be.
    #[serde(default = "JwtAlgorithm::usual")]
    pub algorithms: Vec<JwtAlgorithm>,
    /// The claims that describe the caller.
    #[serde(default)]
    pub claims: ClaimNames,
    /// How much clocks may differ, in seconds: 60 by default, 600 at most.
    #[serde(default = "leeway")]
    pub leeway_seconds: u64,
    /// This server's URL as clients know it, without a path: `https://gateway.example.com`. With it, clients
    /// are told where to get a token (RFC 9728).
    #[serde(default)]
    pub resource: Option<String>,
    /// The authorization servers that clients are told of; by default, the issuer.
    #[serde(default)]
    pub authorization_servers: Vec<String>,
    /// The scopes that a token needs, all of them (in its claim `scope` or `scp`). Clients are told to
    /// request them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether requests without a token are let in as anonymous instead of being told to get one.
    #[serde(default)]
    pub anonymous: bool,
}

/// An algorithm by which tokens are signed (RFC 7518, section 3.1; RFC 8037). None of them has a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// RSA PKCS #1 1.5 with SHA-256.
    RS256,
    /// RSA PKCS #1 1.5 with SHA-384.
    RS384,
    /// RSA PKCS #1 1.5 with SHA-512.
    RS512,
    /// RSA PSS with SHA-256.
    PS256,
    /// RSA PSS with SHA-384.
    PS384,
    /// RSA PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

impl JwtAlgorithm {
    /// The default: the algorithms that authorization servers usually use.
    fn usual() -> Vec<Self> {
        vec![Self::RS256, Self::PS256, Self::ES256, Self::EdDSA]
    }

    /// Converts to the verifier's type.
    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

/// The claims that describe the caller: the name of a claim, or a JSON pointer (`/realm_access/roles`, RFC
/// 6901) into one. `null`: none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimNames {
    /// The subject: `sub` by default. It has to be a claim that users can't choose.
    pub subject: String,
    /// The e-mail address: `email`. It is ignored where the claim `email_verified` is there and is not true.
    #[serde(deserialize_with = "text_or_none")]
    pub email: Option<String>,
    /// The name for people: `name`.
    #[serde(deserialize_with = "text_or_none")]
    pub name: Option<String>,
    /// The groups: `groups`, a text or a list of texts.
    #[serde(deserialize_with = "text_or_none")]
    pub groups: Option<String>,
    /// The roles: `roles`, a text or a list of texts.
    #[serde(deserialize_with = "text_or_none")]
    pub roles: Option<String>,
    /// Further claims that rules can use, by their names at the top of a token. By default, none.
    pub keep: Vec<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            email: Some("email".to_owned()),
            name: Some("name".to_owned()),
            groups: Some("groups".to_owned()),
            roles: Some("roles".to_owned()),
            keep: Vec::new(),
        }
    }
}

fn leeway() -> u64 {
    limits::LEEWAY.as_secs()
}
