//! Values of annotated properties in a call's arguments.
//!
//! "Header extraction is defined as reading the instance value at the exact property path of the annotated property
//! [...]. If no value is present at that path in the call arguments, the header is omitted."

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::number::integer;
use super::params::ParamHeader;

/// A value in the arguments, as far as it can be mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Argument {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// An object, an array, a number with a fraction or beyond 53 bits, text that is not Unicode.
    NotPrimitive,
    /// It, or an object that it should be in, occurs several times.
    Repeated,
}

/// Arguments that are not JSON.
#[derive(Debug)]
pub(super) struct NotJson;

/// For each of these, its value in the arguments; `None` where there is none, or null.
pub(super) fn read(
    params: &[ParamHeader],
    arguments: Option<&[u8]>,
) -> Result<Vec<Option<Argument>>, NotJson> {
    let mut values = vec![None; params.len()];
    if let Some(arguments) = arguments {
        let arguments: &RawValue = serde_json::from_slice(arguments).map_err(|_| NotJson)?;
        let wanted = params.iter().enumerate().map(|(at, param)| (at, param.path.as_slice())).collect();
        Object { wanted, values: &mut values }.read(arguments).map_err(|_| NotJson)?;
    }
    Ok(values)
}

/// An object whose members are looked through for the starts of these paths.
struct Object<'a> {
    wanted: Vec<(usize, &'a [String])>,
    values: &'a mut [Option<Argument>],
}

impl Object<'_> {
    /// Where something other than an object stands there is nothing to be found.
    fn read(self, text: &RawValue) -> serde_json::Result<()> {
        if text.get().starts_with('{') {
            serde_json::Deserializer::from_str(text.get()).deserialize_map(self)
        } else {
            Ok(())
        }
    }

    /// Reads a member that one of the paths goes through. `again`: there was one of that name before.
    fn member(&mut self, name: &[u8], again: bool, text: &RawValue) -> serde_json::Result<()> {
        let mut below = Vec::new();
        for (at, path) in &self.wanted {
            match path.split_first() {
                Some((first, _)) if first.as_bytes() != name => {}
                Some(_) if again => self.values[*at] = Some(Argument::Repeated),
                Some((_, rest)) if !rest.is_empty() => below.push((*at, rest)),
                _ => self.values[*at] = argument(text),
            }
        }
        if below.is_empty() {
            return Ok(());
        }
        Object { wanted: below, values: &mut *self.values }.read(text)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut seen = Vec::new();
        while let Some(wanted) = members.next_key_seed(Key(&self.wanted))? {
            match wanted {
                Some(name) => {
                    let text: &RawValue = members.next_value()?;
                    let again = seen.contains(&name);
                    self.member(&name, again, text).map_err(A::Error::custom)?;
                    if !again {
                        seen.push(name);
                    }
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A member's name, if it is the first step of a path that is looked for.
struct Key<'a>(&'a [(usize, &'a [String])]);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<Vec<u8>>;

    /// As bytes, since names may have escapes for half a surrogate pair, which no `str` can hold.
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        let is_wanted =
            self.0.iter().any(|(_, path)| path.first().is_some_and(|first| first.as_bytes() == name));
        Ok(is_wanted.then(|| name.to_vec()))
    }
}

/// "Type conversion: [...] `string`: Use the value as-is; `integer`: Convert to decimal string representation;
/// `boolean`: Convert to lowercase `"true"` or `"false"`".
fn argument(text: &RawValue) -> Option<Argument> {
    let text = text.get();
    Some(match text.as_bytes().first() {
        Some(b'n') => return None,
        Some(b't') => Argument::Boolean(true),
        Some(b'f') => Argument::Boolean(false),
        Some(b'"') => serde_json::from_str(text).map_or(Argument::NotPrimitive, Argument::Text),
        Some(b'-' | b'0'..=b'9') => integer(text).map_or(Argument::NotPrimitive, Argument::Integer),
        _ => Argument::NotPrimitive,
    })
}
