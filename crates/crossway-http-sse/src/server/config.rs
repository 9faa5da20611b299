//! Server configuration: paths, hosts and origins.

use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};

use crate::limits::ServerLimits;

/// A server's paths, and its allowed callers.
///
/// By default the stream is at `/sse`, messages go to `/message`, and only programs and pages of this machine may
/// call it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    pub(super) paths: Paths,
    /// The hosts that requests may be addressed to.
    pub hosts: AllowedHosts,
    /// The web origins that may send requests (2024-11-05, basic/transports: "Servers **MUST** validate the `Origin`
    /// header on all incoming connections to prevent DNS rebinding attacks").
    pub origins: AllowedOrigins,
    /// Time and size limits.
    pub limits: ServerLimits,
}

impl Config {
    /// Serves this machine only, at the default paths and with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the paths of the stream and of messages, as this server sees them. Both may be the same.
    ///
    /// # Errors
    ///
    /// When one is not an absolute path, or has a query.
    pub fn paths(mut self, sse: &str, message: &str) -> Result<Self, InvalidPath> {
        self.paths.sse = checked(sse)?;
        self.paths.message = checked(message)?;
        Ok(self)
    }

    /// Sends clients an absolute path for their messages, with this prefix: the path that precedes this server's paths in the URL that
    /// clients use. `""` for none.
    ///
    /// By default clients get a path relative to the stream's, which works wherever the server is nested and whatever path a proxy strips.
    /// But some clients resolve it against the server's root: those of the Java SDK do, and need a prefix.
    ///
    /// # Errors
    ///
    /// When it is neither empty nor an absolute path.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, InvalidPath> {
        let prefix = prefix.trim_end_matches('/');
        self.paths.prefix = Some(if prefix.is_empty() { String::new() } else { checked(prefix)? });
        Ok(self)
    }

    /// Sets the hosts that requests may be addressed to.
    #[must_use]
    pub fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Sets the web origins that may send requests.
    #[must_use]
    pub fn origins(mut self, origins: AllowedOrigins) -> Self {
        self.origins = origins;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }
}

/// An invalid path in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path has to start with a slash and to be without a query")]
pub struct InvalidPath;

fn checked(path: &str) -> Result<String, InvalidPath> {
    let is_path = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(['?', '#'])
        && path.parse::<http::uri::PathAndQuery>().is_ok();
    if is_path { Ok(path.to_owned()) } else { Err(InvalidPath) }
}

#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) sse: String,
    pub(super) message: String,
    prefix: Option<String>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { sse: "/sse".into(), message: "/message".into(), prefix: None }
    }
}

impl Paths {
    /// The URI of the `endpoint` event, up to the session id.
    pub(super) fn endpoint(&self) -> String {
        let path = match &self.prefix {
            Some(prefix) => format!("{prefix}{}", self.message),
            None => relative(&self.sse, &self.message),
        };
        path + "?sessionId="
    }
}

/// A reference to `to` that is relative to `from` (RFC 3986, section 4.2).
fn relative(from: &str, to: &str) -> String {
    if from == to {
        return String::new();
    }
    let folder = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
    let (from_folder, to_folder) = (&from[..folder(from)], &to[..folder(to)]);
    // The length of the common folders.
    let shared = from_folder
        .bytes()
        .zip(to_folder.bytes())
        .take_while(|(a, b)| a == b)
        .enumerate()
        .filter(|(_, (byte, _))| *byte == b'/')
        .last()
        .map_or(0, |(at, _)| at + 1);
    let up = from_folder[shared..].matches('/').count();
    let down = &to[shared..];
    // A leading part must not be empty, or look like a scheme or a host.
    let needs_dot = up == 0 && (down.is_empty() || down.starts_with('/') || down.contains(':'));
    format!("{}{}{down}", if needs_dot { "./" } else { "" }, "../".repeat(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_references_lead_where_they_should() {
        for (from, to, reference) in [
            ("/sse", "/message", "message"),
            ("/sse", "/messages/", "messages/"),
            ("/a/sse", "/a/message", "message"),
            ("/a/sse", "/message", "../message"),
            ("/a/b/sse", "/a/c/message", "../c/message"),
            ("/ab/sse", "/ac/message", "../ac/message"),
            ("/sse", "/a/message", "a/message"),
            ("/sse/", "/message", "../message"),
            ("/a/sse", "/a/", "./"),
            ("/sse", "/a:b", "./a:b"),
            ("/mcp", "/mcp", ""),
        ] {
            assert_eq!(relative(from, to), reference, "{from} {to}");
        }
    }

    #[test]
    fn a_prefix_makes_the_endpoint_absolute() {
        let endpoint = |prefix: &str| Config::new().prefix(prefix).unwrap().paths.endpoint();
        assert_eq!(endpoint(""), "/message?sessionId=");
        assert_eq!(endpoint("/"), "/message?sessionId=");
        assert_eq!(endpoint("/tools/"), "/tools/message?sessionId=");
        assert!(Config::new().prefix("tools").is_err());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "sse", "//sse", "/sse?x", "/a b", "/sse#x", "http://h/sse"] {
            assert_eq!(Config::new().paths(path, "/message").err(), Some(InvalidPath), "{path}");
        }
    }
}
