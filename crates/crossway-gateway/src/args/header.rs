//! `--header 'Name: value'`, with environment variables in the value.

use std::fmt;
use std::str::FromStr;

use http::{HeaderName, HeaderValue};

use crate::expand::{ExpandError, expand};

/// A header for requests to an upstream.
#[derive(Clone)]
pub struct HeaderArg {
    name: HeaderName,
    value: String,
}

/// What is wrong with a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// There is no colon.
    #[error("a header is written as 'Name: value', such as --header 'Authorization: Bearer ${{TOKEN}}'")]
    NoColon,
    /// The name is not a header name.
    #[error("{0:?} is not a header name")]
    BadName(String),
    /// The transport sets this one by itself.
    #[error("the header {0} is set by the transport itself")]
    Reserved(HeaderName),
    /// A variable in the value. The value is not shown: it may hold a secret.
    #[error("the value of the header {header}: {error}")]
    Variable {
        /// The header.
        header: HeaderName,
        /// What is wrong with the variable.
        error: ExpandError,
    },
    /// The value holds what a header can't carry. It is not shown: it may be a secret.
    #[error("the value of the header {0} has characters that a header can't carry, such as a line break")]
    BadValue(HeaderName),
}

impl FromStr for HeaderArg {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::NoColon)?;
        Self::new(name, value)
    }
}

impl HeaderArg {
    /// A header by name and value.
    ///
    /// # Errors
    ///
    /// When the name is none, or one that the transport sets by itself.
    pub fn new(name: &str, value: &str) -> Result<Self, HeaderError> {
        let name: HeaderName =
            name.trim().parse().map_err(|_| HeaderError::BadName(name.trim().to_owned()))?;
        let reserved = [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "content-type",
            "accept",
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "last-event-id",
        ];
        if reserved.contains(&name.as_str()) {
            return Err(HeaderError::Reserved(name));
        }
        Ok(Self { name, value: value.trim().to_owned() })
    }

    /// Puts variables in their places; `lookup` gives a variable's value.
    ///
    /// # Errors
    ///
    /// When a variable is not set, or when the value is not one that a header can carry.
    pub fn resolve(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<(HeaderName, HeaderValue), HeaderError> {
        let value = expand(&self.value, lookup)
            .map_err(|error| HeaderError::Variable { header: self.name.clone(), error })?;
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| HeaderError::BadValue(self.name.clone()))?;
        value.set_sensitive(true);
        Ok((self.name.clone(), value))
    }
}

impl fmt::Debug for HeaderArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: [redacted]", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
        text.parse::<HeaderArg>()?.resolve(|name| (name == "TOKEN").then(|| "s3cret".to_owned()))
    }

    #[test]
    fn a_variable_takes_the_place_of_its_name() {
        let (name, value) = resolve("Authorization: Bearer ${TOKEN}").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", "Bearer s3cret"));
        assert_eq!(resolve("X-A:a:${TOKEN}-${TOKEN}$").unwrap().1, "a:s3cret-s3cret$");
    }

    #[test]
    fn each_mistake_has_its_message_and_none_shows_a_value() {
        for (text, wanted) in [
            (
                "Authorization",
                "a header is written as 'Name: value', such as --header 'Authorization: Bearer ${TOKEN}'",
            ),
            ("a b: c", "\"a b\" is not a header name"),
            ("Host: x", "the header host is set by the transport itself"),
            (
                "X-A: ${NOPE}",
                "the value of the header x-a: the environment variable NOPE is not set; set it, or write ${NOPE:-DEFAULT} where that is no secret",
            ),
            ("X-A: ${TOKEN", "the value of the header x-a: a ${ is without its }"),
            (
                "X-A: hidden\nvalue",
                "the value of the header x-a has characters that a header can't carry, such as a line break",
            ),
        ] {
            assert_eq!(resolve(text).unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn debug_hides_the_value() {
        let header: HeaderArg = "Authorization: Bearer hidden".parse().unwrap();
        assert_eq!(format!("{header:?}"), "authorization: [redacted]");
    }
}
