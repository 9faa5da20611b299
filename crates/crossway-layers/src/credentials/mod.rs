//! Credentials of upstreams for a caller: the only place where a secret is read.
//!
//! The policy says what goes where and where its secret is taken from (`crossway_policy::Credential`), and never what it is. This
//! layer stands last, reads it, and puts a [`Supplied`] into the call's extensions: for whoever connects to the upstream, who makes
//! a connection of its own for each [version](Supplied::version), so that a secret that was changed never meets an old connection.
//!
//! | source | is read again |
//! |---|---|
//! | an environment variable | never: it can't change |
//! | a file, or a user's in a directory | when it has changed, which is looked for once a second |
//! | a command's output | when it has been kept as long as the policy says; a command that takes too long is killed, on Unix with its process group |
//! | an HTTP broker's answer, in the shape of Vault's key-value store, version 2 | the same |
//! | a [`NamedSource`] of this program | as long as it says |
//!
//! Whoever has no secret is answered what to do to get one, in the operator's words, and never falls back to another's. A source
//! that does not work is another thing: the call is not sent, and may be tried again.
//!
//! No value is in `Debug`, in `Display`, in an error or in a log. What is kept of one here is overwritten when it is gone; copies that
//! are made on the way are not: of templates that are filled in, and what the HTTP client makes of a header, which is marked as
//! sensitive, and holds of a broker's answer.

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
