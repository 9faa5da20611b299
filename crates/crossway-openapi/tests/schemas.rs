//! Schemas in a document accept the same values as the tools' own schemas, whatever their references.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use crossway_openapi::face::{Config, OpenApi};
use crossway_proto::Message;
use crossway_service::{Ask, Call, Connection, Link, Reply, Scope, Upstream};
use http_body_util::{BodyExt as _, Full};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tower_service::Service as _;

/// A server with one tool of this schema.
#[derive(Clone)]
struct Schemed(String);

impl Upstream for Schemed {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl Connection for Schemed {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = call.ask else { return Reply::silent() };
        let result = format!(r#"{{"tools":[{{"name":"t","inputSchema":{}}}]}}"#, self.0);
        Reply::once(Message::result_of(&message.id().unwrap(), result.as_bytes()).unwrap())
    }
}

/// The arguments' schema in a document, with the document's components for its references.
fn documented(schema: &Value) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let document: Value = runtime.block_on(async {
        let mut face = OpenApi::new(Schemed(schema.to_string()), Config::new());
        let request = http::Request::get("/openapi.json").header("host", "localhost");
        let answer = face.call(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    });
    let body = &document["paths"]["/t"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    json!({ "allOf": [body], "components": document["components"] })
}

/// Targets of references: definitions, a definition's property, a name, the whole.
const TARGETS: [&str; 8] = [
    "#/$defs/a",
    "#/$defs/b",
    "#/$defs/c",
    "#/$defs/a/properties/x",
    "#named",
    "#",
    "#/$defs/gone",
    "other.json",
];

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!({})),
        Just(json!({ "type": "string", "minLength": 1 })),
        Just(json!({ "type": "integer", "description": "a number" })),
        Just(json!({ "enum": [1, "a", null] })),
        Just(json!({ "const": { "$ref": "#" } })),
        // References are likely, and some have keywords beside them.
        (0..TARGETS.len()).prop_map(|target| json!({ "$ref": TARGETS[target] })),
        (0..5_usize)
            .prop_map(|target| json!({ "$ref": TARGETS[target], "title": "said", "minProperties": 1 })),
        (0..5_usize).prop_map(|target| json!({ "$ref": TARGETS[target], "description": "said" })),
        (0..5_usize).prop_map(|target| json!({ "$ref": TARGETS[target], "type": "object" })),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let properties = || prop::collection::btree_map("[xyz]", inner.clone(), 0..3);
        prop_oneof![
            (properties(), any::<bool>()).prop_map(|(properties, closed)| {
                let mut schema = json!({ "type": "object", "properties": properties });
                if closed {
                    schema["additionalProperties"] = false.into();
                }
                schema
            }),
            inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({ "anyOf": any })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({ "allOf": all })),
            inner.clone().prop_map(|not| json!({ "not": not })),
            (inner.clone(), inner.clone()).prop_map(|(first, rest)| {
                json!({ "type": "array", "prefixItems": [first], "items": rest })
            }),
        ]
    })
}

/// A whole schema: an object with definitions, one of which has a name.
fn document() -> impl Strategy<Value = Value> {
    (schema(), schema(), schema(), schema()).prop_map(|(x, a, b, c)| {
        let named = |schema: Value| match schema {
            Value::Object(mut members) => {
                members.insert("$anchor".to_owned(), "named".into());
                Value::Object(members)
            }
            other => json!({ "$anchor": "named", "allOf": [other] }),
        };
        json!({
            "type": "object",
            "properties": { "x": x, "y": { "$ref": "#/$defs/a" } },
            "$defs": { "a": { "properties": { "x": a } }, "b": b, "c": named(c) },
        })
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..3_i64).prop_map(Value::from),
        "[a]{0,2}".prop_map(Value::from),
        Just(json!({ "$ref": "#" })),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[xyz]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Broken references accept everything in a document. For comparison they have to accept everything here too.
fn without_strangers(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let leads_nowhere = |target: &Value| target == "#/$defs/gone" || target == "other.json";
            let is_reference = members.get("$ref").is_some_and(leads_nowhere);
            let members = members.iter().filter(|(name, _)| !(is_reference && *name == "$ref"));
            Value::Object(members.map(|(name, value)| (name.clone(), without_strangers(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_strangers).collect(),
        other => other.clone(),
    }
}

/// Whether a schema refers to itself for the same value: it is undefined what that accepts.
fn is_endless(document: &Value) -> bool {
    let mut left = vec![document];
    while let Some(schema) = left.pop() {
        if is_endless_at(document, schema, &mut Vec::new()) {
            return true;
        }
        match schema {
            Value::Object(members) => left.extend(members.values()),
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    false
}

fn is_endless_at<'a>(document: &'a Value, schema: &'a Value, within: &mut Vec<&'a str>) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        if within.contains(&reference) {
            return true;
        }
        let target = match reference {
            "#named" => document.pointer("/$defs/c"),
            reference => reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)),
        };
        within.push(reference);
        let is_endless = target.is_some_and(|target| is_endless_at(document, target, within));
        within.pop();
        if is_endless {
            return true;
        }
    }
    let several = ["allOf", "anyOf"].iter().filter_map(|keyword| schema[*keyword].as_array()).flatten();
    let inside: Vec<&Value> = several.chain(schema.get("not")).collect();
    inside.into_iter().any(|schema| is_endless_at(document, schema, within))
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_document_accepts_what_the_tool_accepts(
        schema in document(),
        values in prop::collection::vec(value(), 8),
        inner in prop::collection::vec(value(), 8),
    ) {
        let resolved = documented(&schema);
        let built = |schema: &Value| {
            let built = jsonschema::options().offline().build(schema);
            built.map_err(|error| TestCaseError::fail(format!("{error}: {schema}")))
        };
        let (own, shown) = (built(&without_strangers(&schema))?, built(&resolved)?);
        prop_assume!(!is_endless(&schema));
        let inner = inner.into_iter().flat_map(|value| [json!({ "x": value }), json!({ "y": { "x": value } })]);
        for value in values.into_iter().chain(inner) {
            if value.is_object() {
                prop_assert_eq!(own.is_valid(&value), shown.is_valid(&value), "{} in {}", value, resolved);
            }
        }
    }

    #[test]
    fn no_schema_has_more_places_than_a_document_can_have(schema in document()) {
        let resolved = documented(&schema);
        prop_assert!(resolved.to_string().len() < 1 << 20);
        let only_components = |text: &str| text.matches("\"$ref\":\"").count() == text.matches("\"$ref\":\"#/components/schemas/").count();
        prop_assert!(only_components(&without_values(&resolved).to_string()), "{}", resolved);
    }
}

/// Removes constants, which may look like references.
fn without_values(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "const");
            Value::Object(members.map(|(name, value)| (name.clone(), without_values(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_values).collect(),
        other => other.clone(),
    }
}
