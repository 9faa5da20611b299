//! Collects the properties of composed schemas.

use super::super::tree::{Object, Tree};

/// Collects `properties` for a schema that has none itself but is composed of others that do: readers that look at `properties` alone
/// would find no argument. The composing keywords stay beside them.
///
/// A member that only some alternatives name gets their schemas, though the other alternatives accept any value there.
pub(crate) fn named(schema: &mut Object) {
    let has_own = matches!(schema.get("properties"), Some(Tree::Object(members)) if !members.is_empty());
    // With `additionalProperties`, the schema would treat the added members differently.
    let is_closed = match schema.get("additionalProperties") {
        None | Some(Tree::Bool(true)) => false,
        Some(Tree::Object(more)) => !more.is_empty(),
        Some(_) => true,
    };
    if has_own || is_closed {
        return;
    }
    let members = Members::of(schema);
    if members.properties.is_empty() {
        return;
    }
    schema.set("properties", members.properties.into());
    if !members.required.is_empty() {
        schema.set("required", Tree::List(members.required));
    }
}

#[derive(Default)]
struct Members {
    properties: Object,
    required: Vec<Tree>,
}

impl Members {
    /// Collects from a schema without references. The schema is bounded, and so is the result.
    fn of(schema: &Object) -> Self {
        let mut members = Self::default();
        if let Some(Tree::Object(properties)) = schema.get("properties") {
            members.properties = properties.clone();
        }
        if let Some(Tree::List(required)) = schema.get("required") {
            members.required.clone_from(required);
        }
        for all in branches(schema, "allOf") {
            members.with(Self::of(all), "allOf");
        }
        for keyword in ["anyOf", "oneOf"] {
            let mut branches = branches(schema, keyword);
            let Some(first) = branches.next() else { continue };
            let mut either = Self::of(first);
            for other in branches {
                let other = Self::of(other);
                either.required.retain(|name| other.required.contains(name));
                either.with(Self { required: Vec::new(), ..other }, "anyOf");
            }
            members.with(either, "allOf");
        }
        members
    }

    /// Merges other members in. A member that both have gets both schemas, combined by the keyword (`allOf` or `anyOf`).
    fn with(&mut self, others: Self, keyword: &str) {
        for (name, schema) in others.properties.iter() {
            let both = match self.properties.get(name) {
                None => schema.clone(),
                Some(own) if own == schema => continue,
                Some(own) => both(own, schema, keyword),
            };
            self.properties.set(name, both);
        }
        for name in others.required {
            if !self.required.contains(&name) {
                self.required.push(name);
            }
        }
    }
}

/// The schemas in a list. Skips `null` and other schemas that can't have members.
fn branches<'a>(schema: &'a Object, keyword: &str) -> impl Iterator<Item = &'a Object> {
    let list = match schema.get(keyword) {
        Some(Tree::List(list)) => &list[..],
        _ => &[],
    };
    list.iter().filter_map(Tree::as_object)
}

fn both(own: &Tree, other: &Tree, keyword: &str) -> Tree {
    let mut list = match own.as_object().and_then(|own| Some((own.len(), own.get(keyword)?))) {
        // A schema that was combined this way before.
        Some((1, Tree::List(list))) => list.clone(),
        _ => vec![own.clone()],
    };
    if !list.contains(other) {
        list.push(other.clone());
    }
    Object::new().with(keyword, Tree::List(list)).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(schema: Value) -> Value {
        let Tree::Object(mut schema) = serde_json::from_value(schema).unwrap() else { panic!("no object") };
        named(&mut schema);
        serde_json::to_value(&schema).unwrap()
    }

    /// The `properties` and `required` that are added to a schema.
    fn members(schema: Value) -> (Value, Value) {
        let told = told(schema.clone());
        for (keyword, value) in schema.as_object().unwrap() {
            if !["properties", "required"].contains(&keyword.as_str()) {
                assert_eq!(&told[keyword], value, "{told}");
            }
        }
        (told["properties"].clone(), told["required"].clone())
    }

    fn branch(name: &str, schema: Value, required: Value) -> Value {
        json!({ "type": "object", "properties": { name: schema }, "required": required })
    }

    #[test]
    fn members_of_all_are_members_and_of_either_those_that_may_be() {
        let (text, number) = (json!({ "type": "string" }), json!({ "type": "number" }));
        let (a, b) = (branch("a", text.clone(), json!(["a"])), branch("b", number.clone(), json!(["b"])));
        let both = json!({ "a": text, "b": number });
        let all = members(json!({ "type": "object", "properties": {}, "allOf": [a, b] }));
        assert_eq!(all, (both.clone(), json!(["a", "b"])));
        for keyword in ["anyOf", "oneOf"] {
            assert_eq!(members(json!({ keyword: [a, b] })), (both.clone(), Value::Null));
        }
        let shared = members(json!({ "oneOf": [
            { "properties": { "kind": { "const": "x" }, "a": text }, "required": ["kind", "a"] },
            { "allOf": [{ "properties": { "kind": { "const": "y" } }, "required": ["kind"] }] },
            { "properties": { "kind": { "const": "y" } }, "required": ["kind"] },
        ] }));
        let kind = json!({ "anyOf": [{ "const": "x" }, { "const": "y" }] });
        assert_eq!(shared, (json!({ "kind": kind, "a": text }), json!(["kind"])));
        let narrowed = members(json!({ "allOf": [a, branch("a", json!({ "minLength": 1 }), json!([]))] }));
        assert_eq!(narrowed.0, json!({ "a": { "allOf": [text, { "minLength": 1 }] } }));
    }

    #[test]
    fn a_schema_that_names_members_or_takes_no_others_stays_as_it_is() {
        let a = branch("a", json!({}), json!(["a"]));
        for schema in [
            json!({ "properties": { "b": {} }, "anyOf": [a] }),
            json!({ "additionalProperties": false, "anyOf": [a] }),
            json!({ "additionalProperties": { "type": "string" }, "anyOf": [a] }),
            json!({ "properties": {}, "anyOf": [{ "type": "string" }] }),
            json!({ "type": "object" }),
        ] {
            assert_eq!(told(schema.clone()), schema);
        }
    }
}
