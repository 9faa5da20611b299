//! JSON within bounds, by `serde_json`.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Budget, DocumentError};

pub(super) fn parse(text: &str) -> Result<Value, DocumentError> {
    let reading = RefCell::new(Reading::default());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Node { reading: &reading, depth: 0 }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        if let Some(bound) = reading.take().bound {
            return bound;
        }
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        if message == "recursion limit exceeded" {
            return DocumentError::TooDeep { limit: super::limits::DOCUMENT_DEPTH };
        }
        DocumentError::Syntax {
            format: "JSON",
            message: message.to_owned(),
            line: error.line(),
            column: error.column(),
        }
    })
}

/// What has been read, and the bound that was reached.
#[derive(Default)]
struct Reading {
    budget: Budget,
    bound: Option<DocumentError>,
}

#[derive(Clone, Copy)]
struct Node<'a> {
    reading: &'a RefCell<Reading>,
    depth: usize,
}

impl Node<'_> {
    fn take<E: Error>(&self) -> Result<(), E> {
        let mut reading = self.reading.borrow_mut();
        let taken = reading.budget.take(self.depth);
        taken.map_err(|bound| {
            reading.bound = Some(bound);
            E::custom("a bound is reached")
        })
    }

    fn below(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.take()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self.below())? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.below())?;
            // Two readers could differ on which of them counts.
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} occurs twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
