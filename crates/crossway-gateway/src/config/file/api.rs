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
    /// The document, OpenAPI 3.0 or 3.1, in JSON or YAML: a file, or an `http://` or `https://` URL, from which it is fetched with
    /// `headers`.
    pub document: String,
    /// How often a document at a URL is fetched again: every 15m, if nothing is said; `0s` is never. What can't be had or used then changes
    /// nothing. A file is read again when it changes.
    pub refresh: Option<Time>,
    /// The URL that paths begin with, whatever the document says. A document that is fetched may name no other origin than its own.
    pub server: Option<String>,
    /// Which operations become tools: all, if nothing is said.
    #[serde(default)]
    pub include: OperationsOfFile,
    /// Which of these do not.
    #[serde(default)]
    pub exclude: OperationsOfFile,
    /// Whether operations that are deprecated become tools too.
    #[serde(default)]
    pub deprecated: bool,
    /// Whether tools say what their answers look like. Some clients refuse answers that do not look like what the document says.
    #[serde(default = "yes")]
    pub output_schemas: bool,
    /// How long an answer may take in all.
    #[serde(default = "call_time")]
    pub timeout: Time,
    /// How long an answer may be; of a longer one nothing is given.
    #[serde(default = "answer_size")]
    pub answer: Size,
}

/// Operations of an OpenAPI document. Each list that is there has to name one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OperationsOfFile {
    /// Operations that have one of these tags.
    pub tags: Vec<String>,
    /// Operations of one of these methods: `GET`, `POST`.
    pub methods: Vec<String>,
    /// Operations whose id, or whose tool, is one of these patterns (`get*`); or whose path is, of patterns that begin with a slash
    /// (`/boards/**`).
    pub operations: Vec<String>,
}

/// Webhooks, such as those that begin a workflow of n8n: each is a tool.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookFile {
    /// The URL of those that have none of their own.
    pub url: Option<String>,
    /// The tools, by name.
    pub tools: BTreeMap<String, WebhookToolFile>,
    /// How long an answer may take in all.
    #[serde(default = "webhook_time")]
    pub timeout: Time,
    /// How long an answer may be; of a longer one nothing is given.
    #[serde(default = "answer_size")]
    pub answer: Size,
}

/// A webhook as a tool.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookToolFile {
    /// Its URL, in place of that of all.
    pub url: Option<String>,
    /// How it is asked: `POST`, `PUT` or `PATCH`.
    #[serde(default = "post")]
    pub method: String,
    /// What models are told of it.
    pub description: String,
    /// What it takes: a JSON Schema of an object (2020-12), which arguments have to fit; any object, if nothing is said.
    #[schemars(extend("not" = { "type": "null" }))]
    pub input: Option<Value>,
    /// The JSON that is sent, in whose texts `{args.NAME}` stands for an argument, `{args}` for all of them, and `{session}` for the
    /// user's chat that the call belongs to (Open WebUI's `X-OpenWebUI-Chat-Id`; one of its own without that). All arguments, if nothing is said.
    #[schemars(extend("not" = { "type": "null" }))]
    pub body: Option<Value>,
    /// Where in a JSON answer the result stands: the name of a member, or a JSON pointer such as `/0/output`. All of it, if nothing is
    /// said.
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
