//! Credentials of upstreams for a caller: the only place where a secret is read.
//!
//! The policy says which credentials are sent and where their secrets are (`crossway_policy::Credential`), but never reads a secret. This
//! layer stands last, reads the secrets, and puts a [`Supplied`] into the call's extensions. The upstream opens a connection of its own
//! for each [version](Supplied::version) of that, so calls with a changed secret never use an old connection.
//!
//! | source | is read again |
//! |---|---|
//! | an environment variable | never: it can't change |
//! | a file, or a user's file in a directory | when it has changed, which is checked once a second |
//! | a command's output | after the time that the policy says; a command that takes too long is killed, on Unix with its process group |
//! | an HTTP broker's answer, in the shape of Vault's key-value store, version 2 | the same |
//! | a [`NamedSource`] of this program | after the time that it says |
//!
//! A caller without a secret is told how to get one, in the operator's words, and never gets another's. If a source does not work, the
//! call is not sent either, but may be tried again.
//!
//! No value is in `Debug`, in `Display`, in an error or in a log. The values that are kept here are overwritten when they are dropped.
//! Copies that are made on the way are not: filled-in templates, the HTTP client's headers, which are marked as sensitive, and its buffers
//! of a broker's answer.

#[cfg(feature = "broker")]
mod broker;
mod error;
mod layer;
mod plan;
mod source;
mod store;
mod supplied;

#[cfg(test)]
mod tests;

#[cfg(feature = "broker")]
pub use crossway_dial::{BadProxy, Proxies};
pub use error::NotSupplied;
pub use layer::{CredentialsLayer, Plans};
pub use plan::Plan;
pub use source::{Found, NamedSource, SecretValue, SourceFailed};
pub use store::SecretStore;
pub use supplied::Supplied;
