use serde_json::{Value, json};

use super::*;
use crate::face::tree::{Object, Tree};

fn tree(value: &Value) -> Tree {
    serde_json::from_str(&value.to_string()).unwrap()
}

fn told(components: Components) -> Tree {
    serde_json::from_slice(&components.into_written().into_json()).unwrap()
}

/// The resolved schema and its components.
fn resolved(schema: &Value) -> (Value, Value) {
    let mut components = Components::default();
    let schema = resolve(&tree(schema), "tool", &mut components);
    let components = told(components);
    (serde_json::to_value(&schema).unwrap(), serde_json::to_value(&components).unwrap())
}

#[test]
fn what_is_referred_to_stands_in_the_place_of_the_reference() {
    let (schema, components) = resolved(&json!({
        "type": "object",
        "properties": { "a": { "$ref": "#/$defs/A" }, "b": { "$ref": "#/$defs/A", "description": "this one" } },
        "$defs": { "A": { "type": "string", "description": "any" } },
    }));
    assert_eq!(
        schema,
        json!({
            "type": "object",
            "properties": {
                "a": { "type": "string", "description": "any" },
                "b": { "type": "string", "description": "this one" },
            },
        })
    );
    assert_eq!(components, json!({}));
}

#[test]
fn what_refers_to_itself_becomes_a_component() {
    let node = json!({ "type": "object", "properties": { "next": { "$ref": "#/$defs/Node" } } });
    let (schema, components) = resolved(&json!({
        "type": "object",
        "properties": { "first": { "$ref": "#/$defs/Node" } },
        "$defs": { "Node": node },
    }));
    let reference = json!({ "$ref": "#/components/schemas/tool_Node" });
    let node = json!({ "type": "object", "properties": { "next": reference } });
    assert_eq!(schema["properties"]["first"], node);
    assert_eq!(components, json!({ "tool_Node": node }));
}

#[test]
fn a_schema_may_refer_to_its_whole_self_and_to_names_and_nothing_to_other_documents() {
    let (schema, components) = resolved(&json!({
        "type": "object",
        "properties": {
            "child": { "$ref": "#" },
            "named": { "$ref": "#name" },
            "other": { "$ref": "https://example.com/schema.json" },
            "gone": { "$ref": "#/$defs/Gone" },
            "value": { "const": { "$ref": "#" } },
            "$ref": { "type": "number" },
        },
        "$defs": { "Any": { "$anchor": "name", "type": "integer" } },
    }));
    let properties = &schema["properties"];
    assert_eq!(properties["child"], json!({ "$ref": "#/components/schemas/tool" }));
    assert_eq!(components["tool"]["properties"]["child"], properties["child"]);
    assert_eq!(properties["named"], json!({ "type": "integer" }));
    assert_eq!((&properties["other"], &properties["gone"]), (&json!({}), &json!({})));
    assert_eq!(properties["value"], json!({ "const": { "$ref": "#" } }));
    assert_eq!(properties["$ref"], json!({ "type": "number" }));
}

#[test]
fn a_schema_is_an_object_also_where_true_or_false_would_do() {
    let (schema, _) = resolved(&json!({
        "type": "object",
        "properties": { "any": true, "none": false, "list": { "items": true }, "either": { "anyOf": [true, false] } },
        "additionalProperties": false,
        "unevaluatedProperties": true,
    }));
    assert_eq!(
        schema,
        json!({
            "type": "object",
            "properties": {
                "any": {}, "none": { "not": {} }, "list": { "items": {} }, "either": { "anyOf": [{}, { "not": {} }] },
            },
            "additionalProperties": false,
            "unevaluatedProperties": true,
        })
    );
}

#[test]
fn what_decides_beside_a_reference_still_does() {
    let (schema, _) = resolved(&json!({
        "$ref": "#/$defs/A",
        "required": ["b"],
        "$defs": { "A": { "properties": { "b": { "type": "string" } } } },
    }));
    let a = json!({ "properties": { "b": { "type": "string" } } });
    assert_eq!(schema, json!({ "required": ["b"], "allOf": [a] }));
}

#[test]
fn a_type_beside_a_reference_stands_with_what_is_referred_to() {
    let args = json!({ "type": "object", "properties": { "b": { "type": "string" } }, "required": ["b"] });
    let resolved_with = |kind: &str| {
        resolved(&json!({ "type": kind, "$ref": "#/$defs/Args", "$defs": { "Args": args.clone() } })).0
    };
    assert_eq!(resolved_with("object"), args);
    assert_eq!(resolved_with("string"), json!({ "type": "string", "allOf": [args.clone()] }));
    let (untyped, _) =
        resolved(&json!({ "type": "object", "$ref": "#/$defs/A", "$defs": { "A": { "required": ["b"] } } }));
    assert_eq!(untyped, json!({ "type": "object", "required": ["b"] }));
}

#[test]
fn what_older_drafts_write_otherwise_is_written_as_it_is_since() {
    let (schema, _) = resolved(&json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {
            "pair": { "type": "array", "items": [{ "type": "number" }, { "type": "string" }], "additionalItems": false },
            "a": { "$ref": "#/definitions/A", "minLength": 5, "description": "said" },
        },
        "dependencies": { "a": ["pair"], "pair": { "required": ["a"] } },
        "definitions": { "A": { "type": "string" } },
    }));
    assert_eq!(
        schema,
        json!({
            "properties": {
                "pair": {
                    "type": "array",
                    "prefixItems": [{ "type": "number" }, { "type": "string" }],
                    "items": { "not": {} },
                },
                "a": { "type": "string", "description": "said" },
            },
            "dependentRequired": { "a": ["pair"] },
            "dependentSchemas": { "pair": { "required": ["a"] } },
        })
    );
}

#[test]
fn a_schema_that_would_grow_beyond_bounds_keeps_its_references() {
    let mut definitions = serde_json::Map::new();
    for level in 0..14 {
        let next = json!({ "$ref": format!("#/$defs/D{}", level + 1) });
        definitions.insert(format!("D{level}"), json!({ "anyOf": [next, next, next] }));
    }
    definitions.insert("D14".to_owned(), json!({ "type": "string" }));
    let (schema, components) =
        resolved(&json!({ "properties": { "x": { "$ref": "#/$defs/D0" } }, "$defs": definitions }));
    assert_eq!(schema, json!({ "properties": { "x": { "$ref": "#/components/schemas/tool_D0" } } }));
    assert_eq!(components.as_object().unwrap().len(), 15);
}

#[test]
fn long_texts_are_not_written_as_often_as_they_are_referred_to() {
    let long = json!({ "type": "string", "description": "x".repeat(100_000) });
    let next = json!({ "$ref": "#/$defs/Long" });
    let (schema, components) = resolved(&json!({ "anyOf": vec![next; 1000], "$defs": { "Long": long } }));
    assert_eq!(schema["anyOf"][999], json!({ "$ref": "#/components/schemas/tool_Long" }));
    assert_eq!(components, json!({ "tool_Long": long }));
}

#[test]
fn a_chain_of_references_without_end_is_no_deeper_than_a_page() {
    let mut definitions = Object::new();
    for level in 0..5000 {
        let next = Object::new().with("$ref", Tree::Text(format!("#/$defs/D{}", level + 1)));
        let properties = Object::new().with("p", next.into());
        definitions.push(format!("D{level}"), Object::new().with("properties", properties.into()).into());
    }
    let schema = Object::new().with("$ref", Tree::text("#/$defs/D0")).with("$defs", definitions.into());
    let mut components = Components::default();
    let resolved = resolve(&schema.into(), "tool", &mut components);
    let text = serde_json::to_string(&resolved).unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_ok());
    assert!(told(components).as_object().unwrap().len() > 100);
}

#[test]
fn components_of_two_schemas_have_two_names() {
    let schema = tree(&json!({ "properties": { "x": { "$ref": "#" } } }));
    let mut components = Components::default();
    resolve(&schema, "a/b", &mut components);
    resolve(&schema, "a b", &mut components);
    let told = told(components);
    let names: Vec<&str> = told.as_object().unwrap().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a_b", "a_b_2"]);
}

#[test]
fn a_discriminator_does_not_name_schemas_that_are_gone() {
    let (schema, _) = resolved(&json!({
        "oneOf": [{ "$ref": "#/$defs/Cat" }],
        "discriminator": { "propertyName": "kind", "mapping": { "cat": "#/$defs/Cat" } },
        "properties": { "discriminator": { "type": "string" } },
        "$defs": { "Cat": { "type": "object" } },
    }));
    let properties = json!({ "discriminator": { "type": "string" } });
    assert_eq!(schema, json!({ "oneOf": [{ "type": "object" }], "properties": properties }));
}
