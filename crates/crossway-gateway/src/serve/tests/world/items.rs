//! What the servers have in each version of their lists.

use serde_json::{Value, json};

pub(super) fn tools(version: u32) -> Value {
    let tool = |name: &str, reads: bool| {
        json!({
            "name": name, "description": format!("{name}, of version {version}"), "inputSchema": { "type": "object" },
            "annotations": { "readOnlyHint": reads },
        })
    };
    let mut tools = vec![
        tool("get_a", true),
        tool("get_b", true),
        tool("slow", false),
        tool("fail", false),
        tool("die", false),
    ];
    // From here on: what comes and goes.
    if version.is_multiple_of(2) {
        tools.insert(1, tool("set_a", false));
    } else {
        tools.push(tool("get_c", true));
    }
    Value::Array(tools)
}

pub(super) fn prompts(version: u32) -> Value {
    let mut prompts = vec![json!({ "name": "ask_a" }), json!({ "name": "tell_b" })];
    if !version.is_multiple_of(2) {
        prompts.push(json!({ "name": "ask_c" }));
    }
    Value::Array(prompts)
}

pub(super) fn resources(name: &str, version: u32) -> Value {
    let mut resources = vec![
        json!({ "uri": format!("{name}://r/1"), "name": "1" }),
        // All servers have this one.
        json!({ "uri": "mem://x/1", "name": "x" }),
    ];
    if !version.is_multiple_of(2) {
        resources.push(json!({ "uri": format!("{name}://r/2"), "name": "2" }));
    }
    Value::Array(resources)
}

/// Whether a server has a resource of this URI, listed, of a template, or linked to.
pub(super) fn has_resource(name: &str, uri: &str) -> bool {
    uri == "mem://x/1"
        || uri.starts_with("mem://y/")
        || uri.starts_with(&format!("{name}://r/"))
        || uri == linked(name)
}

/// The URI of the resource that a server links to. No list has it, and no template.
pub(super) fn linked(name: &str) -> String {
    format!("linked://{name}")
}

pub(super) fn templates(name: &str) -> Value {
    json!([
        { "uriTemplate": format!("{name}://r/{{id}}"), "name": "r" },
        { "uriTemplate": "mem://y/{id}", "name": "y" },
    ])
}
