use serde_json::json;

use super::*;

fn document(version: &str, schemas: Value) -> Document {
    let text = json!({ "openapi": version, "paths": {}, "components": { "schemas": schemas } }).to_string();
    Document::parse(text.as_bytes()).unwrap()
}

fn converted(document: &Document, side: Side) -> Result<(Value, Map<String, Value>), BadSchema> {
    let node = document.root().pointer("/components/schemas/It").unwrap();
    Schemas::convert(document, side, |converting| converting.schema(node))
}

fn of(version: &str, schemas: Value) -> (Value, Value) {
    let document = document(version, schemas);
    let (schema, definitions) = converted(&document, Side::Request).unwrap();
    (schema, definitions.into())
}

#[test]
fn references_stand_in_their_places_and_what_is_for_the_other_side_is_gone() {
    let schemas = json!({
        "It": {
            "type": "object",
            "required": ["id", "card"],
            "properties": {
                "id": { "type": "string", "readOnly": true },
                "card": { "$ref": "#/components/schemas/Card" },
            },
            "example": {}, "x-mcp-header": "Region", "xml": {},
        },
        "Card": { "type": "string", "writeOnly": true },
    });
    let (schema, definitions) = of("3.0.3", schemas.clone());
    let wanted =
        json!({ "type": "object", "required": ["card"], "properties": { "card": { "type": "string" } } });
    assert_eq!((schema, definitions), (wanted, json!({})));
    let document = document("3.0.3", schemas);
    let (answer, _) = converted(&document, Side::Answer).unwrap();
    assert_eq!(answer["required"], json!(["id"]));
    assert_eq!(answer["properties"], json!({ "id": { "type": "string" } }));
}

#[test]
fn what_is_hidden_is_asked_for_nowhere() {
    let read_only = json!({ "type": "string", "readOnly": true });
    let parts = json!([
        { "properties": { "id": { "type": "string" }, "name": {} } },
        { "$ref": "#/components/schemas/Base" },
        { "required": ["id", "name"] },
    ]);
    let base = json!({ "properties": { "id": read_only }, "required": ["id"] });
    let by_reference = json!({ "allOf": [{ "$ref": "#/components/schemas/Id" }] });
    for version in ["3.0.3", "3.1.0"] {
        for (it, wanted) in [
            (
                json!({ "allOf": parts }),
                json!({ "allOf": [{ "properties": { "name": {} } }, { "properties": {} }, { "required": ["name"] }] }),
            ),
            (
                json!({ "properties": { "id": by_reference, "name": {} }, "required": ["id", "name"] }),
                json!({ "properties": { "name": {} }, "required": ["name"] }),
            ),
            // A member hidden in one alternative is left out there, and can't be required by what holds for all of them.
            (
                json!({ "required": ["id"], "oneOf": [{ "$ref": "#/components/schemas/Base" }, { "required": ["id"] }] }),
                json!({ "oneOf": [{ "properties": {} }, { "required": ["id"] }] }),
            ),
            // `not` with `required` does not require the member.
            (
                json!({ "properties": { "id": read_only }, "not": { "required": ["id"] } }),
                json!({ "properties": {}, "not": { "required": ["id"] } }),
            ),
        ] {
            let schemas = json!({ "It": it, "Base": base, "Id": read_only });
            assert_eq!(of(version, schemas).0, wanted, "{version}");
        }
    }
    let beside = json!({ "$ref": "#/components/schemas/Base", "required": ["id", "name"] });
    let schemas = json!({ "It": beside, "Base": base });
    assert_eq!(of("3.1.0", schemas).0, json!({ "allOf": [{ "properties": {} }], "required": ["name"] }));
}

#[test]
fn what_says_itself_that_it_is_hidden_is_so_when_no_more_is_looked_for() {
    let mut schemas = Map::new();
    let refer = |to: usize| json!({ "$ref": format!("#/components/schemas/L{to}") });
    for level in 0..400 {
        let properties = json!({ "id": { "readOnly": true }, "next": refer(level + 1) });
        schemas.insert(format!("L{level}"), json!({ "allOf": [refer(level + 1)], "properties": properties }));
    }
    schemas.insert("L400".to_owned(), json!({ "properties": { "last": { "readOnly": true } } }));
    schemas.insert("It".to_owned(), json!({ "prefixItems": [refer(0)] }));
    let (_, definitions) = of("3.1.0", schemas.into());
    assert_eq!(definitions.as_object().unwrap().len(), 401);
    for (name, schema) in definitions.as_object().unwrap() {
        assert!(schema["properties"].get("id").is_none(), "{name}");
    }
}

#[test]
fn a_keyword_that_nobody_knows_is_gone_with_what_looks_like_a_reference_in_it() {
    let typing_error =
        json!({ "type": "object", "propeerits": { "a": { "$ref": "https://evil.example/s" } } });
    for version in ["3.0.3", "3.1.0"] {
        assert_eq!(of(version, json!({ "It": typing_error.clone() })).0, json!({ "type": "object" }));
    }
}

#[test]
fn a_bound_that_is_true_is_none_also_in_a_document_of_3_1() {
    let schema = json!({
        "type": "object",
        "properties": {
            "a": { "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false },
            "b": { "exclusiveMinimum": 0, "exclusiveMaximum": true },
        },
    });
    for version in ["3.0.3", "3.1.0"] {
        let properties =
            json!({ "a": { "exclusiveMinimum": 0, "maximum": 9 }, "b": { "exclusiveMinimum": 0 } });
        let wanted = json!({ "type": "object", "properties": properties });
        assert_eq!(of(version, json!({ "It": schema.clone() })).0, wanted);
    }
}

#[test]
fn what_3_0_has_otherwise_is_said_as_json_schema_says_it() {
    for (schema, wanted) in [
        (json!({ "type": "string", "nullable": true }), json!({ "type": ["string", "null"] })),
        (
            json!({ "type": "string", "nullable": true, "enum": ["a"] }),
            json!({ "type": ["string", "null"], "enum": ["a", null] }),
        ),
        (
            json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true }),
            json!({ "type": "integer", "exclusiveMinimum": 1 }),
        ),
        (json!({ "maximum": 1, "exclusiveMaximum": false, "nullable": false }), json!({ "maximum": 1 })),
        (
            json!({ "nullable": true, "allOf": [{ "type": "object" }] }),
            json!({ "anyOf": [{ "allOf": [{ "type": "object" }] }, { "type": "null" }] }),
        ),
        (json!({ "type": "file", "required": true, "enum": [] }), json!({})),
    ] {
        assert_eq!(of("3.0.0", json!({ "It": schema })).0, wanted);
    }
}

#[test]
fn what_stands_beside_a_reference_counts_in_3_1_alone() {
    let schemas = json!({
        "It": { "$ref": "#/components/schemas/Name", "description": "theirs", "minLength": 2 },
        "Name": { "type": "string", "minLength": 1 },
    });
    let plain = json!({ "type": "string", "minLength": 1 });
    assert_eq!(of("3.0.0", schemas.clone()).0, plain);
    assert_eq!(of("3.1.0", schemas).0, json!({ "allOf": [plain], "description": "theirs", "minLength": 2 }));
}

#[test]
fn a_schema_that_refers_to_itself_keeps_its_references() {
    let (schema, definitions) = of(
        "3.1.0",
        json!({
            "It": { "type": "object", "properties": { "next": { "$ref": "#/components/schemas/It" } } },
        }),
    );
    assert_eq!(schema["properties"]["next"]["$ref"], "#/$defs/It");
    assert_eq!(definitions["It"]["properties"]["next"]["$ref"], "#/$defs/It");
}

#[test]
fn schemas_that_would_grow_without_end_keep_their_references() {
    let mut schemas = Map::new();
    for level in 0..40 {
        let next = format!("#/components/schemas/L{}", level + 1);
        let twice = json!({ "type": "array", "prefixItems": [{ "$ref": next }, { "$ref": next }] });
        schemas.insert(format!("L{level}"), twice);
    }
    schemas.insert("L40".to_owned(), json!({ "type": "string" }));
    schemas.insert("It".to_owned(), json!({ "$ref": "#/components/schemas/L0" }));
    let (schema, definitions) = of("3.1.0", schemas.into());
    assert_eq!(schema, json!({ "$ref": "#/$defs/L0" }));
    assert_eq!(definitions.as_object().unwrap().len(), 41);
}

#[test]
fn references_that_lead_nowhere_are_told() {
    for (schema, wanted) in [
        (json!({ "$ref": "https://evil.example/x.json" }), "which is not fetched"),
        (json!({ "$ref": "other.yaml#/A" }), "which is not fetched"),
        (json!({ "$ref": "#/components/schemas/None" }), "and nothing is there"),
        (json!({ "$ref": "#/components/schemas/It" }), "leads in a circle"),
        (json!({ "$dynamicRef": "#node" }), "uses $dynamicRef"),
    ] {
        let document = document("3.1.0", json!({ "It": schema }));
        let error = converted(&document, Side::Request).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_long_text_is_not_copied_for_each_reference_to_it() {
    let long = json!({ "const": "x".repeat(limits::SCHEMA_BYTES / 4) });
    let of_it = vec![json!({ "$ref": "#/components/schemas/Long" }); 8];
    let (schema, definitions) = of("3.1.0", json!({ "It": { "prefixItems": of_it }, "Long": long }));
    assert_eq!(schema["prefixItems"][7], json!({ "$ref": "#/$defs/Long" }));
    assert_eq!(definitions.as_object().unwrap().len(), 1);
    let name = "x".repeat(limits::SCHEMA_BYTES + 1);
    for longer in [json!({ "const": name }), json!({ "properties": { &name: {} } })] {
        let document = document("3.1.0", json!({ "It": longer }));
        assert_eq!(converted(&document, Side::Request), Err(BadSchema::TooLong));
    }
}

#[test]
fn a_schema_that_is_too_large_is_refused() {
    let many: Vec<Value> = (0..=limits::SCHEMA_VALUES).map(Value::from).collect();
    let document = document("3.1.0", json!({ "It": { "enum": many } }));
    assert_eq!(converted(&document, Side::Request), Err(BadSchema::TooMuch));
    let mut deep = json!({});
    for _ in 0..=limits::SCHEMA_DEPTH {
        deep = json!({ "not": deep });
    }
    let document = self::document("3.1.0", json!({ "It": deep }));
    assert_eq!(converted(&document, Side::Request), Err(BadSchema::TooDeep));
}
