//! Configuration of a face.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};

use super::{ApiKey, Limits};

/// A face's behaviour. The default accepts requests to this machine only, without a key.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The document's title; by default the server's name.
    pub title: Option<String>,
    /// The document's description; by default the server's instructions.
    pub description: Option<String>,
    /// The document's version; by default the server's.
    pub version: Option<String>,
    /// The server's name, for a server that does not tell its own.
    pub name: Option<String>,
    /// The path below which clients reach the face: `/api/tools`. Requests may have it, or a proxy may have removed it. Empty for none.
    pub root_path: String,
    /// Where the face is below that, for its document: `/github`. The router in front must strip it. Empty for the root.
    pub at: String,
    /// The prefix of upstreams' names in a [`Directory`](super::Directory)'s paths: `/servers`. Empty for none.
    pub path_prefix: String,
    /// The key that callers need.
    pub key: Option<ApiKey>,
    /// Whether the document says that callers need a bearer credential, which something in front of the face checks.
    pub needs_bearer: NeedsBearer,
    /// Whether MCP is served beside the face, at `/mcp`, `/sse` and `/message`: tools with such a name are at `/{name}/call` then.
    pub is_beside_mcp: bool,
    /// Whether calls of tools that are not in the caller's list go to the upstream, with [`Unlisted`](super::Unlisted) in
    /// their extensions. The upstream has to refuse them, and can record them.
    pub tells_of_unlisted: bool,
    /// The hosts that requests may be addressed to.
    pub hosts: AllowedHosts,
    /// The web origins that may make requests. They get CORS headers (the Fetch standard's CORS protocol), without permission to send
    /// cookies or other credentials that browsers add by themselves.
    pub origins: AllowedOrigins,
    /// Size and time limits.
    pub limits: Limits,
}

/// Whether the document says that callers need a bearer credential; initially not. Clones share the flag, and it may change while faces
/// are served: the next document has the new value.
#[derive(Debug, Clone, Default)]
pub struct NeedsBearer(Arc<AtomicBool>);

impl NeedsBearer {
    /// Sets whether callers need one from now on.
    pub fn set(&self, they_do: bool) {
        self.0.store(they_do, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Config {
    /// Serves this machine alone, without a key, with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the document's title, description and version; `None` leaves it to the server.
    #[must_use]
    pub fn info(
        mut self,
        title: Option<String>,
        description: Option<String>,
        version: Option<String>,
    ) -> Self {
        (self.title, self.description, self.version) = (title, description, version);
        self
    }

    /// Sets the server's name, for a server that does not tell its own.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the path below which clients reach the face. A proxy in front may remove it.
    #[must_use]
    pub fn root_path(mut self, path: &str) -> Self {
        self.root_path = before(path);
        self
    }

    /// Sets the path at which the service is mounted; the router in front must strip it.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.at = before(path);
        self
    }

    /// Sets the prefix below which a directory mounts its upstreams.
    #[must_use]
    pub fn path_prefix(mut self, path: &str) -> Self {
        self.path_prefix = before(path);
        self
    }

    /// Requires this key of callers.
    #[must_use]
    pub fn key(mut self, key: ApiKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets whether the document says that callers need a bearer credential, which something in front of the face checks.
    #[must_use]
    pub fn needs_bearer(mut self, needs_bearer: NeedsBearer) -> Self {
        self.needs_bearer = needs_bearer;
        self
    }

    /// Declares that MCP is served beside the face, at `/mcp`, `/sse` and `/message`.
    #[must_use]
    pub fn beside_mcp(mut self) -> Self {
        self.is_beside_mcp = true;
        self
    }

    /// Forwards calls of tools that are not in the caller's list to the upstream, which has to [refuse](super::Unlisted) them.
    #[must_use]
    pub fn tells_of_unlisted(mut self) -> Self {
        self.tells_of_unlisted = true;
        self
    }

    /// Sets the hosts that requests may be addressed to.
    #[must_use]
    pub fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Sets the web origins that may make requests.
    #[must_use]
    pub fn origins(mut self, origins: AllowedOrigins) -> Self {
        self.origins = origins;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some() || self.needs_bearer.get()
    }

    /// Returns a request's path without the root path, if it has that.
    pub(crate) fn path<'p>(&self, path: &'p str) -> &'p str {
        if self.root_path.is_empty() {
            return path;
        }
        path.strip_prefix(&self.root_path).filter(|rest| rest.starts_with('/')).unwrap_or(path)
    }
}

/// Normalizes a path for use as a prefix: with a slash at the beginning and none at the end.
fn before(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}
