//! The credentials that a caller's connections are opened with.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::SecretValue;

/// What one caller's connections to an upstream are made with; in the extensions of a call. Clones share it.
#[derive(Clone, Default)]
pub struct Supplied(Arc<Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub(super) headers: Vec<(HeaderName, SecretValue)>,
    pub(super) query: Vec<(Arc<str>, SecretValue)>,
    pub(super) variables: Vec<(Arc<str>, SecretValue)>,
    pub(super) version: String,
}

impl Inner {
    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.query.is_empty() && self.variables.is_empty()
    }
}

impl Supplied {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The headers of each request, marked as sensitive.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, HeaderValue)> {
        self.0.headers.iter().filter_map(|(name, value)| {
            // What can't be one was refused when it was made.
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        })
    }

    /// The members of the query of each request's URL, not encoded.
    pub fn query(&self) -> impl Iterator<Item = (&str, &SecretValue)> {
        self.0.query.iter().map(|(name, value)| (&**name, value))
    }

    /// The environment variables of a child.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &SecretValue)> {
        self.0.variables.iter().map(|(name, value)| (&**name, value))
    }

    /// Another text whenever what is supplied is another; it says nothing about it. A part of the key under which connections are
    /// kept. Empty if nothing is supplied.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Whether nothing is supplied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Supplied {
    /// Names at most: no value, and no version, which tells when a secret is another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supplied")
            .field("headers", &self.0.headers.len())
            .field("query", &self.0.query.len())
            .field("variables", &self.0.variables.len())
            .finish_non_exhaustive()
    }
}
