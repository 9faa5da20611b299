//! Validates arguments before a request is built.

use serde_json::{Map, Number, Value};

use super::super::limits;
use super::super::operation::{Fields, MediaKind, Operation};
use super::BadArguments;

/// 2^53: floats represent every integer below it exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Validates and normalizes the arguments of a call.
///
/// A schema that can't be used is skipped: the API then says what is wrong.
pub(in crate::rest) fn checked(
    operation: &Operation,
    mut arguments: Map<String, Value>,
) -> Result<Map<String, Value>, BadArguments> {
    refuse_unknown(operation, &arguments)?;
    // Models write null for arguments that they leave out, and only JSON bodies can represent null.
    let has_null = |name: &String| {
        let is_json = operation.body.as_ref().is_some_and(|body| body.kind == MediaKind::Json);
        is_json && !operation.parameters.contains_key(name)
    };
    arguments.retain(|name, value| !value.is_null() || has_null(name));
    if let Some(name) = operation.required.iter().find(|name| !arguments.contains_key(*name)) {
        return Err(BadArguments::Missing(name.clone()));
    }
    arguments.values_mut().for_each(whole);
    let Some(checker) = operation.checker() else { return Ok(arguments) };
    let arguments = Value::Object(arguments);
    checker.check(&arguments).map_err(BadArguments::Unfit)?;
    match arguments {
        Value::Object(arguments) => Ok(arguments),
        _ => Ok(Map::new()),
    }
}

/// Writes 5.0 as 5, the same number to a schema (JSON Schema 2020-12, section 6.1.1) and to JavaScript. Models write either, and APIs that
/// want an integer reject 5.0, in a query as in JSON.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
            if let Some(float) = float.filter(|float| float.abs() < EXACT) {
                // Exact: the float is a whole number within the bound.
                *number = Number::from(float as i64);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(whole),
        Value::Object(members) => members.values_mut().for_each(whole),
        _ => {}
    }
}

/// Refuses unknown arguments, so that a misspelt name is noticed.
fn refuse_unknown(operation: &Operation, arguments: &Map<String, Value>) -> Result<(), BadArguments> {
    let of_body = |name: &String| match operation.body.as_ref().map(|body| &body.fields) {
        Some(Fields::Whole(argument)) => argument == name,
        Some(Fields::Members(members)) => members.contains_key(name),
        None => false,
    };
    let is_known = |name: &String| operation.parameters.contains_key(name) || of_body(name);
    match arguments.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            let mut names: Vec<String> = operation.parameters.keys().cloned().collect();
            match operation.body.as_ref().map(|body| &body.fields) {
                Some(Fields::Whole(argument)) => names.push(argument.clone()),
                Some(Fields::Members(members)) => names.extend(members.keys().cloned()),
                None => {}
            }
            Err(BadArguments::Unknown {
                name: name.chars().take(limits::QUOTED_NAME_CHARS).collect(),
                known: names,
            })
        }
    }
}
