//! Serde access to lists, maps and enums of a tree.

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

/// A list's elements, except removed ones.
pub(super) struct Elements<'a> {
    list: std::iter::Enumerate<Iter<'a, Node<'a>>>,
    context: &'a Context<'a>,
}

impl<'a> Elements<'a> {
    pub(super) fn new(list: &'a [Node<'a>], context: &'a Context<'a>) -> Self {
        Self { list: list.iter().enumerate(), context }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((index, node)) = self.list.find(|(_, node)| !matches!(node.value, Value::Removed)) else {
            return Ok(None);
        };
        let read = seed.deserialize(De::new(node, self.context));
        read.map(Some).map_err(|error| error.within(Step::Index(index)))
    }
}

/// A map's entries, except removed ones and one that was read already.
pub(super) struct Entries<'a> {
    entries: Iter<'a, Entry<'a>>,
    without: Option<&'static str>,
    current: Option<&'a Entry<'a>>,
    context: &'a Context<'a>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        entries: &'a [Entry<'a>],
        without: Option<&'static str>,
        context: &'a Context<'a>,
    ) -> Self {
        Self { entries: entries.iter(), without, current: None, context }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.current = self.entries.find(|entry| {
            !matches!(entry.value.value, Value::Removed)
                && self.without.is_none_or(|without| entry.key != without)
        });
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, ReadError> = (&*entry.key).into_deserializer();
        let read = seed.deserialize(key);
        read.map(Some).map_err(|error| error.within(Step::Key(entry.key.to_string())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(entry) = self.current else {
            return Err(ReadError::custom("a value was asked for before its key"));
        };
        let read = seed.deserialize(De::new(&entry.value, self.context));
        read.map_err(|error| error.within(Step::Key(entry.key.to_string())))
    }
}

/// The name of an empty map in errors.
pub(super) const EMPTY: &str = "an empty map";

/// An enum's variant: a word alone, the only key of a map with the variant's value, or the value of a tag in a map with the rest.
pub(super) struct OneOf<'a> {
    word: &'a str,
    value: Of<'a>,
    context: &'a Context<'a>,
}

/// Where a variant's value is.
enum Of<'a> {
    Nothing,
    Entry(&'a Entry<'a>),
    Rest { tag: &'static str, rest: De<'a>, is_expanded: bool },
}

impl<'a> OneOf<'a> {
    pub(super) fn new(de: De<'a>, known: &'static [&'static str]) -> Result<Self, ReadError> {
        let wanted = || format!("one of {}", known.join(", "));
        let context = de.context;
        let found = match &de.node.value {
            Value::Text(text) => return Ok(Self { word: &text.text, value: Of::Nothing, context }),
            Value::Map(entries) => {
                let mut rest = entries.iter().filter(|entry| !matches!(entry.value.value, Value::Removed));
                match (rest.next(), rest.next()) {
                    (Some(entry), None) => {
                        return Ok(Self { word: &entry.key, value: Of::Entry(entry), context });
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

    /// Reads the variant under `tag` in a map; the rest of the map is its value.
    pub(super) fn tagged(de: De<'a>, tag: &'static str) -> Result<Self, ReadError> {
        let Value::Map(entries) = &de.node.value else {
            let problem = Problem::WrongKind { found: "no map", wanted: "a map".to_owned(), hint: "" };
            return Err(ReadError::new(problem));
        };
        let entry = entries.iter().find(|entry| entry.key == tag).map(|entry| &entry.value.value);
        match entry {
            Some(Value::Text(text)) => {
                let rest = De { without: Some(tag), ..de };
                Ok(Self {
                    word: &text.text,
                    value: Of::Rest { tag, rest, is_expanded: text.is_expanded },
                    context: de.context,
                })
            }
            None | Some(Value::Removed | Value::Null) => Err(ReadError::new(Problem::Missing { key: tag })),
            Some(_) => {
                let problem = Problem::WrongKind { found: "no text", wanted: "a text".to_owned(), hint: "" };
                Err(ReadError::new(problem).within(Step::Key(tag.to_owned())))
            }
        }
    }

    fn within(&self, error: ReadError) -> ReadError {
        match self.value {
            Of::Entry(entry) => error.within(Step::Key(entry.key.to_string())),
            Of::Nothing | Of::Rest { .. } => error,
        }
    }

    fn value(&self) -> Result<De<'a>, ReadError> {
        match self.value {
            Of::Entry(entry) => Ok(De::new(&entry.value, self.context)),
            Of::Rest { rest, .. } => Ok(rest),
            Of::Nothing => {
                Err(ReadError::custom(format_args!("needs a value: write {{ {}: .. }}", self.word)))
            }
        }
    }
}

impl<'de, 'a> EnumAccess<'de> for OneOf<'a> {
    type Error = ReadError;
    type Variant = OneOf<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let word: StrDeserializer<'_, ReadError> = self.word.into_deserializer();
        match (seed.deserialize(word), &self.value) {
            (Ok(variant), _) => Ok((variant, self)),
            (Err(error), Of::Rest { tag, is_expanded, .. }) => {
                let error = if *is_expanded { error.of_expanded() } else { error };
                Err(error.within(Step::Key((*tag).to_owned())))
            }
            (Err(error), _) => Err(self.within(error)),
        }
    }
}

impl<'de> VariantAccess<'de> for OneOf<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.value {
            Of::Entry(entry) if !matches!(entry.value.value, Value::Null) => {
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
