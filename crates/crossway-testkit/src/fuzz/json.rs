//! A plain reading of JSON by `serde_json`: members in their order, each with its name decoded and its value as text.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Whether the text is JSON in UTF-8.
pub(super) fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// The depth of arrays and objects in a JSON text.
pub(super) fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// An object's members.
pub(super) struct Members<'a>(pub(super) Vec<(Vec<u8>, &'a [u8])>);

impl<'a> Members<'a> {
    /// The members of an object; `None` of anything else.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// The value of the member of this name, if there is exactly one.
    pub(super) fn one(&self, name: &str) -> Option<&'a [u8]> {
        let mut named = self.0.iter().filter(|(other, _)| other == name.as_bytes()).map(|(_, value)| *value);
        named.next().filter(|_| named.next().is_none())
    }

    /// Whether there are several members of this name.
    pub(super) fn repeats(&self, name: &str) -> bool {
        self.0.iter().filter(|(other, _)| other == name.as_bytes()).count() > 1
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key_seed(Name)? {
                    let value: &'de RawValue = map.next_value()?;
                    members.push((name, value.get().as_bytes()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A name as bytes, since names may have escapes for half a surrogate pair, which no `str` can hold.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Vec<u8>, E> {
        Ok(name.to_vec())
    }
}

/// An array's elements.
pub(super) struct Elements<'a>(pub(super) Vec<&'a [u8]>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = array.next_element::<&'de RawValue>()? {
                    elements.push(element.get().as_bytes());
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Array)
    }
}
