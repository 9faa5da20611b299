//! What editors know of a config.

use serde_json::Value;

use super::file::ConfigFile;

/// The JSON Schema of the config (draft 2020-12), made of the types in [`mod@super::file`], as text.
#[must_use]
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(ConfigFile).to_value();
    take_null(&mut schema);
    format!("{schema:#}")
}

/// Types of the schema in which `null` has a meaning of its own.
const NULLABLE: [&str; 2] = ["ClaimNames", "HeaderNames"];

/// Takes `null` out of a schema, which stands there for each key that may be left out: a key without a value is refused.
fn take_null(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(take_null),
        Value::Object(members) => {
            members.retain(|key, value| key != "default" || !value.is_null());
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
