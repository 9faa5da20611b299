//! A serde deserializer for config trees.

use serde::de::{Deserializer, Error as _, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::super::problem::Problem;
use super::super::tree::{Node, Text, Value};
use super::access::{Elements, Entries, OneOf};
use super::error::ReadError;
use super::{Context, HIDDEN, secret};
use crate::secret::SECRET;

/// The prefix of the name of an internally tagged enum; the tag follows. Serde's own implementation of these loses positions and
/// the requested types.
pub(in crate::config) const TAGGED: &str = "$crossway::tagged by ";

/// A deserializer for a value.
#[derive(Clone, Copy)]
pub(super) struct De<'a> {
    pub(super) node: &'a Node<'a>,
    pub(super) context: &'a Context<'a>,
    /// A key of the map to skip, because it was read already.
    pub(super) without: Option<&'static str>,
}

impl<'a> De<'a> {
    pub(super) fn new(node: &'a Node<'a>, context: &'a Context<'a>) -> Self {
        Self { node, context, without: None }
    }

    /// Parses a text from the environment as a number or boolean.
    fn expanded<T: std::str::FromStr>(self) -> Option<T> {
        match &self.node.value {
            Value::Text(Text { text, is_expanded: true, .. }) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn is_expanded(self) -> bool {
        matches!(&self.node.value, Value::Text(Text { is_expanded: true, .. }))
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Null | Value::Removed => visitor.visit_unit(),
            Value::Bool(is) => visitor.visit_bool(*is),
            Value::Whole(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => Err(ReadError::invalid_type(Unexpected::Other("a number"), &visitor)),
            },
            Value::Real(number) => visitor.visit_f64(*number),
            Value::Text(text) => {
                let read = visitor.visit_str(&text.text);
                if text.is_expanded { read.map_err(ReadError::of_expanded) } else { read }
            }
            Value::List(list) => visitor.visit_seq(Elements::new(list, self.context)),
            Value::Map(entries) => visitor.visit_map(Entries::new(entries, self.without, self.context)),
        }
    }
}

macro_rules! or_expanded {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.expanded::<$type>() {
                Some(value) => visitor.$visit(value).map_err(ReadError::of_expanded),
                None => self.any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for De<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.any(visitor)
    }

    or_expanded! {
        deserialize_bool visit_bool bool,
        deserialize_u8 visit_u64 u64,
        deserialize_u16 visit_u64 u64,
        deserialize_u32 visit_u64 u64,
        deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i64 i64,
        deserialize_i16 visit_i64 i64,
        deserialize_i32 visit_i64 i64,
        deserialize_i64 visit_i64 i64,
        deserialize_f32 visit_f64 f64,
        deserialize_f64 visit_f64 f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            // A rule whose `group:` lost its value must not become a rule for everybody.
            Value::Null => Err(ReadError::new(Problem::NoValue)),
            Value::Removed => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name != SECRET && name != HIDDEN {
            return visitor.visit_newtype_struct(self);
        }
        let Value::Text(text) = &self.node.value else { return self.any(visitor) };
        let value = secret::value(text, self.node.at, name == SECRET, self.context)?;
        let is_shown = !text.is_expanded && value == text.text;
        visitor
            .visit_string(value)
            .map_err(|error: ReadError| if is_shown { error } else { error.of_expanded() })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            Value::Null => Err(ReadError::new(Problem::NoValue)),
            _ => self.any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            Value::Null => Err(ReadError::new(Problem::NoValue)),
            _ => self.any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        // Serde would read a list as the fields in their order.
        if let Value::List(_) = self.node.value {
            return Err(ReadError::invalid_type(Unexpected::Seq, &visitor));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(tag) = name.strip_prefix(TAGGED) {
            return visitor.visit_enum(OneOf::tagged(self, tag)?);
        }
        let read = visitor.visit_enum(OneOf::new(self, known)?);
        if self.is_expanded() { read.map_err(ReadError::of_expanded) } else { read }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}
