//! Answers requests for one upstream.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use crossway_proto::http_rules::content_type;
use crossway_service::{Extensions, Link};
use http::header::EXPECT;
use http::request::Parts;
use http::{Response, StatusCode};
use parking_lot::Mutex;

use super::answer::{json, of_result};
use super::ask::{Asker, Introduction};
use super::form::Form;
use super::kept::Kept;
use super::known::Known;
use super::problem::Problem;
use super::route::Route;
use super::toolset::{Tool, Toolset};
use super::{Body, Config, Unlisted, arguments, body, docs, document};

/// The face of one upstream.
pub(crate) struct One {
    pub(crate) config: Config,
    pub(crate) asker: Asker,
    known: Known,
    documents: Mutex<Kept<Document>>,
}

/// A document, with everything that it depends on: callers with the same tools may see a different introduction.
struct Document {
    has_key: bool,
    toolset: Arc<Toolset>,
    said: Introduction,
    bytes: Bytes,
}

impl One {
    pub(crate) fn new(link: Link, config: Config) -> Self {
        Self { config, asker: Asker::new(link), known: Known::default(), documents: Mutex::default() }
    }

    /// Answers a request.
    pub(crate) async fn answer<B>(
        &self,
        route: Route,
        mut parts: Parts,
        body: B,
    ) -> Result<Response<Body>, Problem>
    where
        B: http_body::Body<Data: Buf>,
    {
        let extensions = Extensions::from(std::mem::take(&mut parts.extensions));
        match route {
            Route::Docs(asset) => Ok(docs::serve(asset)),
            Route::Document => Ok(json(StatusCode::OK, self.document(&extensions).await?)),
            Route::Tool(tool) => {
                let arguments = self.arguments(&parts, body).await?;
                Ok(json(StatusCode::OK, self.call(&tool, &arguments, extensions).await?))
            }
        }
    }

    /// Returns the tools that a caller sees.
    pub(crate) async fn toolset(&self, extensions: &Extensions) -> Result<Arc<Toolset>, Problem> {
        Ok(self.known.of(self.asker.tools(extensions).await?))
    }

    async fn document(&self, extensions: &Extensions) -> Result<Bytes, Problem> {
        let toolset = self.toolset(extensions).await?;
        let said = self.asker.introduction(extensions).await;
        let has_key = self.config.has_key();
        let documents = || self.documents.lock();
        let is_it = |known: &Document| {
            known.has_key == has_key && Arc::ptr_eq(&known.toolset, &toolset) && known.said == said
        };
        if let Some(known) = documents().find(is_it) {
            return Ok(known.bytes.clone());
        }
        let bytes = document::of_one(&self.config, has_key, &said, &toolset);
        documents().keep(Document { has_key, toolset, said, bytes: bytes.clone() }, bytes.len());
        Ok(bytes)
    }

    /// Reads the arguments of a call. An empty body means no arguments.
    async fn arguments<B>(&self, parts: &Parts, body: B) -> Result<Bytes, Problem>
    where
        B: http_body::Body<Data: Buf>,
    {
        if body.is_end_stream() {
            return Ok(Bytes::from_static(b"{}"));
        }
        let is_json = content_type::check_post(&parts.headers);
        let read = body::read(body, &self.config.limits, parts.headers.contains_key(EXPECT)).await?;
        is_json.map_err(|refusal| Problem::new(refusal.status, refusal.message))?;
        Ok(if read.is_empty() { Bytes::from_static(b"{}") } else { read })
    }

    async fn call(
        &self,
        tool: &str,
        arguments: &Bytes,
        mut extensions: Extensions,
    ) -> Result<Bytes, Problem> {
        let value = arguments::read(arguments)?;
        let toolset = self.toolset(&extensions).await?;
        let found = toolset.find(tool);
        if let Some(checker) = found.and_then(Tool::checker) {
            checker.check(&value).map_err(Problem::faults)?;
        }
        drop(value);
        // An empty list may mean that the server is unavailable; the call then tells.
        if found.is_none() && !toolset.tools().is_empty() {
            if self.config.tells_of_unlisted {
                extensions.insert(Unlisted);
                let _ = self.asker.call(tool, arguments, extensions).await;
            }
            return Err(Problem::no_tool());
        }
        let answered = self.asker.call(tool, arguments, extensions).await;
        let result = match (answered, found) {
            (Err(problem), None) if problem.status == StatusCode::UNPROCESSABLE_ENTITY => {
                return Err(Problem::no_tool());
            }
            (answered, _) => answered?,
        };
        let form = found.map_or(Form::Content, Tool::form);
        of_result(&result, form, self.config.limits.answer_bytes)
    }
}

#[cfg(test)]
mod tests;
