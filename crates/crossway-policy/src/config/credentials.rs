//! Config types of credentials.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::TenantName;

/// A credential for an upstream, for whom it is, and where it comes from. One of `header`, `bearer`, `basic`,
/// `query` and `env` says how it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CredentialRule {
    /// The upstream that gets it.
    pub upstream: String,
    /// Whose it is: each user's own, a tenant's, or everybody's.
    #[serde(rename = "for")]
    pub holder: Holder,
    /// Only for calls of this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// The header that it is sent in, as `value` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Whether it is sent in `Authorization`, as bearer token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bearer: bool,
    /// It is sent in `Authorization`, as the password of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// The member of the query in each request's URL that it is sent in, as `value` says. Servers log URLs,
    /// so prefer a header where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The environment variable of the child that it is sent in, as `value` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The text that is sent; by default, `{secret}`. A template with `{secret}`, `{user.email}`,
    /// `{user.subject}`, `{user.issuer}`, `{user.name}`, `{user.claims.NAME}` and `{tenant}`. `{{` and `}}`
    /// are braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the secret comes from. Not needed if `value` has no `{secret}` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Source>,
    /// Whether calls fail without it, as they do by default. No other credential replaces it.
    #[serde(default = "yes")]
    pub required: bool,
    /// What users without one are told: how to get one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
}

fn yes() -> bool {
    true
}

/// Whose a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// Everybody's, of any tenant.
    Shared,
    /// A tenant's.
    Tenant,
    /// Each user's own.
    User,
}

/// A user name whose password is the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user name, a template such as `{user.email}`.
    pub user: String,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// An environment variable of the gateway.
    Env(String),
    /// A file, read again when it changes. A line break at its end is not part of the secret. May have `{tenant}` in it.
    File(String),
    /// A directory that has a file for each user.
    Directory(DirectorySource),
    /// The output of a command.
    Command(CommandSource),
    /// The answer of an HTTP service, in the form of Vault's key-value store, version 2.
    Broker(Broker),
    /// A source with this name that the program provides in which the gateway is embedded.
    Named(String),
}

/// A directory with a file for each user: its path alone, or the path and how the files are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DirectorySource {
    /// The path. Files are named by e-mail address.
    Path(String),
    /// The path, and how the files are named.
    Named(NamedDirectory),
}

/// A directory with a file for each user, and how the files are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NamedDirectory {
    /// The path. May have `{tenant}` in it.
    pub path: String,
    /// How the files are named.
    pub by: FileBy,
}

impl<'de> Deserialize<'de> for DirectorySource {
    /// By what stands there, so that what is wrong with a map is told of the map.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrMap;
        impl<'de> Visitor<'de> for PathOrMap {
            type Value = DirectorySource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a map of path and by")
            }

            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<DirectorySource, E> {
                Ok(DirectorySource::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DirectorySource, A::Error> {
                NamedDirectory::deserialize(MapAccessDeserializer::new(map)).map(DirectorySource::Named)
            }
        }
        deserializer.deserialize_any(PathOrMap)
    }
}

impl DirectorySource {
    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Path(path) | Self::Named(NamedDirectory { path, .. }) => path,
        }
    }

    /// What files are named by.
    #[must_use]
    pub fn by(&self) -> FileBy {
        match self {
            Self::Path(_) => FileBy::Email,
            Self::Named(named) => named.by,
        }
    }
}

/// How users' files are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FileBy {
    /// The e-mail address: `alice_40acme.example`.
    Email,
    /// Issuer and subject: `https_3a_2f_2flogin.example__alice`.
    Subject,
}

/// A command that prints a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CommandSource {
    /// The program. It is not run by a shell.
    pub program: String,
    /// Its arguments, templates such as `{user.subject}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// How long it may take, in seconds: 10 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How long its output is used, in seconds: 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u32>,
}

/// An HTTP service that hands out secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// The URL, a template such as `https://vault/v1/secret/data/mcp/{user.subject}`. Inserted values are
    /// percent-encoded.
    pub url: String,
    /// The field of `data.data` that is the secret.
    pub field: String,
    /// The token for the service, sent as `X-Vault-Token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenSource>,
    /// How long it may take, in seconds: 4 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How long an answer is used, in seconds: 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u32>,
}

/// Where the gateway's own token for a broker comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenSource {
    /// An environment variable of the gateway.
    Env(String),
    /// A file.
    File(String),
}
