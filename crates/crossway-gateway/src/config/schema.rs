//! The JSON Schema of the config, for editors.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::file::ConfigFile;
use super::read::PLAIN;

/// Returns the JSON Schema of the config (draft 2020-12), generated from the types in [`mod@super::file`], as text.
#[must_use]
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(ConfigFile).to_value();
    take_null(&mut schema);
    take_variables(&mut schema);
    format!("{schema:#}")
}

/// A pattern that matches texts with a variable.
const VARIABLE: &str = r"\$\{";

/// Allows `${NAME}` in place of numbers, booleans, words and texts with a pattern, wherever variables are expanded. Types that are also
/// used elsewhere stay unchanged.
fn take_variables(schema: &mut Value) {
    let mut plain = BTreeSet::new();
    PLAIN.iter().for_each(|key| references(&schema["properties"][key], schema, &mut plain));
    for (place, without) in [("properties", PLAIN.map(str::to_owned).into()), ("$defs", plain)] {
        let named = schema[place].as_object_mut().into_iter().flatten();
        named.filter(|(name, _)| !without.contains(*name)).for_each(|(_, value)| or_variable(value));
    }
}

/// Collects the names of the types that a part of the schema refers to.
fn references(part: &Value, schema: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Array(list) => list.iter().for_each(|part| references(part, schema, found)),
        Value::Object(members) => {
            let name = part["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
            if let Some(name) = name.filter(|name| found.insert((*name).to_owned())) {
                references(&schema["$defs"][name], schema, found);
            }
            members.values().for_each(|part| references(part, schema, found));
        }
        _ => {}
    }
}

fn or_variable(part: &mut Value) {
    match part {
        Value::Array(list) => list.iter_mut().for_each(or_variable),
        Value::Object(members) => {
            let is_word = |form: &Value| form["const"].is_string();
            match members.get_mut("oneOf") {
                Some(Value::Array(forms)) if forms.iter().all(is_word) => {
                    return forms.push(json!({ "type": "string", "pattern": VARIABLE }));
                }
                _ => {}
            }
            match (
                members.get("type").and_then(Value::as_str),
                members.get("pattern").and_then(Value::as_str),
            ) {
                (Some("string"), Some(pattern)) if !pattern.ends_with(VARIABLE) => {
                    members.insert("pattern".to_owned(), format!("{pattern}|{VARIABLE}").into());
                }
                (Some(kind @ ("boolean" | "integer" | "number")), None) => {
                    let kinds = json!([kind, "string"]);
                    members.insert("type".to_owned(), kinds);
                    members.insert("pattern".to_owned(), VARIABLE.into());
                }
                _ => {}
            }
            let others = members.iter_mut().filter(|(name, _)| *name != "default");
            others.for_each(|(_, part)| or_variable(part));
        }
        _ => {}
    }
}

/// The schema's types in which `null` has a meaning.
const NULLABLE: [&str; 2] = ["ClaimNames", "HeaderNames"];

/// Removes `null` from a schema, which schemars allows for each optional key, because a key without a value is refused.
fn take_null(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(take_null),
        Value::Object(members) => {
            members.retain(|key, value| key != "default" || !value.is_null());
            // Duplicates count once.
            members.remove("uniqueItems");
            if let Some(Value::Array(kinds)) = members.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = &kinds[..] {
                    let kind = kind.clone();
                    members.insert("type".to_owned(), kind);
                }
            }
            if let Some(Value::Array(forms)) = members.get_mut("anyOf") {
                forms.retain(|form| form["type"] != "null");
                if let [Value::Object(form)] = &mut forms[..] {
                    let form = std::mem::take(form);
                    members.remove("anyOf");
                    members.extend(form);
                }
            }
            let others = members.iter_mut().filter(|(name, _)| !NULLABLE.contains(&name.as_str()));
            others.for_each(|(_, value)| take_null(value));
        }
        _ => {}
    }
}
