//! What is inside of lists, maps and words with values.

use std::slice::Iter;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::super::problem::Problem;
use super::super::tree::{Entry, Node, Step, Value};
use super::Context;
use super::de::De;
use super::error::ReadError;

/// A list's elements, without those that were taken away.
pub(super) struct Elements<'a> {
    list: std::iter::Enumerate<Iter<'a, Node>>,
    context: &'a Context<'a>,
}

impl<'a> Elements<'a> {
    pub(super) fn new(list: &'a [Node], context: &'a Context<'a>) -> Self {
        Self { list: list.iter().enumerate(), context }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((index, node)) = self.list.find(|(_, node)| !matches!(node.value, Value::Removed)) else {
            return Ok(None);
        };
        let read = seed.deserialize(De { node, context: self.context });
        read.map(Some).map_err(|error| error.within(Step::Index(index)))
    }
}

/// A map's entries, without those that were taken away.
pub(super) struct Entries<'a> {
    entries: Iter<'a, Entry>,
    current: Option<&'a Entry>,
    context: &'a Context<'a>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(entries: &'a [Entry], context: &'a Context<'a>) -> Self {
        Self { entries: entries.iter(), current: None, context }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.current = self.entries.find(|entry| !matches!(entry.value.value, Value::Removed));
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, ReadError> = entry.key.as_str().into_deserializer();
        let read = seed.deserialize(key);
        read.map(Some).map_err(|error| error.within(Step::Key(entry.key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(entry) = self.current else {
            return Err(ReadError::custom("a value was asked for before its key"));
        };
        let read = seed.deserialize(De { node: &entry.value, context: self.context });
        read.map_err(|error| error.within(Step::Key(entry.key.clone())))
    }
}

/// What an empty map is called.
pub(super) const EMPTY: &str = "an empty map";

/// One of several words: alone, or as the only key of a map that has its value.
pub(super) struct OneOf<'a> {
    word: &'a str,
    value: Option<&'a Entry>,
    context: &'a Context<'a>,
}

impl<'a> OneOf<'a> {
    pub(super) fn new(de: De<'a>, known: &'static [&'static str]) -> Result<Self, ReadError> {
        let wanted = || format!("one of {}", known.join(", "));
        let found = match &de.node.value {
            Value::Text(text) => {
                return Ok(Self { word: &text.text, value: None, context: de.context });
            }
            Value::Map(entries) => {
                let mut rest = entries.iter().filter(|entry| !matches!(entry.value.value, Value::Removed));
                match (rest.next(), rest.next()) {
                    (Some(entry), None) => {
                        return Ok(Self { word: &entry.key, value: Some(entry), context: de.context });
                    }
                    (None, _) => EMPTY,
                    _ => "a map of several keys",
                }
            }
            Value::List(_) => "a list",
            Value::Null | Value::Removed => "nothing",
            Value::Bool(_) => "true or false",
            Value::Whole(_) | Value::Real(_) => "a number",
        };
        Err(ReadError::new(Problem::WrongKind { found, wanted: wanted(), hint: "" }))
    }

    fn within(&self, error: ReadError) -> ReadError {
        match self.value {
            Some(entry) => error.within(Step::Key(entry.key.clone())),
            None => error,
        }
    }

    fn value(&self) -> Result<De<'a>, ReadError> {
        match self.value {
            Some(entry) => Ok(De { node: &entry.value, context: self.context }),
            None => Err(ReadError::custom(format_args!("needs a value: write {{ {}: .. }}", self.word))),
        }
    }
}

impl<'de, 'a> EnumAccess<'de> for OneOf<'a> {
    type Error = ReadError;
    type Variant = OneOf<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let word: StrDeserializer<'_, ReadError> = self.word.into_deserializer();
        match seed.deserialize(word) {
            Ok(variant) => Ok((variant, self)),
            Err(error) => Err(self.within(error)),
        }
    }
}

impl<'de> VariantAccess<'de> for OneOf<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.value {
            Some(entry) if !matches!(entry.value.value, Value::Null) => {
                Err(self.within(ReadError::custom("has no value: write the word alone")))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.value()?).map_err(|error| self.within(error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.value()?.deserialize_seq(visitor).map_err(|error| self.within(error))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.value()?.deserialize_map(visitor).map_err(|error| self.within(error))
    }
}
