//! Arguments of a call as CEL values.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::ConditionError;
use crate::fold::fold;
use crate::limits;

/// The arguments of one call. They are parsed once, for all conditions.
pub(crate) struct Arguments {
    pub(super) value: Box<dyn Val>,
    /// All names in objects, at any depth: pairs of the name with its case folded, and the name itself.
    pub(super) names: BTreeSet<(String, String)>,
    /// The number of elements of the longest list or object.
    pub(super) longest: usize,
    pub(super) bytes: usize,
}

impl Arguments {
    /// Parses arguments. `None` is an empty object.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ConditionError> {
        let text = text.unwrap_or("{}");
        if text.len() > limits::ARGUMENT_BYTES {
            return Err(ConditionError::ArgumentsTooLong);
        }
        if !text.trim_ascii_start().starts_with('{') {
            return Err(ConditionError::NotAnObject);
        }
        let mut reading = Reading::default();
        let mut json = serde_json::Deserializer::from_str(text);
        let value = Json(&mut reading).deserialize(&mut json);
        let value = value.and_then(|value| json.end().map(|()| value));
        match (value, reading.why) {
            (_, Some(why)) => Err(why),
            (Err(_), None) => Err(ConditionError::NotAnObject),
            (Ok(value), None) => {
                Ok(Self { value, names: reading.names, longest: reading.longest, bytes: text.len() })
            }
        }
    }
}

/// Converts JSON, such as claims, to a CEL value.
pub(super) fn from_json(json: &Value, longest: &mut usize) -> Box<dyn Val> {
    match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(bool) => Box::new(CelBool::from(*bool)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Box::new(CelInt::from(int)),
            (None, Some(uint)) => Box::new(CelUInt::from(uint)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Array(values) => list(values.iter().map(|value| from_json(value, longest)).collect(), longest),
        Value::Object(values) => {
            let values = values.iter().map(|(name, value)| (name.clone(), from_json(value, longest)));
            map(values.collect(), longest)
        }
    }
}

fn list(values: Vec<Box<dyn Val>>, longest: &mut usize) -> Box<dyn Val> {
    *longest = values.len().max(*longest);
    Box::new(CelList::from(values))
}

fn map(values: Vec<(String, Box<dyn Val>)>, longest: &mut usize) -> Box<dyn Val> {
    *longest = values.len().max(*longest);
    let values = values.into_iter().map(|(name, value)| (CelMapKey::from(name), value));
    Box::new(CelMap::from(values.collect::<HashMap<_, _>>()))
}

#[derive(Default)]
struct Reading {
    names: BTreeSet<(String, String)>,
    longest: usize,
    why: Option<ConditionError>,
}

/// From 2^53 on, different integers can be the same double, so a server that reads all numbers as doubles mistakes one for the other.
const INEXACT: u64 = 1 << 53;

/// Reads one JSON value, and refuses whatever two parsers may read differently.
struct Json<'a>(&'a mut Reading);

impl Json<'_> {
    fn refuse<E: Error>(self, why: ConditionError) -> Result<Box<dyn Val>, E> {
        self.0.why = Some(why);
        Err(E::custom(why))
    }
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Box<dyn Val>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Box<dyn Val>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Box<dyn Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Box<dyn Val>, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Box<dyn Val>, E> {
        Ok(Box::new(CelBool::from(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Box<dyn Val>, E> {
        if value.unsigned_abs() >= INEXACT {
            return self.refuse(ConditionError::InexactNumber);
        }
        Ok(Box::new(CelInt::from(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Box<dyn Val>, E> {
        match i64::try_from(value) {
            Ok(int) => self.visit_i64(int),
            Err(_) => self.refuse(ConditionError::InexactNumber),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Box<dyn Val>, E> {
        if value.abs() >= INEXACT as f64 {
            return self.refuse(ConditionError::InexactNumber);
        }
        Ok(Box::new(CelDouble::from(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Box<dyn Val>, E> {
        Ok(Box::new(CelString::from(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut json: A) -> Result<Box<dyn Val>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = json.next_element_seed(Json(self.0))? {
            values.push(value);
        }
        Ok(list(values, &mut self.0.longest))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut json: A) -> Result<Box<dyn Val>, A::Error> {
        let (mut values, mut folded) = (Vec::new(), BTreeSet::new());
        while let Some(name) = json.next_key::<String>()? {
            let other = fold(&name);
            if !folded.insert(other.clone()) {
                return self.refuse(ConditionError::NameTwice);
            }
            self.0.names.insert((other, name.clone()));
            values.push((name, json.next_value_seed(Json(self.0))?));
        }
        Ok(map(values, &mut self.0.longest))
    }
}
