//! The list of keys in docs/config.md is that of the types.
//!
//! `CROSSWAY_BLESS=1 cargo test -p crossway-gateway --test config_page` writes it anew.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to the lint")]

mod generated;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use generated::assert_generated;
use serde_json::{Map, Value};

/// What begins the part that is generated.
const BEGINS: &str = "This section is generated from the code's types, as the schema is.\n";

/// A page of all that a schema describes.
struct Page<'a> {
    schema: &'a Value,
    text: String,
    /// The definitions that are told already, or about to be.
    told: BTreeSet<&'a str>,
    rest: Vec<&'a str>,
}

impl<'a> Page<'a> {
    fn section(&mut self, title: &str, schema: &'a Value) {
        let _ = write!(self.text, "\n### {title}\n");
        if let Some(description) = schema["description"].as_str() {
            let _ = write!(self.text, "\n{}\n", line(description));
        }
        if let Some(properties) = schema["properties"].as_object() {
            self.properties(properties, schema);
        }
        for key in ["oneOf", "anyOf"] {
            for (index, one) in schema[key].as_array().into_iter().flatten().enumerate() {
                self.one(one, index);
            }
        }
    }

    /// One of several forms.
    fn one(&mut self, one: &'a Value, index: usize) {
        let description = one["description"].as_str().map(line).unwrap_or_default();
        if let Some(word) = one["const"].as_str() {
            let _ = writeln!(self.text, "{}- `{word}`: {description}", if index == 0 { "\n" } else { "" });
            return;
        }
        let Some(properties) = one["properties"].as_object() else {
            if !description.is_empty() {
                let kind = self.kind(one);
                let _ = write!(self.text, "\n{description} ({kind})\n");
            }
            return;
        };
        let _ = write!(self.text, "\n{description}\n");
        self.properties(properties, one);
        if let Some(reference) = one["$ref"].as_str() {
            let definition = self.definition(reference);
            if let Some(properties) = definition["properties"].as_object() {
                self.properties(properties, definition);
            }
        }
    }

    fn properties(&mut self, properties: &'a Map<String, Value>, of: &Value) {
        let required: BTreeSet<_> =
            of["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        self.text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
        for (key, property) in properties {
            let kind = self.kind(property);
            let default = match property.get("default") {
                _ if required.contains(key.as_str()) => "required".to_owned(),
                Some(Value::Object(_) | Value::Null) | None => String::new(),
                Some(default) => format!("`{default}`"),
            };
            let description = property["description"].as_str().map(line).unwrap_or_default();
            let _ = writeln!(self.text, "| `{key}` | {kind} | {default} | {description} |");
        }
    }

    /// What a key takes, in words.
    fn kind(&mut self, schema: &'a Value) -> String {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            let definition = self.definition(reference);
            let is_plain = definition.get("properties").is_none()
                && definition.get("oneOf").is_none()
                && definition.get("anyOf").is_none();
            if is_plain {
                return match name {
                    "Hidden" | "TenantName" => "text".to_owned(),
                    _ => title(name).to_lowercase(),
                };
            }
            if self.told.insert(name) {
                self.rest.push(name);
            }
            return format!("[{}](#{})", title(name), title(name).to_lowercase().replace(' ', "-"));
        }
        if let Some(word) = schema["const"].as_str() {
            return format!("`{word}`");
        }
        if let Some(any) = schema["anyOf"].as_array() {
            let some = any.iter().find(|one| one["type"] != "null").unwrap();
            return self.kind(some);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").unwrap(),
            kind => kind,
        };
        match kind.as_str() {
            Some("string") => "text".to_owned(),
            Some("integer") => "whole number".to_owned(),
            Some("boolean") => "true or false".to_owned(),
            Some("array") => format!("list: {}", self.kind(&schema["items"])),
            Some("object") => {
                let by_pattern =
                    schema["patternProperties"].as_object().and_then(|inner| inner.values().next());
                match by_pattern.or_else(|| schema.get("additionalProperties")) {
                    Some(inner) if inner.is_object() => format!("map: {}", self.kind(inner)),
                    _ => "map".to_owned(),
                }
            }
            _ => "anything".to_owned(),
        }
    }

    fn definition(&self, reference: &str) -> &'a Value {
        self.schema.pointer(reference.trim_start_matches('#')).unwrap()
    }
}

/// `UpstreamLimitsFile` as `Upstream limits`.
fn title(name: &str) -> String {
    let name = name.strip_suffix("File").or_else(|| name.strip_suffix("Config")).unwrap_or(name);
    let mut title = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !title.is_empty() {
            title.push(' ');
        }
        title.extend(if title.is_empty() { c.to_uppercase().next() } else { c.to_lowercase().next() });
    }
    title
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[test]
fn the_list_of_keys_is_that_of_the_types() {
    let schema: Value = serde_json::from_str(&crossway_gateway::config::schema()).unwrap();
    let mut page = Page { schema: &schema, text: String::new(), told: BTreeSet::new(), rest: Vec::new() };
    page.section("The file", &schema);
    let mut done = 0;
    while let Some(name) = page.rest.get(done).copied() {
        done += 1;
        page.section(&title(name), &schema["$defs"][name]);
    }
    assert!(done > 20, "{done} sections");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let found = fs::read_to_string(&path).unwrap();
    let (intro, _) = found.split_once(BEGINS).unwrap();
    assert_generated("docs/config.md", &[intro, BEGINS, &page.text].concat());
}

#[test]
fn the_least_config_of_the_page_can_be_used() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, example) = page.split_once("```yaml file=crossway.yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let loaded = crossway_gateway::config::parse(Path::new("a.yaml"), example, |_| None).unwrap();
    assert_eq!(loaded.upstreams.len(), 1);
}
