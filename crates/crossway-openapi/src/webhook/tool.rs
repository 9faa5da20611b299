//! A webhook as a tool.

use std::sync::Arc;

use http::{Method, Uri};
use serde_json::{Map, Value, json};

use super::{Output, Template, limits};
use crate::checks::limits::NAME_CHARS;
use crate::checks::{Checker, faults_in_words};

/// A webhook as a tool: its description, its URL, the request to send, and the result's place in the answer.
///
/// ```
/// use crossway_openapi::webhook::WebhookTool;
/// use serde_json::json;
///
/// // n8n's chat trigger.
/// let tool = WebhookTool::new("ask_helpdesk", "https://n8n.example/webhook/helpdesk/chat")?
///     .description("Asks the help desk's assistant.")
///     .input(&json!({ "type": "object", "properties": { "question": { "type": "string" } }, "required": ["question"] }))?
///     .body(&json!({ "sessionId": "{session}", "chatInput": "{args.question}" }))?
///     .output("output".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookTool {
    pub(super) name: String,
    pub(super) description: String,
    /// Validates arguments against the input schema.
    input: Arc<Checker>,
    pub(super) url: Uri,
    pub(super) method: Method,
    pub(super) body: Template,
    pub(super) output: Output,
    pub(super) is_read_only: bool,
}

/// Why a webhook can't be a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTool {
    /// The name is invalid.
    #[error("{0:?} can't be the name of a tool: 1 to 64 of A-Z a-z 0-9 _ -")]
    Name(String),
    /// The URL is invalid.
    #[error("its URL can't be used: {0}")]
    Url(&'static str),
    /// The input schema is not an object's.
    #[error(
        "its input has to be a JSON Schema of an object, such as {{ type: object, properties: {{ question: {{ type: string }} }} }}"
    )]
    Input,
    /// The input schema can't be used for validation.
    #[error("its input can't be used: {0}")]
    Schema(String),
    /// The body has a place for an argument that the input schema does not name.
    #[error("its body has a place for {{args.{0}}}, and its input has no such property")]
    NoArgument(String),
    /// The body is not a valid template.
    #[error(transparent)]
    Body(#[from] super::BadTemplate),
    /// The method is not one that webhooks accept.
    #[error("{0:?} is no method of a webhook; there are POST, PUT and PATCH")]
    Method(String),
}

impl WebhookTool {
    /// A webhook that takes any object by POST, and whose whole answer is the result.
    ///
    /// # Errors
    ///
    /// When the name or the URL is invalid.
    pub fn new(name: &str, url: &str) -> Result<Self, BadTool> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(BadTool::Name(name.chars().take(limits::QUOTED_NAME_CHARS).collect()));
        }
        let parsed = url::Url::parse(url).map_err(|_| BadTool::Url("it is no URL"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(BadTool::Url("it has to begin with http:// or https://"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(BadTool::Url("it has a user or a password in it, which go into a header"));
        }
        let plain = parsed.as_str().split('#').next().unwrap_or_default();
        let url = plain.parse().map_err(|_| BadTool::Url("it is no URL"))?;
        Ok(Self {
            name: name.to_owned(),
            description: String::new(),
            input: checker(&json!({ "type": "object" }))?,
            url,
            method: Method::POST,
            body: Template::arguments(),
            output: Output::Whole,
            is_read_only: false,
        })
    }

    /// Sets the tool's description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets the input schema: a JSON Schema of an object (2020-12, unless it names another dialect), which arguments have to match.
    ///
    /// # Errors
    ///
    /// When it is not an object's or not a valid schema, refers to another document, or lacks an argument that the body has a place for.
    pub fn input(mut self, schema: &Value) -> Result<Self, BadTool> {
        let schema = schema.as_object().ok_or(BadTool::Input)?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(BadTool::Input);
        }
        self.input = checker(&Value::Object(schema.clone()))?;
        self.with_places_filled()
    }

    /// Sets the body: a [`Template`].
    ///
    /// # Errors
    ///
    /// When the template is invalid, or has a place for an argument that the input schema does not name.
    pub fn body(mut self, template: &Value) -> Result<Self, BadTool> {
        self.body = Template::new(template)?;
        self.with_places_filled()
    }

    /// Checks that the input schema names each argument that the body has a place for.
    fn with_places_filled(self) -> Result<Self, BadTool> {
        if let Some(properties) = self.input.schema().get("properties")
            && let Some(name) = self.body.names().into_iter().find(|name| properties.get(*name).is_none())
        {
            return Err(BadTool::NoArgument(name.to_owned()));
        }
        Ok(self)
    }

    /// Sets the result's place in the answer.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Sets the method: POST, PUT or PATCH.
    ///
    /// # Errors
    ///
    /// When it is another method.
    pub fn method(mut self, method: &str) -> Result<Self, BadTool> {
        self.method = match method.to_ascii_uppercase().as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            _ => return Err(BadTool::Method(method.chars().take(limits::QUOTED_METHOD_CHARS).collect())),
        };
        Ok(self)
    }

    /// Sets whether the tool changes nothing (`readOnlyHint`). Clients and grants may require that.
    #[must_use]
    pub fn read_only(mut self, is_read_only: bool) -> Self {
        self.is_read_only = is_read_only;
        self
    }

    /// The tool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tool's definition (2026-07-28, server/tools, Tool).
    pub(super) fn definition(&self) -> String {
        json!({
            "name": self.name,
            "description": self.description,
            "inputSchema": self.input.schema(),
            "annotations": { "readOnlyHint": self.is_read_only, "openWorldHint": true },
        })
        .to_string()
    }

    /// Validates the arguments of a call. The error names missing, unknown or invalid arguments, and never contains a value.
    pub(super) fn checked(&self, arguments: Map<String, Value>) -> Result<Map<String, Value>, String> {
        let schema = self.input.schema();
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut required = required.filter_map(Value::as_str);
        if let Some(name) = required.find(|name| !arguments.contains_key(*name)) {
            return Err(format!("the argument {name:?} is missing"));
        }
        if let Some(unknown) = self.unknown(&arguments) {
            return Err(unknown);
        }
        let arguments = Value::Object(arguments);
        self.input.check(&arguments).map_err(|faults| faults_in_words(&faults))?;
        match arguments {
            Value::Object(arguments) => Ok(arguments),
            _ => Ok(Map::new()),
        }
    }

    /// Finds an unknown argument, since a misspelt name should be noticed. A schema that describes additional members accepts them.
    fn unknown(&self, arguments: &Map<String, Value>) -> Option<String> {
        let schema = self.input.schema();
        let properties = schema.get("properties").and_then(Value::as_object)?;
        let is_open = schema.get("patternProperties").is_some()
            || schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
        let unknown = arguments.keys().find(|name| !properties.contains_key(*name)).filter(|_| !is_open)?;
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let unknown: String = unknown.chars().take(NAME_CHARS).collect();
        Some(format!("there is no argument {unknown:?}; there are: {}", known.join(", ")))
    }
}

fn checker(schema: &Value) -> Result<Arc<Checker>, BadTool> {
    Checker::new(&schema.to_string()).map(Arc::new).map_err(|why| BadTool::Schema(why.to_string()))
}
