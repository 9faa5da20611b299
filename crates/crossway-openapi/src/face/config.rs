//! Configuration of a face.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};

use super::{ApiKey, Limits};

/// How a face behaves. The default serves this machine alone, without a key.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The document's title; else the server's name.
    pub title: Option<String>,
    /// The document's description; else the server's instructions.
    pub description: Option<String>,
    /// The version that the document says; else the server's.
    pub version: Option<String>,
    /// What the server is called where it does not say its name.
    pub name: Option<String>,
    /// The path below which clients reach the face: `/api/tools`. It may be there in requests, or have been taken away by a proxy.
    /// Empty for none.
    pub root_path: String,
    /// Where the face is below that, as its document says: `/github`. Whoever routes requests to it has cut it off. Empty for the root.
    pub at: String,
    /// What stands before the names of upstreams in a [`Directory`](super::Directory)'s paths: `/servers`. Empty for nothing.
    pub path_prefix: String,
    /// The key that callers need.
    pub key: Option<ApiKey>,
    /// Whether the document says that callers need a bearer credential, though it is checked elsewhere.
    pub needs_bearer: NeedsBearer,
    /// Whether MCP is served beside the face, at `/mcp`, `/sse` and `/message`: tools that are called so are at `/{name}/call` then.
    pub is_beside_mcp: bool,
    /// Whether the upstream is told of calls of tools that are not in the caller's list: it gets them with [`Unlisted`](super::Unlisted) in
    /// their extensions, has to refuse them, and can have them on record.
    pub tells_of_unlisted: bool,
    /// The hosts that requests may be addressed to.
    pub hosts: AllowedHosts,
    /// The web pages that may make requests. They are told so, as browsers want it (the Fetch standard's CORS protocol), and no
    /// cookie or other credential that browsers add by themselves is taken.
    pub origins: AllowedOrigins,
    /// How much is taken and given.
    pub limits: Limits,
}

/// Whether callers need a bearer credential: they do not, until it is set. Clones share it, and it may change while faces are served:
/// the next document says so.
#[derive(Debug, Clone, Default)]
pub struct NeedsBearer(Arc<AtomicBool>);

impl NeedsBearer {
    /// Says whether they do from now on.
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

    /// Says what the document is called, what it is about, and its version; what is `None` is the server's to say.
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

    /// Says what the server is called where it does not say its name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Is reached below this path, which a proxy in front may take away.
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

    /// Serves callers who have the key.
    #[must_use]
    pub fn key(mut self, key: ApiKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Says in the document whether callers need a bearer credential, which something in front of the face checks.
    #[must_use]
    pub fn needs_bearer(mut self, needs_bearer: NeedsBearer) -> Self {
        self.needs_bearer = needs_bearer;
        self
    }

    /// Says that MCP is served beside the face, at `/mcp`, `/sse` and `/message`.
    #[must_use]
    pub fn beside_mcp(mut self) -> Self {
        self.is_beside_mcp = true;
        self
    }

    /// Tells the upstream, which [refuses](super::Unlisted) them, of calls of tools that are not in the caller's list.
    #[must_use]
    pub fn tells_of_unlisted(mut self) -> Self {
        self.tells_of_unlisted = true;
        self
    }

    /// Serves requests that are addressed to these hosts.
    #[must_use]
    pub fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Serves web pages of these origins.
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

    /// A request's path without what may stand before it.
    pub(crate) fn path<'p>(&self, path: &'p str) -> &'p str {
        if self.root_path.is_empty() {
            return path;
        }
        path.strip_prefix(&self.root_path).filter(|rest| rest.starts_with('/')).unwrap_or(path)
    }
}

/// A path as it stands before others: with a slash at its beginning, and none at its end.
fn before(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}
