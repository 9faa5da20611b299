//! Headers and query parameters that every request carries for its caller.

use std::fmt;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::secrets::Secrets;

/// Headers and query parameters that every request carries: an API's keys and tokens. `Debug` does not show them.
///
/// ```
/// use crossway_openapi::Attached;
///
/// let attached = Attached::new().header("Authorization", "Bearer s3cr3t")?.query("key", "s3cr3t");
/// assert!(!format!("{attached:?}").contains("s3cr3t"));
/// # Ok::<(), crossway_openapi::BadCredential>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attached {
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<(String, String)>,
}

/// A header that can't be attached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCredential {
    /// The name is not a valid header name.
    #[error("{0:?} can't be the name of a header")]
    Name(String),
    /// The value has characters that a header can't have.
    #[error("the value of the header {0} has characters that can't stand in a header")]
    Value(HeaderName),
    /// The header is part of the connection or describes the body, and can't be set.
    #[error("the header {0} is not one that can be set")]
    Reserved(HeaderName),
}

impl Attached {
    /// Without headers and query parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header, in place of one with the same name.
    ///
    /// # Errors
    ///
    /// When the name or value is invalid, or HTTP itself needs the header.
    pub fn header(self, name: &str, value: &str) -> Result<Self, BadCredential> {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| BadCredential::Name(name.to_owned()))?;
        let value = HeaderValue::from_str(value).map_err(|_| BadCredential::Value(name.clone()))?;
        self.header_value(name, value)
    }

    /// Adds a header that is already parsed, in place of one with the same name.
    ///
    /// # Errors
    ///
    /// When HTTP itself needs the header.
    pub fn header_value(mut self, name: HeaderName, mut value: HeaderValue) -> Result<Self, BadCredential> {
        if is_framing(&name) {
            return Err(BadCredential::Reserved(name));
        }
        value.set_sensitive(true);
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        Ok(self)
    }

    /// Adds a query parameter, in place of one with the same name. The value is percent-encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.retain(|(known, _)| known != name);
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether a query parameter of this name is attached. Ignores case: to many servers `Token` is `token`.
    #[cfg(feature = "rest")]
    pub(crate) fn has_query(&self, name: &str) -> bool {
        self.query.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Whether a cookie of this name is attached, in a header `Cookie`. Ignores case, as for the query.
    #[cfg(feature = "rest")]
    pub(crate) fn has_cookie(&self, name: &str) -> bool {
        let cookies = self.headers.iter().filter(|(of, _)| *of == header::COOKIE);
        let mut pairs = cookies.flat_map(|(_, cookies)| cookies.as_bytes().split(|byte| *byte == b';'));
        pairs.any(|pair| {
            let of = pair.split(|byte| *byte == b'=').next();
            of.is_some_and(|of| of.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        })
    }

    /// What of this may not come back in an error.
    pub(super) fn secrets(&self) -> Secrets {
        Secrets::of(&self.headers, self.query.iter().map(|(_, value)| value.as_str()))
    }

    pub(crate) fn put_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }

    /// Returns a URL with the attached query parameters.
    #[cfg(feature = "webhook")]
    pub(crate) fn at(&self, url: &http::Uri) -> http::Uri {
        if self.query.is_empty() {
            return url.clone();
        }
        let Ok(mut whole) = url::Url::parse(&url.to_string()) else { return url.clone() };
        whole.query_pairs_mut().extend_pairs(&self.query);
        whole.as_str().parse().unwrap_or_else(|_| url.clone())
    }

    #[cfg(feature = "rest")]
    pub(crate) fn query_members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Whether HTTP itself needs a header, so that it can't be set from outside.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    const FRAMING: [HeaderName; 11] = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
        header::ACCEPT_ENCODING,
    ];
    FRAMING.contains(name) || ["keep-alive", "proxy-connection"].contains(&name.as_str())
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached")
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("query", &self.query.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}
