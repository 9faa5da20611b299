//! Arguments, held against what a tool says that it takes.

use serde_json::{Map, Value};

use super::super::operation::{Fields, MediaKind, Operation};
use super::BadArguments;

/// The arguments of a call, if the tool takes them.
///
/// A schema that can't be used holds nobody up: the API says then what is wrong.
pub(in crate::rest) fn checked(
    operation: &Operation,
    mut arguments: Map<String, Value>,
) -> Result<Map<String, Value>, BadArguments> {
    known(operation, &arguments)?;
    // Models write null for what they leave out, and but for JSON there is no null that could be sent.
    let has_null = |name: &String| {
        let is_json = operation.body.as_ref().is_some_and(|body| body.kind == MediaKind::Json);
        is_json && !operation.parameters.contains_key(name)
    };
    arguments.retain(|name, value| !value.is_null() || has_null(name));
    if let Some(name) = operation.required.iter().find(|name| !arguments.contains_key(*name)) {
        return Err(BadArguments::Missing(name.clone()));
    }
    let Some(checker) = operation.checker() else { return Ok(arguments) };
    let arguments = Value::Object(arguments);
    checker.check(&arguments).map_err(BadArguments::Unfit)?;
    match arguments {
        Value::Object(arguments) => Ok(arguments),
        _ => Ok(Map::new()),
    }
}

/// Refuses arguments that nothing takes: who means one of another name should know.
fn known(operation: &Operation, arguments: &Map<String, Value>) -> Result<(), BadArguments> {
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
            Err(BadArguments::Unknown { name: name.chars().take(64).collect(), known: names })
        }
    }
}
