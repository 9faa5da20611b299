//! A face over several upstreams, each below its name.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use crossway_service::Extensions;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use parking_lot::{Mutex, RwLock};
use percent_encoding::percent_decode_str;
use tower_service::Service;

use super::answer::json;
use super::kept::Kept;
use super::limits::DOCUMENT_TIME;
use super::one::One;
use super::problem::Problem;
use super::route::{Route, nothing};
use super::service::{Admitted, admit, counted, with_key};
use super::toolset::Toolset;
use super::{Body, Config, OpenApi, ResponseFuture, docs, document};

/// The faces of several upstreams: each below `/{name}`, and one document of all of them at the root.
///
/// Upstreams can be added and removed while it is served. Clones share them. A legacy server goes behind `crossway_router::ToLegacy` (or
/// `AnyEra`).
#[derive(Clone)]
pub struct Directory(Arc<Shared>);

struct Shared {
    config: Config,
    named: Arc<RwLock<Named>>,
    is_there: IsThere,
    /// Made documents, by whether callers need a key and by the tools that are listed.
    documents: Mutex<Kept<(bool, Vec<Seen>, Bytes)>>,
}

/// Whether a caller may see an upstream.
type IsThere = Arc<dyn Fn(&str, &http::Extensions) -> bool + Send + Sync>;

/// The faces, in the order of the document.
type Named = Vec<(Arc<str>, OpenApi)>;

/// An upstream's tools in a document.
type Seen = (Arc<str>, Arc<Toolset>);

/// The result of asking an upstream for its tools.
type Known = Result<Arc<Toolset>, Problem>;

impl Directory {
    /// A directory without upstreams. The config's hosts, origins and key apply to all of them, and are not checked again by their faces.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with(config, Arc::default(), Arc::new(|_, _| true))
    }

    /// A directory without upstreams. `is_there` decides from an upstream's name and the request's extensions whether the caller sees it.
    /// An upstream that a caller does not see is answered like one that does not exist.
    #[must_use]
    pub fn for_callers(
        config: Config,
        is_there: impl Fn(&str, &http::Extensions) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::with(config, Arc::default(), Arc::new(is_there))
    }

    fn with(config: Config, named: Arc<RwLock<Named>>, is_there: IsThere) -> Self {
        Self(Arc::new(Shared { config, named, is_there, documents: Mutex::default() }))
    }

    /// The directory's configuration.
    #[must_use]
    pub fn config(&self) -> Config {
        self.0.config.clone()
    }

    /// The same upstreams, mounted at another path.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self::with(self.0.config.clone().at(path), Arc::clone(&self.0.named), Arc::clone(&self.0.is_there))
    }

    /// Serves a face below `/{name}`. Returns the face that it replaces.
    pub fn insert(&self, name: &str, face: OpenApi) -> Option<OpenApi> {
        let mut named = self.0.named.write();
        match named.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, before)) => Some(std::mem::replace(before, face)),
            None => {
                named.push((name.into(), face));
                None
            }
        }
    }

    /// Stops serving the face below `/{name}`, and returns it.
    pub fn remove(&self, name: &str) -> Option<OpenApi> {
        let mut named = self.0.named.write();
        let index = named.iter().position(|(known, _)| **known == *name)?;
        Some(named.remove(index).1)
    }

    /// [Closes](OpenApi::close) the faces of all upstreams that there are.
    ///
    /// # Cancel safety
    ///
    /// As [`OpenApi::close`].
    pub async fn close(&self) {
        let faces = self.0.all();
        futures_util::future::join_all(faces.iter().map(|(_, face)| face.close())).await;
    }

    /// Sorts the upstreams in the document into this order. Others come last.
    pub fn arrange(&self, names: &[&str]) {
        let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or(names.len());
        self.0.named.write().sort_by_key(|(name, _)| place(name));
    }
}

impl Shared {
    fn all(&self) -> Vec<(Arc<str>, OpenApi)> {
        self.named.read().clone()
    }

    /// Finds the upstream that a path belongs to, among those that the caller sees, and the rest of the path.
    fn find<'p>(&self, path: &'p str, caller: &http::Extensions) -> Option<(Arc<One>, &'p str)> {
        let rest = path.strip_prefix('/')?;
        let length = rest.find('/')?;
        let name = percent_decode_str(&rest[..length]).decode_utf8().ok()?;
        let named = self.named.read();
        let (_, face) = named.iter().find(|(known, _)| **known == *name)?;
        if !(self.is_there)(&name, caller) {
            return None;
        }
        Some((Arc::clone(&face.0), &rest[length..]))
    }

    async fn answer<B>(&self, mut parts: Parts, body: B) -> Result<Response<Body>, Problem>
    where
        B: http_body::Body<Data: Buf>,
    {
        // The key is checked before the name is looked up: callers without the key must not learn which names exist.
        if let Some(key) = &self.config.key {
            key.check(&parts.headers, true)?;
        }
        let path = self.config.path(parts.uri.path());
        if let Some(route) = Route::of_document(&parts.method, path)? {
            return match with_key(&self.config, &parts, route)? {
                Route::Docs(asset) => Ok(docs::serve(asset)),
                _ => Ok(json(StatusCode::OK, self.document(std::mem::take(&mut parts.extensions)).await)),
            };
        }
        let named =
            path.strip_prefix(&self.config.path_prefix).and_then(|path| self.find(path, &parts.extensions));
        let (one, rest) = named.ok_or_else(nothing)?;
        let route = Route::of(&parts.method, rest)?;
        one.answer(with_key(&self.config, &parts, route)?, parts, body).await
    }

    /// Returns the tools of all upstreams that a caller sees, but for those that are unavailable, or too slow while others have answered.
    async fn toolsets(&self, caller: http::Extensions) -> Vec<Seen> {
        let mut faces = self.all();
        faces.retain(|(name, _)| (self.is_there)(name, &caller));
        let extensions = Extensions::from(caller);
        let asked = faces.iter().enumerate().map(|(index, (_, face))| {
            let extensions = &extensions;
            async move { (index, face.0.toolset(extensions).await) }
        });
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut known: Vec<Option<Known>> = faces.iter().map(|_| None).collect();
        let mut patience = pin!(tokio::time::sleep(DOCUMENT_TIME));
        let mut is_over = false;
        loop {
            let has_some = known.iter().flatten().flatten().any(|toolset| !toolset.tools().is_empty());
            if is_over && has_some {
                break;
            }
            let next = if is_over {
                asked.next().await
            } else {
                match select(asked.next(), patience.as_mut()).await {
                    Either::Left((next, _)) => next,
                    Either::Right(_) => {
                        is_over = true;
                        continue;
                    }
                }
            };
            let Some((index, answer)) = next else { break };
            if let Some(place) = known.get_mut(index) {
                *place = Some(answer);
            }
        }
        drop(asked);
        let named = faces.into_iter().zip(known);
        named
            .filter_map(|((name, _), known)| Some((Arc::clone(&name), known_toolset(&name, known)?)))
            .collect()
    }

    /// Returns the document of all upstreams.
    async fn document(&self, caller: http::Extensions) -> Bytes {
        let (seen, has_key) = (self.toolsets(caller).await, self.config.has_key());
        let is_same = |known: &[Seen]| {
            known.len() == seen.len()
                && known
                    .iter()
                    .zip(&seen)
                    .all(|(one, other)| one.0 == other.0 && Arc::ptr_eq(&one.1, &other.1))
        };
        let documents = || self.documents.lock();
        let is_it = |(keyed, known, _): &(bool, Vec<Seen>, Bytes)| *keyed == has_key && is_same(known);
        if let Some((_, _, document)) = documents().find(is_it) {
            return document.clone();
        }
        let document = document::of_many(
            &self.config,
            has_key,
            seen.iter().map(|(name, toolset)| (&**name, &**toolset)),
        );
        documents().keep((has_key, seen, document.clone()), document.len());
        document
    }
}

/// An upstream's tools, if it has answered with a list.
fn known_toolset(upstream: &str, known: Option<Known>) -> Option<Arc<Toolset>> {
    match known {
        Some(Ok(toolset)) => Some(toolset),
        Some(Err(problem)) => {
            tracing::debug!(upstream, status = problem.status.as_u16(), "its tools are left out");
            None
        }
        None => {
            tracing::info!(upstream, "a document is without its tools, which are not known yet");
            None
        }
    }
}

impl<B> Service<Request<B>> for Directory
where
    B: http_body::Body<Data: Buf + Send, Error: Send> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let shared = Arc::clone(&self.0);
        ResponseFuture::new(async move {
            let (parts, body) = request.into_parts();
            let reader = match admit(&shared.config, &parts) {
                Ok(Admitted::Asked(reader)) => reader,
                Ok(Admitted::Answered(response)) => return response,
                Err(problem) => return problem.into_response(),
            };
            let answered = match counted(&parts) {
                Ok(()) => shared.answer(parts, body).await,
                Err(problem) => Err(problem),
            };
            let mut response = answered.unwrap_or_else(Problem::into_response);
            reader.allow(&mut response);
            response
        })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.all().into_iter().map(|(name, _)| name).collect();
        f.debug_struct("Directory").field("named", &names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
