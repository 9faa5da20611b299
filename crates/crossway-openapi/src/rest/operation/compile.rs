//! Compiles operations into tools.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use http::Method;
use serde_json::{Map, Value, json};

use super::super::document::Document;
use super::super::limits;
use super::super::names::fitting;
use super::super::schema::{BadSchema, Converting, Schemas, Side, short};
use super::super::security::{Schemes, SecurityPlace};
use super::answer::{add, output_schema};
use super::body::{Media, is_binary, media};
use super::parameters::{Described, parameters};
use super::{Body, Fields, MediaKind, Operation, Place, Template, Unusable};

/// The context in which operations are compiled.
pub(in crate::rest) struct Context<'a> {
    pub(in crate::rest) document: &'a Document,
    pub(in crate::rest) schemes: Schemes,
    /// Whether tools have output schemas.
    pub(in crate::rest) has_output_schemas: bool,
}

impl<'a> Context<'a> {
    /// `filled` are the places that credentials fill, whatever the document says.
    pub(in crate::rest) fn new(
        document: &'a Document,
        has_output_schemas: bool,
        filled: &BTreeSet<SecurityPlace>,
    ) -> Self {
        Self { document, schemes: Schemes::of(document).with(filled), has_output_schemas }
    }
}

/// Compiles an operation into a tool.
pub(in crate::rest) fn compile(
    context: &Context<'_>,
    path: &str,
    method: Method,
    item: &Value,
    operation: &Value,
    tool: String,
) -> Result<Operation, Unusable> {
    let document = context.document;
    if !operation.is_object() {
        return Err(Unusable::Shape("description"));
    }
    let template = Template::parse(path)?;
    let described = parameters(document, item, operation, &template, &context.schemes)?;
    let media = media(document, operation)?;
    let (made, definitions) = Schemas::convert(document, Side::Request, |converting| {
        arguments(&described, media.as_ref(), converting)
    })?;
    let Arguments { schemas, required, names, fields } = made;
    let mut input = Map::new();
    input.insert("type".to_owned(), "object".into());
    input.insert("properties".to_owned(), schemas.into());
    if !required.is_empty() {
        input.insert("required".to_owned(), required.iter().cloned().collect());
    }
    input.insert("additionalProperties".to_owned(), false.into());
    add(&mut input, definitions);
    let output = context.has_output_schemas.then(|| output_schema(document, &method, operation)).flatten();
    let definition = definition(&tool, &method, path, operation, input, output.as_ref());
    let (definition, is_structured) = match definition {
        long if long.len() > limits::TOOL_BYTES && output.is_some() => {
            // The output schema is dispensable.
            let mut tool: Value = serde_json::from_str(&long).unwrap_or_default();
            tool.as_object_mut().map(|tool| tool.remove("outputSchema"));
            (tool.to_string(), false)
        }
        definition => (definition, output.is_some()),
    };
    if definition.len() > limits::TOOL_BYTES {
        return Err(Unusable::TooLong { bytes: definition.len(), limit: limits::TOOL_BYTES });
    }
    let parameters = names.into_iter().zip(described).map(|(name, described)| (name, described.parameter));
    let body = media.zip(fields).map(|(media, fields)| Body {
        kind: media.kind,
        mime: media.mime.to_owned(),
        is_required: media.is_required,
        fields,
        encodings: media.encodings,
    });
    Ok(Operation {
        tool,
        definition: definition.into(),
        method,
        path: template,
        parameters: parameters.collect(),
        required,
        wanted: context.schemes.wanted(document, operation),
        body,
        is_structured,
        checker: OnceLock::new(),
    })
}

/// The arguments of a tool.
struct Arguments {
    schemas: Map<String, Value>,
    required: BTreeSet<String>,
    /// The names of the parameters' arguments, in their order.
    names: Vec<String>,
    fields: Option<Fields>,
}

fn arguments<'a>(
    described: &[Described<'a>],
    media: Option<&Media<'a>>,
    converting: &mut Converting<'_, 'a>,
) -> Result<Arguments, BadSchema> {
    let mut made =
        Arguments { schemas: Map::new(), required: BTreeSet::new(), names: Vec::new(), fields: None };
    for Described { parameter, schema, description } in described {
        let mut schema = match schema {
            Some(node) => object(converting.schema(node)?),
            None => Map::from_iter([("type".to_owned(), "string".into())]),
        };
        describe(&mut schema, *description);
        let place = match parameter.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header(_) => "header",
            Place::Cookie => "cookie",
        };
        let name = free(&made.schemas, &parameter.name, place);
        if parameter.is_required {
            made.required.insert(name.clone());
        }
        made.schemas.insert(name.clone(), schema.into());
        made.names.push(name);
    }
    if let Some(media) = media {
        body(media, converting, &mut made)?;
    }
    Ok(made)
}

/// Adds the arguments of a body: one for each member of an object whose members are all named, and a single one for anything else.
fn body<'a>(
    media: &Media<'a>,
    converting: &mut Converting<'_, 'a>,
    made: &mut Arguments,
) -> Result<(), BadSchema> {
    let mut schema = match (media.kind, media.schema) {
        (MediaKind::Binary, _) => base64(Map::new()),
        (_, Some(schema)) => object(converting.schema(schema)?),
        (MediaKind::Text, None) => Map::from_iter([("type".to_owned(), "string".into())]),
        (_, None) => Map::from_iter([("type".to_owned(), "object".into())]),
    };
    let has_members = matches!(media.kind, MediaKind::Json | MediaKind::Form | MediaKind::Multipart);
    if media.kind == MediaKind::Multipart || media.kind == MediaKind::Form {
        bytes_in_base64(&mut schema, media);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    if let (true, Some(properties)) = (has_members && is_plain_object(&schema), properties) {
        let required: Vec<&str> = texts(schema.get("required"));
        let mut members = BTreeMap::new();
        for (name, property) in properties {
            let argument = free(&made.schemas, name, "body");
            if media.is_required && required.contains(&name.as_str()) {
                made.required.insert(argument.clone());
            }
            made.schemas.insert(argument.clone(), property.clone());
            members.insert(argument, name.clone());
        }
        made.fields = Some(Fields::Members(members));
        return Ok(());
    }
    match media.kind {
        MediaKind::Text if !is_yaml(media.mime) && !is_text(&schema) => schema = text_schema(media),
        _ => describe(&mut schema, media.description),
    }
    let argument = free(&made.schemas, "body", "request");
    if media.is_required {
        made.required.insert(argument.clone());
    }
    made.schemas.insert(argument.clone(), schema.into());
    made.fields = Some(Fields::Whole(argument));
    Ok(())
}

/// Rewrites the schemas of a form's binary members as base64 texts, wherever the form's schema names them.
fn bytes_in_base64(schema: &mut Map<String, Value>, media: &Media<'_>) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            let is_said = media.encodings.get(name).is_some_and(|encoding| encoding.is_binary);
            let is_bytes = is_said || is_binary(property);
            match property.get_mut("items") {
                Some(items) if is_said || is_binary(items) => *items = base64(object(items.take())).into(),
                None if is_bytes => *property = base64(object(property.take())).into(),
                _ => {}
            }
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let branches = schema.get_mut(keyword).and_then(Value::as_array_mut);
        for branch in branches.into_iter().flatten().filter_map(Value::as_object_mut) {
            bytes_in_base64(branch, media);
        }
    }
}

/// Whether a body's schema describes a text. Only texts have a `contentEncoding`.
fn is_text(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
        Some(kind) => kind == "string",
        None => schema.contains_key("contentEncoding"),
    }
}

/// Whether a media type is YAML. JSON is YAML, so a body can be written from its schema; other text formats can't.
fn is_yaml(mime: &str) -> bool {
    let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("yaml")
}

/// The schema of the argument for a body whose text the caller has to write.
fn text_schema(media: &Media<'_>) -> Map<String, Value> {
    let text = format!("The text of the body, in {}.", media.mime);
    let said = media.description.map(str::trim).filter(|said| !said.is_empty());
    let text = said.map_or(text.clone(), |said| format!("{said}\n\n{text}"));
    let mut schema = Map::from_iter([("type".to_owned(), "string".into())]);
    describe(&mut schema, Some(&text));
    schema
}

/// Whether a schema describes an object whose members are all named.
fn is_plain_object(schema: &Map<String, Value>) -> bool {
    const KNOWN: [&str; 8] = [
        "additionalProperties",
        "default",
        "description",
        "examples",
        "properties",
        "required",
        "title",
        "type",
    ];
    let is_closed = match schema.get("additionalProperties") {
        None => true,
        Some(more) => *more == Value::Bool(false),
    };
    let named = schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    let required = texts(schema.get("required"));
    let has = |name: &&str| schema.get("properties").is_some_and(|all| all.get(*name).is_some());
    is_closed
        && named
        && schema.get("type").is_none_or(|kind| kind == "object")
        && schema.keys().all(|key| KNOWN.contains(&key.as_str()))
        && required.iter().all(has)
}

fn texts(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A schema as an object: `true` and `false` say nothing about arguments.
fn object(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn base64(mut schema: Map<String, Value>) -> Map<String, Value> {
    if schema.remove("format").is_some() {
        // Keywords about the bytes do not hold for their base64.
        schema.retain(|keyword, _| !["minLength", "maxLength", "pattern"].contains(&keyword.as_str()));
    }
    schema.insert("type".to_owned(), "string".into());
    schema.insert("contentEncoding".to_owned(), "base64".into());
    schema
}

fn describe(schema: &mut Map<String, Value>, description: Option<&str>) {
    if let Some(description) = description.filter(|text| !text.trim().is_empty()) {
        schema.insert("description".to_owned(), short(description).into());
    }
}

/// A name that no argument has yet: unchanged, or with its place before it, or with a number too.
fn free(taken: &Map<String, Value>, name: &str, place: &str) -> String {
    let plain = argument_name(name);
    if !taken.contains_key(&plain) {
        return plain;
    }
    let placed = argument_name(&format!("{place}_{plain}"));
    let mut free = placed.clone();
    let mut number = 1;
    while taken.contains_key(&free) {
        number += 1;
        free = argument_name(&format!("{number}_{placed}"));
    }
    free
}

/// An argument name that models' APIs accept: `filter[name]` becomes `filter_name`.
fn argument_name(name: &str) -> String {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=limits::NAME_BYTES).contains(&name.len()) && name.bytes().all(is_fit) {
        return name.to_owned();
    }
    let name = fitting(name);
    if name.is_empty() { "argument".to_owned() } else { name }
}

/// The tool's definition (2026-07-28, server/tools, Tool).
fn definition(
    tool: &str,
    method: &Method,
    path: &str,
    operation: &Value,
    input: Map<String, Value>,
    output: Option<&Value>,
) -> String {
    let text =
        |member| operation.get(member).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let (summary, description) = (text("summary"), text("description"));
    let told = match (summary, description) {
        (Some(summary), Some(description)) if description.starts_with(summary) => description.to_owned(),
        (Some(summary), Some(description)) => format!("{summary}\n\n{description}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => format!("{method} {path}"),
    };
    let mut tool = json!({
        "name": tool,
        "description": short(&told),
        "inputSchema": input,
        "annotations": annotations(method),
    });
    if let Some(summary) = summary.filter(|summary| summary.len() <= limits::NAME_BYTES * 2) {
        tool["title"] = summary.into();
    }
    if let Some(output) = output {
        tool["outputSchema"] = output.clone();
    }
    tool.to_string()
}

/// The hints (2026-07-28, server/tools, ToolAnnotations) that follow from a method's semantics (RFC 9110, section 9.2).
fn annotations(method: &Method) -> Value {
    match *method {
        Method::GET | Method::HEAD => json!({ "readOnlyHint": true, "openWorldHint": true }),
        Method::PUT => json!({ "readOnlyHint": false, "idempotentHint": true, "openWorldHint": true }),
        Method::DELETE => json!({
            "readOnlyHint": false, "destructiveHint": true, "idempotentHint": true, "openWorldHint": true,
        }),
        _ => json!({ "readOnlyHint": false, "openWorldHint": true }),
    }
}
