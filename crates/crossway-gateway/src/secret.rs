//! Secret values that are never displayed.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, SeqAccess, Unexpected};
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The newtype name under which [`Secret`] is deserialized.
pub(crate) const SECRET: &str = "$crossway::Secret";

/// The error for a number in place of a secret. It does not show the number, which may be the secret.
const NO_NUMBER: &str = "a secret is a string; put quotes around it";

/// A secret's value: a key, a token, a password. Clones share it.
///
/// `Debug` prints `[redacted]`, there is no `Display` and no `Serialize`, and the memory is overwritten once the last
/// clone is dropped. Deserializes from a string in the config, after references (`${ENV}`, `file:`) were replaced by
/// their values.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Creates a secret from its value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(value.into())))
    }

    /// Returns the value. Callers must not let it go anywhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the value is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl PartialEq for Secret {
    /// Takes the same time for any two values of the same length.
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Secret {}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = Visitor { expected: "a secret, as a string", of_one: |secret| secret, of_list: None };
        deserializer.deserialize_newtype_struct(SECRET, visitor)
    }
}

/// A secret, or a list of secrets: while a secret is being changed, both the old and the new one are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Iterates over the secrets.
    pub fn iter(&self) -> std::slice::Iter<'_, Secret> {
        self.0.iter()
    }
}

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = Visitor {
            expected: "a secret, as a string, or a list of them",
            of_one: |secret| Self(vec![secret]),
            of_list: Some(Self),
        };
        deserializer.deserialize_newtype_struct(SECRET, visitor)
    }
}

/// Deserializes secrets as a newtype with the [name](SECRET) that tells the config's reader to resolve references.
/// (`deserialize_str` would show a number in its error.)
struct Visitor<T> {
    expected: &'static str,
    of_one: fn(Secret) -> T,
    of_list: Option<fn(Vec<Secret>) -> T>,
}

impl<'de, T> serde::de::Visitor<'de> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        Ok((self.of_one)(Secret::new(value)))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<T, E> {
        Ok((self.of_one)(Secret::new(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let of_list = self.of_list.ok_or_else(|| Error::invalid_type(Unexpected::Seq, &self))?;
        let mut secrets = Vec::new();
        while let Some(secret) = list.next_element()? {
            secrets.push(secret);
        }
        Ok(of_list(secrets))
    }

    /// Called by `serde_json` and others for a newtype.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Err(E::custom(NO_NUMBER))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
        Err(E::custom(NO_NUMBER))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Err(E::custom(NO_NUMBER))
    }
}

impl schemars::JsonSchema for Secrets {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secrets".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let secret = generator.subschema_for::<Secret>();
        schemars::json_schema!({
            "type": ["string", "array"],
            "items": secret,
            "minItems": 1,
            "description": "a secret, or a list of them: while one is replaced, the old one and the new one"
        })
    }
}

impl schemars::JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a secret: ${NAME} for an environment variable, file:PATH for a file's content"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[redacted] Some([redacted])");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn secrets_are_equal_as_a_whole() {
        assert_eq!(Secret::new("a"), Secret::new("a"));
        for other in ["b", "", "aa"] {
            assert_ne!(Secret::new("a"), Secret::new(other));
        }
    }

    #[test]
    fn a_secret_that_is_no_string_is_not_shown_in_the_error() {
        for value in ["12345678", "-12345678", "1234.5678"] {
            let error = serde_json::from_str::<Secret>(value).unwrap_err().to_string();
            assert!(error.contains("quotes") && !error.contains("1234"), "{error}");
        }
        assert_eq!(serde_json::from_str::<Secret>("\"x\"").unwrap(), Secret::new("x"));
    }

    #[test]
    fn secrets_are_one_or_a_list() {
        let read = |text: &str| serde_json::from_str::<Secrets>(text);
        assert_eq!(read("\"x\"").unwrap(), Secrets(vec![Secret::new("x")]));
        assert_eq!(read("[\"x\", \"y\"]").unwrap(), Secrets(vec![Secret::new("x"), Secret::new("y")]));
        for value in ["12345678", "[\"x\", 12345678]", "-1.2345678"] {
            let error = read(value).unwrap_err().to_string();
            assert!(error.contains("quotes") && !error.contains("2345678"), "{error}");
        }
    }
}
