//! Config values that may be secrets.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::super::read::HIDDEN;
use crate::secret::Secret;

/// A text that may be a secret, or may not: a header's value, an environment variable's. `file:PATH` stands for a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden(pub Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AText;
        impl<'de> serde::de::Visitor<'de> for AText {
            type Value = Hidden;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hidden, E> {
                Ok(Hidden(Secret::new(text)))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Hidden, D::Error> {
                inner.deserialize_any(self)
            }
        }
        deserializer.deserialize_newtype_struct(HIDDEN, AText)
    }
}

impl JsonSchema for Hidden {
    fn schema_name() -> Cow<'static, str> {
        "Hidden".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A text. ${NAME} stands for an environment variable, and file:PATH for a file's content.",
        })
    }
}
