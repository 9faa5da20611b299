//! The credentials that a caller's connections are opened with.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::SecretValue;

/// The credentials that one caller's connections to an upstream are opened with, in the extensions of a call. Clones share them.
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
            // The store has refused what can't be a header's value.
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        })
    }

    /// The members for the query of each request's URL, not encoded.
    pub fn query(&self) -> impl Iterator<Item = (&str, &SecretValue)> {
        self.0.query.iter().map(|(name, value)| (&**name, value))
    }

    /// The environment variables of a child.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &SecretValue)> {
        self.0.variables.iter().map(|(name, value)| (&**name, value))
    }

    /// A text that differs whenever the credentials differ, and reveals nothing about them. It is a part of the key of connections. Empty
    /// if nothing is supplied.
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
    /// Shows numbers alone: no value, and no version, which would show when a secret changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supplied")
            .field("headers", &self.0.headers.len())
            .field("query", &self.0.query.len())
            .field("variables", &self.0.variables.len())
            .finish_non_exhaustive()
    }
}
