//! The fuzz target: documents, and the tools that are made of them.

use std::collections::BTreeSet;

use crossway_openapi::CallOptions;
use crossway_openapi::rest::{Api, ApiOptions, Document, RestUpstream, limits};
use crossway_proto::{Message, RequestId};
use crossway_service::{Call, Context, Scope, Upstream};
use serde_json::{Value, json};

/// Any document is refused with a reason or gives tools: each with a unique, valid name, and with self-contained schemas within their
/// bounds. Any arguments give a request or are refused.
pub(crate) fn run(data: &[u8]) {
    let document = match Document::parse(data) {
        Ok(document) => document,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let options = ApiOptions::new().server("https://api.example").deprecated(true);
    let api = match Api::new(&document, &options) {
        Ok(api) => api,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(api.left_out().iter().all(|left| !left.why.to_string().is_empty()));
    assert!(
        api.unfilled(|_| false).iter().all(|unfilled| unfilled.operations > 0 && !unfilled.wanted.is_empty())
    );
    let upstream = RestUpstream::new(api.clone(), CallOptions::new());
    let tools = list(&upstream);
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, api.tools().collect::<Vec<_>>());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a name twice");
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    for tool in &tools {
        let name = tool["name"].as_str().unwrap_or_default();
        assert!((1..=limits::NAME_BYTES).contains(&name.len()) && name.chars().all(fits), "{name:?}");
        assert!(tool.to_string().len() <= limits::TOOL_BYTES);
        let input = &tool["inputSchema"];
        assert_eq!(input["type"], "object");
        let arguments: BTreeSet<&String> =
            input["properties"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        let required = input["required"].as_array().into_iter().flatten();
        for name in required {
            assert!(
                arguments.iter().any(|argument| *name == ***argument),
                "{name} is required, and is no argument"
            );
        }
        for schema in [input, &tool["outputSchema"]] {
            stands_alone(schema, schema);
        }
    }
    for tool in tools.iter().take(CALLED) {
        for arguments in arguments(&tool["inputSchema"]) {
            begin(&upstream, &tool["name"], &arguments);
        }
    }
}

/// How many tools of a document are called: further ones are alike.
const CALLED: usize = 16;

/// Text that could end a path, a query, a header, a cookie or a part.
const HOSTILE: &str = "../a;b=c/d,e?f#g.h\r\ni: j\0 %2F\"&é";

/// Arguments of all kinds: some that fit at first sight, and some that do not.
fn arguments(input: &Value) -> Vec<Value> {
    let all = |value: &dyn Fn(&Value) -> Value| -> Value {
        let properties = input["properties"].as_object().into_iter().flatten();
        properties
            .map(|(name, schema)| (name.clone(), value(schema)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    vec![
        json!({}),
        all(&fitting),
        all(&|_| HOSTILE.into()),
        all(&|_| json!([HOSTILE, "", null])),
        all(&|_| json!({ HOSTILE: HOSTILE, "": { "a": [1] } })),
    ]
}

fn fitting(schema: &Value) -> Value {
    if let Some(one) = schema["enum"].as_array().and_then(|values| values.first()) {
        return one.clone();
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        Some("boolean") => true.into(),
        Some("null") => Value::Null,
        Some("array") => json!(["a", HOSTILE, 1]),
        Some("object") => json!({ HOSTILE: HOSTILE }),
        _ => HOSTILE.into(),
    }
}

/// Builds a call's request. Its reply is not polled, so nothing is sent.
fn begin(upstream: &RestUpstream, tool: &Value, arguments: &Value) {
    let params = json!({ "name": tool, "arguments": arguments }).to_string();
    let request = Message::request_of(&RequestId::from("1"), "tools/call", Some(params.as_bytes()));
    let request = request.unwrap_or_else(|error| panic!("no request: {error}"));
    drop(upstream.connect(Scope::Shared).call(Call::message(request, Context::default())));
}

/// Lists all tools, over all pages.
fn list(upstream: &RestUpstream) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let (mut tools, mut params) = (Vec::new(), json!({}));
    loop {
        let id = RequestId::from("1");
        let request = Message::request_of(&id, "tools/list", Some(params.to_string().as_bytes()));
        let request = request.unwrap_or_else(|error| panic!("no request: {error}"));
        let mut reply = upstream.connect(Scope::Shared).call(Call::message(request, Context::default()));
        let Some(Ok(answer)) = runtime.block_on(reply.next()) else { panic!("no answer") };
        let answer: Value = serde_json::from_slice(&answer.to_bytes()).unwrap_or_default();
        tools.extend(
            answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}")).iter().cloned(),
        );
        let Some(next) = answer["result"]["nextCursor"].as_str() else { return tools };
        params = json!({ "cursor": next });
    }
}

/// Checks that each reference in a schema is to a definition of its own. Lookalikes in examples are ignored.
fn stands_alone(schema: &Value, root: &Value) {
    match schema {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let name = reference.strip_prefix("#/$defs/");
                assert!(
                    name.is_some_and(|name| root["$defs"].get(name).is_some()),
                    "{reference} leads nowhere"
                );
            }
            let held = members
                .iter()
                .filter(|(name, _)| !["enum", "const", "default", "examples"].contains(&name.as_str()));
            held.for_each(|(_, schema)| stands_alone(schema, root));
        }
        Value::Array(list) => list.iter().for_each(|schema| stands_alone(schema, root)),
        _ => {}
    }
}
