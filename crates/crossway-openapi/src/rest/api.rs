//! A REST API: the operations of a document as tools.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::Method;
use serde_json::Value;
use url::Url;

use super::document::{Document, resolve};
use super::filter::Filter;
use super::names::{Named, is_marked, names};
use super::operation::{Context, Operation, Unusable, compile};
use super::security::{SecurityPlace, Unfilled, unfilled};
use super::server::{ServerError, base};
use super::{filter, limits};

/// Selects the operations of a document that become tools, and sets where its API is.
#[derive(Debug, Clone, Default)]
pub struct ApiOptions {
    server: Option<String>,
    from: Option<Url>,
    include: Filter,
    exclude: Filter,
    has_deprecated: bool,
    no_output_schemas: bool,
    filled: BTreeSet<SecurityPlace>,
}

impl ApiOptions {
    /// Selects all operations that are not deprecated, on the document's first server.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the base URL of the API, whatever the document says.
    #[must_use]
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.server = Some(url.into());
        self
    }

    /// Sets the URL that the document was fetched from: it may then name only a server of the same origin.
    #[must_use]
    pub fn fetched_from(mut self, url: Url) -> Self {
        self.from = Some(url);
        self
    }

    /// Sets which operations become tools.
    #[must_use]
    pub fn include(mut self, filter: Filter) -> Self {
        self.include = filter;
        self
    }

    /// Sets which of these are left out.
    #[must_use]
    pub fn exclude(mut self, filter: Filter) -> Self {
        self.exclude = filter;
        self
    }

    /// Sets whether deprecated operations become tools too.
    #[must_use]
    pub fn deprecated(mut self, included: bool) -> Self {
        self.has_deprecated = included;
        self
    }

    /// Sets whether tools have output schemas; by default they do. Clients that validate results reject those of APIs whose document is
    /// inexact.
    #[must_use]
    pub fn output_schemas(mut self, told: bool) -> Self {
        self.no_output_schemas = !told;
        self
    }

    /// Adds places in requests that credentials fill, whatever security schemes the document has. A parameter at such a place is left out
    /// of the arguments.
    #[must_use]
    pub fn filled(mut self, places: impl IntoIterator<Item = SecurityPlace>) -> Self {
        self.filled.extend(places);
        self
    }
}

/// An operation that is not a tool, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Method and path.
    pub operation: String,
    /// The reason.
    pub why: Unusable,
}

/// Why a document can't be made into an API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The base URL is unknown or not allowed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There are too many operations.
    #[error(
        "{found} operations would be tools, and {limit} may be; choose by tags, methods or operations, such as `include: {{ tags: [..] }}`"
    )]
    TooMany {
        /// The number of operations.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// No operation is a tool.
    #[error("none of its operations is a tool{}", first.as_ref().map(|left| format!(": {} is left out, since {}", left.operation, left.why)).unwrap_or_default())]
    Nothing {
        /// The first operation that is left out because it is unusable, not by a filter.
        first: Option<Box<LeftOut>>,
    },
}

/// An API whose operations are tools. Clones share it.
#[derive(Clone)]
pub struct Api(pub(super) Arc<Compiled>);

/// An API's tools.
pub(super) struct Compiled {
    pub(super) base: String,
    pub(super) title: String,
    pub(super) version: String,
    pub(super) about: Option<String>,
    pub(super) operations: Vec<Operation>,
    pub(super) definitions: Arc<[Box<str>]>,
    pub(super) by_tool: HashMap<String, usize>,
    left_out: Vec<LeftOut>,
}

const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// An operation found in a document.
struct Found<'a> {
    path: &'a str,
    method: Method,
    /// The method in lower case.
    word: String,
    item: &'a Value,
    node: &'a Value,
}

impl Api {
    /// Makes tools of a document's operations.
    ///
    /// Operations that can't be tools are [left out](Self::left_out); all others become tools, in the order of their paths.
    ///
    /// # Errors
    ///
    /// When the API's base URL is unknown or not allowed, or there are no tools, or too many.
    pub fn new(document: &Document, options: &ApiOptions) -> Result<Self, ApiError> {
        let base = base(document, options.server.as_deref(), options.from.as_ref())?;
        let mut left_out = Vec::new();
        let found = operations(document, &mut left_out);
        let named: Vec<Named<'_>> = found
            .iter()
            .map(|found| Named { id: text(found.node, "operationId"), method: &found.word, path: found.path })
            .collect();
        let mut chosen: Vec<(&Found<'_>, String)> = Vec::new();
        let mut marked = 0_usize;
        for ((found, named), tool) in found.iter().zip(&named).zip(names(&named)) {
            if options.wants(found, &tool) {
                marked += usize::from(is_marked(named, &tool));
                chosen.push((found, tool));
            }
        }
        if marked > 0 {
            let title: String = document.title().chars().take(limits::QUOTED_NAME_CHARS).collect();
            tracing::warn!(
                title,
                tools = marked,
                "operations come to one name; their tools have digits behind it"
            );
        }
        if chosen.len() > limits::TOOLS {
            return Err(ApiError::TooMany { found: chosen.len(), limit: limits::TOOLS });
        }
        let context = Context::new(document, !options.no_output_schemas, &options.filled);
        let mut operations = Vec::new();
        for (found, tool) in chosen {
            let made = on_base(document, found, &base, options).and_then(|()| {
                compile(&context, found.path, found.method.clone(), found.item, found.node, tool)
            });
            match made {
                Ok(operation) => operations.push(operation),
                Err(why) => left_out.push(LeftOut { operation: found.label(), why }),
            }
        }
        if operations.is_empty() {
            return Err(ApiError::Nothing { first: left_out.into_iter().next().map(Box::new) });
        }
        let definitions = operations.iter().map(|operation| operation.definition.clone()).collect();
        let by_tool = operations.iter().enumerate().map(|(at, operation)| (operation.tool.clone(), at));
        Ok(Self(Arc::new(Compiled {
            base,
            title: document.title().to_owned(),
            version: document.version().to_owned(),
            about: Some(document.info("description").trim())
                .filter(|text| !text.is_empty())
                .map(|text| super::schema::short(text).to_owned()),
            by_tool: by_tool.collect(),
            definitions,
            operations,
            left_out,
        })))
    }

    /// The tools' names, in their order.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        self.0.operations.iter().map(|operation| operation.tool.as_str())
    }

    /// The operations that were selected but can't be tools.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.0.left_out
    }

    /// The operations whose security schemes want something that nothing fills: they are called without it, and may refuse.
    pub fn unfilled(&self, is_filled: impl Fn(&SecurityPlace) -> bool) -> Vec<Unfilled> {
        let operations = &self.0.operations;
        unfilled(operations.iter().map(|operation| (operation.tool.as_str(), &operation.wanted)), is_filled)
    }

    /// The base URL of the API.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.0.base
    }
}

impl ApiOptions {
    fn wants(&self, found: &Found<'_>, tool: &str) -> bool {
        let is_deprecated = found.node.get("deprecated") == Some(&Value::Bool(true));
        let tags = found.node.get("tags").and_then(Value::as_array);
        let tags: Vec<&str> = tags.into_iter().flatten().filter_map(Value::as_str).collect();
        let candidate = filter::Candidate {
            tags: &tags,
            method: &found.word,
            path: found.path,
            tool,
            id: text(found.node, "operationId"),
        };
        (self.has_deprecated || !is_deprecated)
            && self.include.includes(&candidate)
            && !self.exclude.excludes(&candidate)
    }
}

impl Found<'_> {
    fn label(&self) -> String {
        let path: String = self.path.chars().take(limits::QUOTED_PATH_CHARS).collect();
        format!("{} {path}", self.method)
    }
}

fn operations<'a>(document: &'a Document, left_out: &mut Vec<LeftOut>) -> Vec<Found<'a>> {
    let paths = document.root().get("paths").and_then(Value::as_object);
    let mut found = Vec::new();
    for (path, item) in paths.into_iter().flatten().filter(|(path, _)| path.starts_with('/')) {
        let item = match resolve(document.root(), item) {
            Ok(item) => item,
            Err(broken) => {
                left_out.push(LeftOut {
                    operation: path.chars().take(limits::QUOTED_PATH_CHARS).collect(),
                    why: broken.into(),
                });
                continue;
            }
        };
        for method in METHODS {
            let word = method.as_str().to_ascii_lowercase();
            if let Some(node) = item.get(&word) {
                found.push(Found { path, method, word, item, node });
            }
        }
    }
    found
}

fn text<'a>(node: &'a Value, member: &str) -> Option<&'a str> {
    node.get(member).and_then(Value::as_str)
}

/// Refuses an operation on another server: credentials are for the API's own server.
fn on_base(document: &Document, found: &Found<'_>, base: &str, options: &ApiOptions) -> Result<(), Unusable> {
    if options.server.is_some() {
        return Ok(());
    }
    let servers = [found.node, found.item].into_iter().find_map(|of| of.get("servers")?.as_array()?.first());
    let Some(url) = servers.and_then(|server| text(server, "url")) else { return Ok(()) };
    let same = document.root().pointer("/servers/0/url").and_then(Value::as_str) == Some(url);
    if same || url.trim_end_matches('/') == base {
        return Ok(());
    }
    Err(Unusable::Server(url.chars().take(limits::QUOTED_PATH_CHARS).collect()))
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("title", &self.0.title)
            .field("tools", &self.0.operations.len())
            .field("left_out", &self.0.left_out.len())
            .finish_non_exhaustive()
    }
}
