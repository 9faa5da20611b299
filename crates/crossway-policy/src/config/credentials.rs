//! Config types of credentials.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::TenantName;

/// What is sent to an upstream, for whom, and where it is taken from. One of `header`, `bearer`, `basic`, `query` and
/// `env` says where it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CredentialRule {
    /// The upstream that it is sent to.
    pub upstream: String,
    /// Whose it is: each user's own, a tenant's, or everybody's.
    #[serde(rename = "for")]
    pub holder: Holder,
    /// Calls of this tenant alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Goes into this header, as `value` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Goes into `Authorization` as a bearer token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bearer: bool,
    /// Goes into `Authorization` as a password of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// Goes into the query of each request's URL, as the member of this name, as `value` says. What is in URLs is in the logs of those
    /// who serve them: take a header where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Goes into this environment variable of the child, as `value` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The text that is sent, `{secret}` when nothing is said: a template over `{secret}`, `{user.email}`, `{user.subject}`,
    /// `{user.issuer}`, `{user.name}`, `{user.claims.NAME}` and `{tenant}`. `{{` and `}}` are braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the secret is taken from. Not needed if the text has no secret in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Source>,
    /// Whether calls fail without it, which they do by default. It never falls back to another's.
    #[serde(default = "yes")]
    pub required: bool,
    /// What users are told who have none: what to do to get one.
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

/// Where a secret is taken from.
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
    /// What a command prints.
    Command(CommandSource),
    /// What an HTTP service answers, in the shape of Vault's key-value store, version 2.
    Broker(Broker),
    /// A source of this name, which the program that embeds the gateway provides.
    Named(String),
}

/// A directory that has a file for each user: its path alone, or with what the files are named by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DirectorySource {
    /// The path. Files are named by e-mail address.
    Path(String),
    /// The path, and what files are named by.
    Named(NamedDirectory),
}

/// A directory that has a file for each user, and what the files are named by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NamedDirectory {
    /// The path. May have `{tenant}` in it.
    pub path: String,
    /// What files are named by.
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

/// What users' files are named by.
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
    /// The program. Never a shell.
    pub program: String,
    /// Its arguments, templates such as `{user.subject}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// How long it may take, in seconds: 10 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How long what it printed holds, in seconds: 60 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u32>,
}

/// An HTTP service that hands out secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// The URL, a template such as `https://vault/v1/secret/data/mcp/{user.subject}`. What is put in is percent-encoded.
    pub url: String,
    /// Which field of `data.data` is the secret.
    pub field: String,
    /// The token that the service asks for, sent as `X-Vault-Token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenSource>,
    /// How long it may take, in seconds: 4 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How long an answer holds, in seconds: 60 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u32>,
}

/// Where the gateway's own token for a broker is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenSource {
    /// An environment variable of the gateway.
    Env(String),
    /// A file.
    File(String),
}
