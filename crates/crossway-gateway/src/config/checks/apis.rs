//! Validates REST APIs and webhooks.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossway_openapi::rest::{
    self, Api, ApiError, ApiOptions, BadPattern, Document, DocumentError, Filter, Unfilled, Unusable,
};
use crossway_openapi::webhook::{self, BadOutput, BadTool, WebhookTool};
use crossway_openapi::{Attached, BadCredential, limits as calling};
use crossway_policy::config::CredentialRule;
use ring::digest::{SHA256, digest};
use url::Url;

use super::super::file::{OpenApiFile, OperationsOfFile, UpstreamFile, WebhookFile, WebhookToolFile};
use super::super::limits;
use super::super::read::Context;
use super::super::tree::Step;
use super::Findings;
use super::credentials::header_of;
use super::upstreams::{UpstreamProblem, headers, with};
use crate::hex::hex;
use crate::upstream::apis::{ApiKind, ApiPlan, Fetched, Filled};

/// The most warnings about operations that are left out, and about security schemes that nothing fills.
const TOLD: usize = 10;

/// A problem with a REST API or with webhooks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiProblem {
    /// The document can't be read.
    #[error("{} can't be read: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The document can't be used.
    #[error("the document can't be used: {0}")]
    Document(DocumentError),
    /// The document gives no tools.
    #[error("{0}")]
    Api(ApiError),
    /// An operation can't be a tool.
    #[error("{operation} is no tool: {why}")]
    LeftOut {
        /// The operation.
        operation: String,
        /// Why.
        why: Unusable,
    },
    /// Further operations that can't be tools.
    #[error("{0} more operations are no tools")]
    More(usize),
    /// Operations need a security scheme that no credential fills.
    #[error("{0}; add it to `credentials`")]
    Unfilled(Unfilled),
    /// A pattern is invalid.
    #[error("{0}")]
    Pattern(BadPattern),
    /// A method that operations can't have.
    #[error("{0:?} is no method of an operation; there are GET, HEAD, POST, PUT, PATCH and DELETE")]
    Method(String),
    /// The URL of a document or of an API can't be used.
    #[error("can't be used as a URL: {0}")]
    Url(Cow<'static, str>),
    /// The interval for refreshing a document is too short.
    #[error("has to be at least {} s, or 0s for never", .0.as_secs())]
    TooOften(Duration),
    /// `refresh` is set for a document in a file.
    #[error("is for a document at a URL; a file is read again when it changes, so take it away")]
    RefreshOfFile,
    /// A timeout is longer than a limit that ends calls before.
    #[error("is longer than `limits.{0}`, which ends a call before; make that as long")]
    EndedBefore(&'static str),
    /// A header can't be sent.
    #[error("{0}")]
    Header(BadCredential),
    /// There is no webhook.
    #[error(
        "there is no webhook; add one, such as tools: {{ ask: {{ description: .., url: \"https://..\" }} }}"
    )]
    NoTool,
    /// There are too many webhooks.
    #[error("there are {found} webhooks, and there may be {limit}")]
    TooMany {
        /// The number of webhooks.
        found: usize,
        /// The highest possible number.
        limit: usize,
    },
    /// A webhook has no URL.
    #[error("has no `url`, and there is none for all; add one")]
    NoUrl,
    /// A webhook can't be a tool.
    #[error("{0}")]
    Tool(BadTool),
    /// The place of the result in an answer is invalid.
    #[error("{0}")]
    Output(BadOutput),
}

/// Builds the plan for calling a REST API or webhooks.
pub(super) fn plan(
    at: &[Step],
    name: &str,
    upstream: &UpstreamFile,
    rules: &[CredentialRule],
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<ApiPlan> {
    let mut attached = Attached::new();
    let headers = headers(at, upstream, findings);
    let rules: Vec<_> = rules.iter().filter(|rule| rule.upstream == name).collect();
    let filled = Filled::new(headers.iter(), rules.iter().copied());
    // The headers of calls. A document is fetched for all callers, and so also with headers that callers' credentials replace in calls.
    let mut of_calls = Attached::new();
    for (name, value) in headers {
        match attached.clone().header_value(name.clone(), value.clone()) {
            Ok(more) => attached = more,
            Err(bad) => error(findings, with(&with(at, "headers"), name.as_str()), ApiProblem::Header(bad)),
        }
        let is_of_rule = rules.iter().any(|rule| header_of(rule).is_some_and(|of| of == name.as_str()));
        if !is_of_rule && let Ok(more) = of_calls.clone().header_value(name, value) {
            of_calls = more;
        }
    }
    times(at, upstream, findings);
    if let Some(file) = &upstream.openapi {
        let kind = openapi(&with(at, "openapi"), file, &attached, filled, context, findings)?;
        return Some(ApiPlan::new(kind, of_calls, file.timeout.0, file.answer.0));
    }
    let file = upstream.webhook.as_ref()?;
    let tools = webhooks(&with(at, "webhook"), file, findings);
    let kind = ApiKind::Webhooks(name.to_owned(), tools);
    Some(ApiPlan::new(kind, of_calls, file.timeout.0, file.answer.0))
}

/// Warns if the configured timeout of answers is longer than a limit that ends calls before.
fn times(at: &[Step], upstream: &UpstreamFile, findings: &mut Findings) {
    let of_api = upstream.openapi.as_ref().map(|file| ("openapi", file.timeout.0, calling::CALL_TIME));
    let of_webhook =
        upstream.webhook.as_ref().map(|file| ("webhook", file.timeout.0, webhook::limits::WEBHOOK_TIME));
    let Some((kind, timeout, default)) = of_api.or(of_webhook) else { return };
    let file = &upstream.limits;
    for (key, limit) in [("idle", file.idle_with(timeout)), ("total", file.total.0)] {
        if timeout != default && !limit.is_zero() && limit < timeout {
            let problem = UpstreamProblem::Api(ApiProblem::EndedBefore(key));
            findings.warning(with(&with(at, kind), "timeout"), problem);
        }
    }
}

fn error(findings: &mut Findings, at: Vec<Step>, problem: ApiProblem) {
    findings.error(at, UpstreamProblem::Api(problem));
}

fn openapi(
    at: &[Step],
    file: &OpenApiFile,
    attached: &Attached,
    filled: Filled,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<ApiKind> {
    let include = filter(&with(at, "include"), &file.include, findings);
    let exclude = filter(&with(at, "exclude"), &file.exclude, findings);
    let mut options = ApiOptions::new()
        .include(include)
        .exclude(exclude)
        .deprecated(file.deprecated)
        .output_schemas(file.output_schemas)
        .filled(filled.places());
    if let Some(server) = &file.server {
        match http_url(server) {
            Ok(_) => options = options.server(server.as_str()),
            Err(problem) => error(findings, with(at, "server"), problem),
        }
    }
    let said = format!(
        "{:?} {:?} {:?} {} {} {filled:?}",
        file.server, file.include, file.exclude, file.deprecated, file.output_schemas
    );
    if is_fetched(file) {
        fetched(at, file, options, said, attached, filled, findings)
    } else {
        read(at, file, &options, &said, &filled, context, findings)
    }
}

/// An API whose document is at a URL. `said` is what the config says of it, to tell versions apart.
fn fetched(
    at: &[Step],
    file: &OpenApiFile,
    options: ApiOptions,
    said: String,
    attached: &Attached,
    filled: Filled,
    findings: &mut Findings,
) -> Option<ApiKind> {
    let fetched = http_url(&file.document).and_then(|url| {
        let refresh = file.refresh.map_or(limits::DOCUMENT_REFRESH, |refresh| refresh.0);
        if !refresh.is_zero() && refresh < limits::DOCUMENT_REFRESH_LEAST {
            error(findings, with(at, "refresh"), ApiProblem::TooOften(limits::DOCUMENT_REFRESH_LEAST));
        }
        let fetched = Fetched::new(url, options, said, attached.clone(), filled, refresh);
        fetched.map_err(|_| ApiProblem::Url("it is not one".into()))
    });
    match fetched {
        Ok(fetched) => Some(ApiKind::Fetched(Arc::new(fetched))),
        Err(problem) => {
            error(findings, with(at, "document"), problem);
            None
        }
    }
}

/// An API whose document is a file.
fn read(
    at: &[Step],
    file: &OpenApiFile,
    options: &ApiOptions,
    said: &str,
    filled: &Filled,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Option<ApiKind> {
    if file.refresh.is_some() {
        error(findings, with(at, "refresh"), ApiProblem::RefreshOfFile);
    }
    let document = with(at, "document");
    let path = context.folder.join(&file.document);
    let read = context.read(&path, rest::limits::DOCUMENT_BYTES as u64 + 1);
    let read = read.map_err(|reason| ApiProblem::Unreadable { file: path, reason }).and_then(|text| {
        let document = Document::parse(&text).map_err(ApiProblem::Document)?;
        let api = Api::new(&document, options).map_err(ApiProblem::Api)?;
        Ok((api, hex(digest(&SHA256, &text).as_ref())))
    });
    match read {
        Ok((api, version)) => {
            left_out(&document, &api, findings);
            for unfilled in api.unfilled(|place| filled.has(place)).into_iter().take(TOLD) {
                findings.warning(document.clone(), UpstreamProblem::Api(ApiProblem::Unfilled(unfilled)));
            }
            Some(ApiKind::Read { api, version: format!("{version} {said}") })
        }
        Err(problem) => {
            error(findings, document, problem);
            None
        }
    }
}

/// Whether the document is at a URL.
pub(super) fn is_fetched(file: &OpenApiFile) -> bool {
    file.document.starts_with("http://") || file.document.starts_with("https://")
}

fn left_out(at: &[Step], api: &Api, findings: &mut Findings) {
    let left = api.left_out();
    for left in left.iter().take(TOLD) {
        let problem = ApiProblem::LeftOut { operation: left.operation.clone(), why: left.why.clone() };
        findings.warning(at.to_vec(), UpstreamProblem::Api(problem));
    }
    if left.len() > TOLD {
        findings.warning(at.to_vec(), UpstreamProblem::Api(ApiProblem::More(left.len() - TOLD)));
    }
}

fn filter(at: &[Step], file: &OperationsOfFile, findings: &mut Findings) -> Filter {
    let mut filter = Filter::new();
    for tag in &file.tags {
        filter = filter.tag(tag);
    }
    for (index, method) in file.methods.iter().enumerate() {
        if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&method.to_ascii_uppercase().as_str())
        {
            error(findings, with(&with(at, "methods"), index), ApiProblem::Method(method.clone()));
        }
        filter = filter.method(method);
    }
    for (index, pattern) in file.operations.iter().enumerate() {
        match filter.clone().operation(pattern) {
            Ok(more) => filter = more,
            Err(bad) => error(findings, with(&with(at, "operations"), index), ApiProblem::Pattern(bad)),
        }
    }
    filter
}

fn http_url(text: &str) -> Result<Url, ApiProblem> {
    let url = crate::plan::http_url(text).map_err(|why| ApiProblem::Url(why.into()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ApiProblem::Url("it has a user or a password in it; put them into `credentials`".into()));
    }
    Ok(url)
}

fn webhooks(at: &[Step], file: &WebhookFile, findings: &mut Findings) -> Arc<[WebhookTool]> {
    let at = with(at, "tools");
    let (found, limit) = (file.tools.len(), webhook::limits::WEBHOOK_TOOLS);
    if found == 0 {
        error(findings, at.clone(), ApiProblem::NoTool);
    }
    if found > limit {
        error(findings, at.clone(), ApiProblem::TooMany { found, limit });
    }
    let tools = file.tools.iter().filter_map(|(name, tool)| {
        let made = one(name, tool, file.url.as_deref());
        made.map_err(|(key, problem)| {
            let at = with(&at, name);
            error(findings, if key.is_empty() { at } else { with(&at, key) }, problem);
        })
        .ok()
    });
    tools.collect()
}

/// Builds a webhook's tool. An error comes with the faulty key.
fn one(
    name: &str,
    file: &WebhookToolFile,
    of_all: Option<&str>,
) -> Result<WebhookTool, (&'static str, ApiProblem)> {
    let url = file.url.as_deref().or(of_all).ok_or(("", ApiProblem::NoUrl))?;
    let wrong = |key| move |bad| (key, ApiProblem::Tool(bad));
    let mut tool = WebhookTool::new(name, url)
        .map_err(|bad| (if matches!(bad, BadTool::Url(_)) { "url" } else { "" }, ApiProblem::Tool(bad)))?
        .description(file.description.as_str())
        .read_only(file.read_only)
        .method(&file.method)
        .map_err(wrong("method"))?;
    if let Some(input) = &file.input {
        tool = tool.input(input).map_err(wrong("input"))?;
    }
    if let Some(body) = &file.body {
        tool = tool.body(body).map_err(wrong("body"))?;
    }
    if let Some(output) = &file.output {
        tool = tool.output(output.parse().map_err(|bad| ("output", ApiProblem::Output(bad)))?);
    }
    Ok(tool)
}
