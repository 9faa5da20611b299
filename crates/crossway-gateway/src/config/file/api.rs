//! Config types of REST APIs and webhooks.

use std::collections::BTreeMap;

use crossway_openapi::{limits, webhook};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Size, Time};

/// A REST API that an OpenAPI document describes: its operations become tools.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenApiFile {
    /// The document, OpenAPI 3.0 or 3.1, in JSON or YAML: a file, or an `http://` or `https://` URL. A URL is
    /// fetched with `headers`.
    pub document: String,
    /// How often a document at a URL is fetched again: every 15m by default; `0s`: never. If it can't be
    /// fetched or used then, nothing changes. A file is read again when it changes.
    pub refresh: Option<Time>,
    /// The URL that paths begin with, whatever the document says. Without it, a fetched document may name no
    /// other origin than its own.
    pub server: Option<String>,
    /// Which operations become tools: all, by default.
    #[serde(default)]
    pub include: OperationsOfFile,
    /// Which of these do not become tools.
    #[serde(default)]
    pub exclude: OperationsOfFile,
    /// Whether deprecated operations become tools too.
    #[serde(default)]
    pub deprecated: bool,
    /// Whether tools declare the schema of their answers. Some clients refuse answers that do not match it.
    #[serde(default = "yes")]
    pub output_schemas: bool,
    /// How long a whole answer may take.
    #[serde(default = "call_time")]
    pub timeout: Time,
    /// The longest answer. Of a longer one, nothing is passed on.
    #[serde(default = "answer_size")]
    pub answer: Size,
}

/// Operations of an OpenAPI document. An operation has to match each list that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OperationsOfFile {
    /// Operations that have one of these tags.
    pub tags: Vec<String>,
    /// Operations of one of these methods: `GET`, `POST`.
    pub methods: Vec<String>,
    /// Operations whose id or tool name matches one of these patterns (`get*`). A pattern that begins with a
    /// slash (`/boards/**`) is matched against the path.
    pub operations: Vec<String>,
}

/// Webhooks, such as those that start a workflow of n8n. Each is a tool.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookFile {
    /// The URL of tools that have none of their own.
    pub url: Option<String>,
    /// The tools, by name.
    pub tools: BTreeMap<String, WebhookToolFile>,
    /// How long a whole answer may take.
    #[serde(default = "webhook_time")]
    pub timeout: Time,
    /// The longest answer. Of a longer one, nothing is passed on.
    #[serde(default = "answer_size")]
    pub answer: Size,
}

/// A webhook as a tool.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookToolFile {
    /// Its URL, instead of the common one.
    pub url: Option<String>,
    /// The HTTP method: `POST`, `PUT` or `PATCH`.
    #[serde(default = "post")]
    pub method: String,
    /// The description that models get.
    pub description: String,
    /// A JSON Schema of an object (2020-12) that arguments have to match; by default, any object.
    #[schemars(extend("not" = { "type": "null" }))]
    pub input: Option<Value>,
    /// The JSON that is sent; by default, all arguments. In its texts `{args.NAME}` stands for an argument,
    /// `{args}` for all of them, and `{session}` for the user's chat that the call belongs to (Open WebUI's
    /// `X-OpenWebUI-Chat-Id`; without that header, a name that is new for each call).
    #[schemars(extend("not" = { "type": "null" }))]
    pub body: Option<Value>,
    /// Where the result is in a JSON answer: the name of a member, or a JSON pointer such as `/0/output`. By
    /// default, the whole answer.
    pub output: Option<String>,
    /// Whether it changes nothing.
    #[serde(default)]
    pub read_only: bool,
}

fn yes() -> bool {
    true
}

fn post() -> String {
    "POST".to_owned()
}

fn call_time() -> Time {
    Time(limits::CALL_TIME)
}

fn webhook_time() -> Time {
    Time(webhook::limits::WEBHOOK_TIME)
}

fn answer_size() -> Size {
    Size(limits::ANSWER_BYTES)
}
